"""Stand-ins that keep the contracts of the real parts, with a fault where a test wants one."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from unitaf.errors import InputError
from unitaf.storage import Creation, LogWriter, ObjectInfo, Storage
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, Utterance


class KillingStorage:
    """A storage that kills a process, once, before or after a chosen object is created.

    Args:
        inner: The storage that does the work.
        prefix: Objects whose names begin so.
        when: ``before`` or ``after`` the creation.
        marker: A file that says that it has happened; the process that makes it does the deed. None
            to strike every time.
        victim: The process id to kill; the calling process if None.
    """

    def __init__(
        self, inner: Storage, prefix: str, when: str, marker: Path | None, victim: int | None = None
    ) -> None:
        self._inner = inner
        self._prefix = prefix
        self._when = when
        self._marker = marker
        self._victim = victim

    @property
    def uri(self) -> str:
        return self._inner.uri

    @property
    def num_retries(self) -> int:
        return self._inner.num_retries

    def create(self, name: str, data: bytes | Path) -> Creation:
        self._strike(name, "before")
        created = self._inner.create(name, data)
        self._strike(name, "after")
        return created

    def _strike(self, name: str, moment: str) -> None:
        if moment != self._when or not name.startswith(self._prefix):
            return
        if self._marker is not None:
            try:
                self._marker.touch(exist_ok=False)
            except FileExistsError:
                return
        os.kill(self._victim or os.getpid(), signal.SIGKILL)

    def read(self, name: str) -> bytes:
        return self._inner.read(name)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        return self._inner.read_range(name, start, length)

    def size(self, name: str) -> int:
        return self._inner.size(name)

    def exists(self, name: str) -> bool:
        return self._inner.exists(name)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._inner.list(prefix)

    def leftovers(self) -> Iterator[ObjectInfo]:
        return self._inner.leftovers()

    def delete(self, name: str) -> None:
        self._inner.delete(name)

    def open_log(self, name: str) -> LogWriter:
        return self._inner.open_log(name)


class ChokingSpeech(StubSpeech):
    """A silent engine that cannot say lines with a certain word."""

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        for utterance in utterances:
            if "xyzzy" in utterance.text:
                raise InputError(utterance.id, "it holds the word 'xyzzy'")
        return super().synthesize(utterances)
