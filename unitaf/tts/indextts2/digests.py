"""Digests of files that are gigabytes large: read once for a folder, not once in every process.

They are kept beside the files, so that every machine that sees the folder has them, and hold while
a file's size, modification and change are those of when it was read. Who may write to the folder
may change the model itself, so nothing more is trusted than before. A folder that cannot be written
keeps none.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

KEPT = ".unitaf-digests.json"
"""Where they are kept in the folder."""

_MODE = 0o644

Stamp = list[int]
"""Bytes, and the times of modification and change in nanoseconds."""


def digest_files(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the SHA-256 of files, in hex digits."""
    names = list(names)
    stamps = {name: _stamp(folder / name) for name in names}
    kept = _read(folder)
    known = {
        name: kept[name][1] for name in names if name in kept and kept[name][0] == stamps[name]
    }
    new = [name for name in names if name not in known]
    with ThreadPoolExecutor() as pool:
        known |= zip(new, pool.map(_sha256, [folder / name for name in new]), strict=True)
    settled = {
        name: (stamps[name], known[name]) for name in new if _is(folder / name, stamps[name])
    }
    if settled:
        _write(folder, kept | settled)
    return [known[name] for name in names]


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is(path: Path, stamp: Stamp) -> bool:
    return _stamp(path) == stamp


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        kept = json.loads((folder / KEPT).read_bytes())
        return {name: (stamp, digest) for name, (stamp, digest) in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(folder: Path, kept: Mapping[str, tuple[Stamp, str]]) -> None:
    """Put the digests in place at once: others may be reading them."""
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f"{KEPT}-")
    except OSError:
        return
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            json.dump(kept, stream)
        os.chmod(name, _MODE)
        os.replace(name, folder / KEPT)
    except OSError:
        Path(name).unlink()
