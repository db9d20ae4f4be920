"""Objects as files below a folder.

Creation writes a hidden file beside the target, makes it durable, and gives it its name by a hard
link: the one step that is atomic and fails if the name is taken, whoever else tries.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from unitaf.errors import StorageError
from unitaf.storage.objects import (
    OWN,
    Creation,
    ObjectInfo,
    check_name,
    check_range,
    hold_the_same,
    open_data,
)

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class LocalStorage:
    """A `Storage` in a folder, which the first `create` makes if need be.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))

    @property
    def uri(self) -> str:
        """The absolute path of the folder."""
        return str(self._root)

    @property
    def num_retries(self) -> int:
        """None: a file system answers once."""
        return 0

    def read(self, name: str) -> bytes:
        """Return all bytes of a file."""
        path = self._path(name)
        with _explained("read", path):
            return path.read_bytes()

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return a part of a file."""
        check_range(start, length)
        path = self._path(name)
        with _explained("read", path), path.open("rb") as file:
            file.seek(start)
            data = file.read(length)
        if len(data) < length:
            raise StorageError(f"cannot read {path}: it ends before byte {start + length}")
        return data

    def size(self, name: str) -> int:
        """Return the size of a file."""
        path = self._path(name)
        with _explained("read", path):
            return path.stat().st_size

    def create(self, name: str, data: bytes | Path) -> Creation:
        """Write a hidden file, make it durable, link it to its name."""
        path = self._path(name)
        with _explained("create", path):
            if not path.exists() and _write_new(path, data):
                return Creation.CREATED
            is_same = _holds(path, data)
        return Creation.IDENTICAL if is_same else Creation.TAKEN

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        path = self._path(name)
        with _explained("read", path):
            return path.is_file()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the files whose names begin with a prefix, in the order of S3."""
        for info in self._files(prefix):
            if not _is_own(info.name):
                yield info

    def leftovers(self) -> Iterator[ObjectInfo]:
        """Yield the hidden files of writers that were killed."""
        return (info for info in self._files("") if _is_own(info.name))

    def delete(self, name: str) -> None:
        """Remove a file if it is there."""
        path = self._path(name)
        with _explained("delete", path):
            path.unlink(missing_ok=True)

    def open_log(self, name: str) -> "LocalLog":
        """Open a file to append to."""
        return LocalLog(self._path(name))

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)

    def _files(self, prefix: str) -> Iterator[ObjectInfo]:
        with _explained("list", self._root):
            if not self._root.exists():
                return
            for name, entry in _walk(str(self._root), "", prefix):
                try:
                    stat = entry.stat()
                except FileNotFoundError:  # deleted since the folder was read
                    continue
                yield ObjectInfo(name, stat.st_size, stat.st_mtime)


class LocalLog:
    """A `LogWriter` to a file, written a line at a time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _explained("create", path):
            _make_folder(path.parent)
            self._file = path.open("a", encoding="utf-8", newline="\n", buffering=1)

    def append_line(self, line: str) -> None:
        """Add one line and hand it to the operating system."""
        with _explained("append to", self._path):
            self._file.write(f"{line}\n")

    def close(self) -> None:
        """Close the file."""
        with _explained("append to", self._path):
            self._file.close()

    def abandon(self) -> None:
        """Close the file; nothing is held back."""
        self.close()

    def __enter__(self) -> "LocalLog":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@contextmanager
def _explained(action: str, path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a sentence that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot {action} {path}: {reason}") from error


def _is_own(name: str) -> bool:
    return name.rpartition("/")[2].startswith(OWN)


def _holds(path: Path, data: bytes | Path) -> bool:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if path.stat().st_size != size:
        return False
    with path.open("rb") as file, open_data(data) as source:
        return hold_the_same(file, source)


def _write_new(path: Path, data: bytes | Path) -> bool:
    """Return whether the file was created; false if the name is taken."""
    _make_folder(path.parent)
    unfinished = path.with_name(f"{OWN}{uuid4().hex}")
    try:
        with unfinished.open("xb") as file, open_data(data) as source:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        _link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _link(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise StorageError(
            f"cannot create {path}: its file system has no hard links, without which two runs "
            "could overwrite each other; use another disk or an s3:// store"
        ) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each durable before what it holds."""
    if folder.exists():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: str, above: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files below a folder, hidden ones of others left out, in the order of S3 names."""
    with os.scandir(folder) as scan:
        entries = [(e.name + "/" * e.is_dir(), e) for e in scan]
    for part, entry in sorted(entries, key=lambda pair: pair[0]):
        name = above + part
        if part.startswith(".") and not part.startswith(OWN):
            continue
        if not part.endswith("/"):
            if name.startswith(prefix):
                yield name, entry
        elif name.startswith(prefix) or prefix.startswith(name):
            yield from _walk(entry.path, name, prefix)
