"""Exports that are killed before every single file they would put in place, then run again.

Run as a program with a store and an empty folder; prints a row for each time.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from unitaf.pipelines.export import export
from unitaf.pipelines.store import open_store

FORMATS = ["wav", "livelink", "wwise"]


def in_child(work: Callable[[], None]) -> int:
    """Work in a child process, which starts without a thread; return its exit status."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(number: int) -> None:
    """Kill this process before it puts the file of a number in place."""
    seen = 0

    def hook(event: str, _: tuple[object, ...]) -> None:
        nonlocal seen
        seen += event == "os.rename"
        if event == "os.rename" and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(store: str, folder: Path) -> None:
    number = 0
    status = -signal.SIGKILL
    while status:
        number += 1
        place = folder / str(number)

        def broken(number: int = number, place: Path = place) -> None:
            kill_at(number)
            export(open_store(store), place, FORMATS)

        def again(place: Path = place) -> None:
            print(export(open_store(store), place, FORMATS).written, flush=True)

        status = in_child(broken)
        if in_child(again):
            sys.exit("the second export failed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
