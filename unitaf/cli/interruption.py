"""Ctrl-C that is heard: an interrupt that reaches Ray's compiled code may be lost in there."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from unitaf.pipelines.progress import OnProgress, Progress


@contextmanager
def interruptible(on_progress: OnProgress) -> Iterator[OnProgress]:
    """Give a callback that raises `KeyboardInterrupt` once more if the user has asked for it."""
    is_wanted = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        is_wanted.set()
        raise KeyboardInterrupt

    def tell(progress: Progress) -> None:
        if is_wanted.is_set():
            raise KeyboardInterrupt
        on_progress(progress)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield tell
    finally:
        signal.signal(signal.SIGINT, before)
