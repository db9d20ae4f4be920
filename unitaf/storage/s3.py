"""Objects in a bucket of an S3 server.

Endpoint, region and credentials are what boto3 takes from the usual variables and profile files
(AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, ...).
Creation is one conditional put (``If-None-Match: *``), so an object is limited to 5 GB.
"""

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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
from unitaf.storage.s3_errors import explain, is_transient, status_of

_CONNECTIONS = 32
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 30.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_LOG_PERIOD_S = 5.0

_Answer = TypeVar("_Answer")
_logger = logging.getLogger(__name__)


class S3Storage:
    """A `Storage` below a prefix of a bucket.

    A request that fails for a passing reason (no connection, no answer in time, 5xx, SlowDown, a
    conflict of two writers) is tried again, after pauses that double from 0.1 s to 5 s, each cut by
    a random share so that many clients do not return at once. Anything else fails at once.

    Args:
        bucket: The bucket, which must exist.
        prefix: Begins every key, without slashes at its ends; may be empty.
        patience_s: How long one request is tried before it fails.

    Raises:
        StorageError: If the AWS variables name no usable endpoint or profile.
    """

    def __init__(self, bucket: str, prefix: str, patience_s: float) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._patience_s = patience_s
        self._num_retries = 0
        config = Config(
            connect_timeout=min(_CONNECT_TIMEOUT_S, patience_s),
            read_timeout=min(_READ_TIMEOUT_S, patience_s),
            max_pool_connections=_CONNECTIONS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        try:
            # boto3 itself reads only AWS_DEFAULT_REGION; containers on AWS set AWS_REGION.
            session = boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
            self._client = session.client("s3", config=config)
        except BotoCoreError as error:
            raise StorageError(f"cannot open {self.uri}: {explain(error)}") from error
        except ValueError as error:  # how botocore refuses an endpoint
            raise StorageError(
                f"cannot open {self.uri}: {error}; check AWS_ENDPOINT_URL"
            ) from error

    def __reduce__(self) -> tuple[type["S3Storage"], tuple[str, str, float]]:
        return S3Storage, (self._bucket, self._prefix, self._patience_s)

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def num_retries(self) -> int:
        """How many requests were tried again; near enough where several threads ask."""
        return self._num_retries

    def read(self, name: str) -> bytes:
        """Return all bytes of an object."""
        return self._persist("read", name, partial(self._get, self._key(name)))

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return a part of an object."""
        check_range(start, length)
        span = f"bytes={start}-{start + length - 1}"
        data = self._persist("read", name, partial(self._get_range, self._key(name), span))
        if len(data) < length:
            raise StorageError(
                f"cannot read {self.uri}/{name}: it ends before byte {start + length}"
            )
        return data

    def size(self, name: str) -> int:
        """Return the size of an object."""
        return self._persist("read", name, partial(self._head, self._key(name)))

    def create(self, name: str, data: bytes | Path) -> Creation:
        """Put an object if none has its name; if one has, compare the bytes."""
        if self._persist("create", name, partial(self._put_new, self._key(name), data)):
            return Creation.CREATED
        is_same = self._persist("read", name, partial(self._holds, self._key(name), data))
        return Creation.IDENTICAL if is_same else Creation.TAKEN

    def exists(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        return self._persist("read", name, partial(self._has, self._key(name)))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose names begin with a prefix."""
        return (info for info in self._objects(prefix) if not info.name.startswith(OWN))

    def leftovers(self) -> Iterator[ObjectInfo]:
        """Yield the probes of runs that were killed."""
        return self._objects(OWN)

    def delete(self, name: str) -> None:
        """Remove an object if it is there."""
        delete = partial(self._client.delete_object, Bucket=self._bucket, Key=self._key(name))
        self._persist("delete", name, delete)

    def open_log(self, name: str) -> "S3Log":
        """Open a log that is held in memory and written every few seconds."""
        text = self.read(name).decode() if self.exists(name) else ""
        return S3Log(partial(self._replace, name), text)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{check_name(name)}".lstrip("/")

    def _get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def _get_range(self, key: str, span: str) -> bytes:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=span)
        except ClientError as error:
            if status_of(error) == 416:  # starts after the end
                return b""
            raise
        return answer["Body"].read()

    def _head(self, key: str) -> int:
        return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def _has(self, key: str) -> bool:
        try:
            self._head(key)
        except ClientError as error:
            if status_of(error) == 404:
                return False
            raise
        return True

    def _put_new(self, key: str, data: bytes | Path) -> bool:
        try:
            with open_data(data) as body:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) == 412:
                return False
            raise
        return True

    def _holds(self, key: str, data: bytes | Path) -> bool:
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        with answer["Body"] as body, open_data(data) as source:
            return answer["ContentLength"] == size and hold_the_same(body, source)

    def _replace(self, name: str, text: str) -> None:
        put = partial(
            self._client.put_object, Bucket=self._bucket, Key=self._key(name), Body=text.encode()
        )
        self._persist("write", name, put)

    def _objects(self, prefix: str) -> Iterator[ObjectInfo]:
        root = f"{self._prefix}/".lstrip("/")
        listing = partial(
            self._client.list_objects_v2, Bucket=self._bucket, Prefix=root + prefix, MaxKeys=1000
        )
        page = self._persist("list", prefix, listing)
        while True:
            for row in page.get("Contents", ()):
                name = row["Key"].removeprefix(root)
                if not name.endswith("/") and name:  # consoles mark folders by empty objects
                    yield ObjectInfo(name, row["Size"], row["LastModified"].timestamp())
            if not page["IsTruncated"]:
                return
            token = page["NextContinuationToken"]
            page = self._persist("list", prefix, partial(listing, ContinuationToken=token))

    def _persist(self, action: str, name: str, request: Callable[[], _Answer]) -> _Answer:
        """Return the answer to a request that is tried until it succeeds or patience ends."""
        what = f"{action} {self.uri}/{name}"
        deadline = time.monotonic() + self._patience_s
        longest_pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return request()
            except (ClientError, BotoCoreError) as error:
                reason = explain(error)
                if not is_transient(error):
                    raise StorageError(f"cannot {what}: {reason}") from error
                pause_s = longest_pause_s * random.uniform(0.5, 1.0)
                if time.monotonic() + pause_s > deadline:
                    waited = f"gave up after {self._patience_s:g} s"
                    raise StorageError(f"cannot {what}: {waited}: {reason}") from error
            _logger.warning("could not %s: %s; trying again in %.1f s", what, reason, pause_s)
            time.sleep(pause_s)
            self._num_retries += 1
            longest_pause_s = min(2 * longest_pause_s, _LONGEST_PAUSE_S)


class S3Log:
    """A `LogWriter` to an object, which is written again as a whole every few seconds.

    Args:
        write: Replaces the object's text.
        text: What it holds already.
    """

    def __init__(self, write: Callable[[str], None], text: str) -> None:
        self._write = write
        self._text = text
        self._written_s = float("-inf")
        self._is_written = True

    def append_line(self, line: str) -> None:
        """Add one line; write if the last time was long enough ago."""
        self._text += f"{line}\n"
        self._is_written = False
        if time.monotonic() >= self._written_s + _LOG_PERIOD_S:
            self._flush()

    def close(self) -> None:
        """Write what is still held back."""
        if not self._is_written:
            self._flush()

    def abandon(self) -> None:
        """Give up what is held back: writing it would try the server for as long again."""
        self._is_written = True

    def __enter__(self) -> "S3Log":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _flush(self) -> None:
        self._write(self._text)
        self._written_s = time.monotonic()
        self._is_written = True
