"""How bytes are kept: objects that appear whole, once, on a local disk or an S3 server.

Nothing else in unitaf opens a file or a connection to store results. `Storage` says what holds for
every storage; this module opens one by its address and reads many objects of one.
It knows nothing about takes, manifests or runs.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from unitaf.errors import ConfigError, StorageError
from unitaf.storage.local import LocalStorage
from unitaf.storage.objects import (
    OWN,
    Creation,
    LogWriter,
    ObjectFile,
    ObjectInfo,
    Storage,
    check_name,
)
from unitaf.storage.s3 import S3Storage

__all__ = [
    "Creation",
    "LogWriter",
    "ObjectFile",
    "ObjectInfo",
    "Storage",
    "check_storage",
    "open_storage",
    "read_many",
]

_PATIENCE_S = 120.0
_FIRST_PATIENCE_S = 10.0


def open_storage(uri: str, patience_s: float = _PATIENCE_S) -> Storage:
    """Open a storage by its address, without touching it yet.

    Args:
        uri: The path of a folder, ``file:///folder``, or ``s3://bucket/prefix``.
        patience_s: How long a request to a server that fails for a passing reason is tried. The
            default outlasts the restart of a server.

    Raises:
        ConfigError: If the address is none of the three.
        StorageError: If an S3 client cannot be made from the AWS variables.
    """
    if patience_s <= 0:
        raise ValueError(f"patience_s must be positive, not {patience_s!r}")
    scheme, separator, rest = uri.partition("://")
    if not uri or (separator and scheme not in ("file", "s3")):
        raise ConfigError(f"store {uri!r}: give a folder, file:///folder or s3://bucket/prefix")
    if not separator:
        return LocalStorage(Path(uri))
    if scheme == "file":
        return LocalStorage(_path_of(uri))
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    try:
        check_name(f"{bucket}/{prefix}" if prefix else bucket)
    except ValueError as error:
        raise ConfigError(f"store {uri!r}: give s3://bucket/prefix") from error
    return S3Storage(bucket, prefix, patience_s)


def check_storage(uri: str) -> None:
    """Prove that a storage can be listed and written and that it lets nobody overwrite.

    Costs a handful of small requests: call it once, before a run starts.

    Raises:
        ConfigError: If the address is none.
        StorageError: If the storage is not there, refuses, or overwrites. A server that does not
            answer is given 10 s.
    """
    storage = open_storage(uri, _FIRST_PATIENCE_S)
    next(storage.list(), None)
    probe = f"{OWN}{uuid4().hex}"
    storage.create(probe, b"first")
    second = storage.create(probe, b"second")
    storage.delete(probe)
    if second is not Creation.TAKEN:
        raise StorageError(
            f"{uri}: the server ignores 'If-None-Match: *' and overwrites, so two runs could "
            "destroy each other's takes; use a server with conditional writes"
        )


def read_many(
    storage: Storage, names: Iterable[str], threads: int = 32
) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of many objects, in the order given, reading ahead.

    Args:
        storage: Where they are.
        names: Taken as they are needed, so a listing may be passed on.
        threads: How many are read at a time; up to twice as many are held in memory.
    """
    waiting = iter(names)
    pending: deque[tuple[str, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads, "read_many") as pool:
        try:
            while True:
                for name in islice(waiting, 2 * threads - len(pending)):
                    pending.append((name, pool.submit(storage.read, name)))
                if not pending:
                    return
                name, data = pending.popleft()
                yield name, data.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _path_of(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise ConfigError(f"store {uri!r}: a file address is file:///folder, with three slashes")
    return Path(unquote(parts.path))
