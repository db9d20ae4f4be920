"""Where files that engines fetch are kept on this machine."""

import os
from pathlib import Path


def cache_folder(engine: str) -> Path:
    """Return the folder for an engine's files: in the user's cache, as the XDG rules have it."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "unitaf", engine)
