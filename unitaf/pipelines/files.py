"""Folders and files of the user's: checked, and written whole."""

import os
from pathlib import Path

from unitaf.errors import ConfigError, StorageError


def checked_directory(directory: str | Path) -> Path:
    """Return the folder that files go to, which need not exist yet.

    Raises:
        ConfigError: If it is a file.
    """
    if os.path.isfile(directory):
        raise ConfigError(f"{directory} is a file: name the folder that the files go to")
    return Path(directory)


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole: readers see the old one or the new one.

    Raises:
        StorageError: If it is a folder, or its folder cannot be written.
    """
    try:
        if path.is_dir():
            raise StorageError(f"cannot write {path}: it is a folder, not a file")
        part = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
