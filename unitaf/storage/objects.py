"""What a storage is: named bytes that appear whole, once, and never change.

Conventions: a name is a path with forward slashes below the storage's root, such as
``manifests/0a1b.json``. Parts that begin with a dot are the storage's own: `OWN` marks what a
writer that was killed may leave behind, and no listing shows it. Sizes are bytes; times are seconds
since the epoch, by the storage's clock.
This module knows nothing about files or servers.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

_PIECE = 1 << 20

OWN = ".unitaf-"
"""Begins the last part of the name of what is not an object: an unfinished file, a probe."""


class Creation(Enum):
    """What `Storage.create` found out about an object that was to be created."""

    CREATED = "created"
    """This call put it there."""
    IDENTICAL = "identical"
    """It was there and holds exactly these bytes: an earlier try's, or a twin's."""
    TAKEN = "taken"
    """It was there and holds other bytes, which stay."""

    @property
    def holds(self) -> bool:
        """Whether the object now holds exactly the bytes that were given."""
        return self is not Creation.TAKEN


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One row of a listing."""

    name: str
    size_bytes: int
    modified_s: float
    """When it was written; seconds since the epoch."""


@runtime_checkable
class LogWriter(Protocol):
    """Appends lines to a run's own progress file, the only thing that may be written twice.

    To be used by one thread of one process.
    """

    def append_line(self, line: str) -> None:
        """Add one line, given without its line feed."""
        ...

    def close(self) -> None:
        """Write what is still held back."""
        ...

    def abandon(self) -> None:
        """Close without writing what is held back, where the storage has failed."""
        ...

    def __enter__(self) -> "LogWriter": ...

    def __exit__(self, *exc_info: object) -> None: ...


@runtime_checkable
class Storage(Protocol):
    """A folder or a bucket that holds named bytes.

    Every method raises `StorageError`, naming the object and what to do, if the storage cannot be
    reached, refuses, or has no such object; and `ValueError` for a name that no object may have. A
    storage may be used from many threads, and pickles by its address: the other process opens its
    own.
    """

    @property
    def uri(self) -> str:
        """What `open_storage` takes to open the same storage anywhere."""
        ...

    @property
    def num_retries(self) -> int:
        """How many requests it has tried again since it was opened, in this process."""
        ...

    def read(self, name: str) -> bytes:
        """Return all bytes of an object."""
        ...

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return the bytes from start to start + length; fewer are an error."""
        ...

    def size(self, name: str) -> int:
        """Return how many bytes an object has."""
        ...

    def create(self, name: str, data: bytes | Path) -> Creation:
        """Put an object there unless the name is taken, atomically.

        The bytes may lie in a local file: then they are never in memory as a whole.

        Of all that create one name at the same time, one succeeds; nobody ever reads a part;
        nothing is overwritten. When the call returns, the object is durable. A call that was cut
        off after it had succeeded, and was tried again, says `IDENTICAL`: ask `Creation.holds`
        unless it matters who came first.
        """
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose names begin with a prefix, page by page.

        The objects of one folder come sorted by name; the order of folders is the storage's. A
        folder or prefix that is not there has no objects.
        """
        ...

    def leftovers(self) -> Iterator[ObjectInfo]:
        """Yield what killed writers left behind; `delete` takes it.

        A young one may belong to a writer that is still alive.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove an object; one that is gone already is no error."""
        ...

    def open_log(self, name: str) -> LogWriter:
        """Open a log to append to; what it holds already stays."""
        ...


def open_data(data: bytes | Path) -> BinaryIO:
    """Open what `Storage.create` is given, to be read once."""
    return data.open("rb") if isinstance(data, Path) else io.BytesIO(data)


class Readable(Protocol):
    """What bytes can be read from: a file, the body of an answer."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none at the end."""
        ...


def hold_the_same(one: Readable, other: Readable) -> bool:
    """Read two sources of one size side by side and say whether all bytes are equal."""
    while piece := one.read(_PIECE):
        if other.read(len(piece)) != piece:
            return False
    return True


class ObjectFile(io.RawIOBase):
    """An object as a seekable file, each read a range request: for readers of Parquet.

    Args:
        storage: Where the object is.
        name: Which object.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        super().__init__()
        self._storage = storage
        self._name = name
        self._size = storage.size(name)
        self._position = 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError(f"offset {offset} lies before the start of {self._name}")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # no Buffer in Python 3.11
        """Fill a buffer with one range request and return how many bytes there were."""
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        buffer[:length] = self._storage.read_range(self._name, self._position, length)
        self._position += length
        return length


def check_name(name: str) -> str:
    """Return a name that an object may have.

    Raises:
        ValueError: If a part is empty or begins with a dot (`OWN` excepted), or a character cannot
            be printed.
    """
    parts = name.split("/")
    is_hidden = any(part.startswith(".") and not part.startswith(OWN) for part in parts)
    if is_hidden or "" in parts or not name.isprintable():
        raise ValueError(
            f"object name {name!r} must be parts joined by single slashes, "
            "none empty or beginning with a dot, all printable"
        )
    return name


def check_range(start: int, length: int) -> None:
    """Raise `ValueError` unless a range holds at least one byte at or after 0."""
    if start < 0 or length < 1:
        raise ValueError(f"range must be start >= 0 and length >= 1, not {start}, {length}")
