"""Folders and files of the user's: checked, and written whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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
    """Write a file whole, as `replacing` does."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write into that takes its place when all is written.

    Readers see the old file or the new one, never a part.

    Raises:
        StorageError: If there is a folder of its name, or its folder cannot be written.
    """
    try:
        if path.is_dir():
            raise StorageError(f"cannot write {path}: it is a folder, not a file")
        part = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                yield file
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
