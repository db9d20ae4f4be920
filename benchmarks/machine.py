"""What the machine and a tree of processes do while something is measured. Linux only.

Conventions: CPU time in seconds summed over cores, wall time in epoch seconds. *Foreign* is CPU
time that the machine spent on anything but the watched tree, time stolen by other virtual machines
included; as a share, of all cores.
"""

import os
import platform
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PACKAGES = ("hibari-tts", "numpy", "onnxruntime", "pyarrow", "ray", "unitaf")


def describe_machine() -> dict[str, str | int]:
    """Return what somebody who compares figures wants to know of this machine."""
    models = [
        line.partition(":")[2].strip()
        for line in (_PROC / "cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    started: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class _Sample:
    time_s: float
    busy_s: float
    own_s: float


class Watch:
    """Samples the machine's CPU time and that of a process and all its descendants.

    A process that has ended counts with what it had used when it was last seen, so at most one
    interval of it passes for foreign.

    Args:
        interval_s: Between samples.
        on_sample: Called with the ids of the living processes of the tree, from another thread.
        root: The top of the tree; this process by default.
    """

    def __init__(
        self,
        interval_s: float = 0.25,
        on_sample: Callable[[Collection[int]], None] | None = None,
        root: int | None = None,
    ) -> None:
        self._interval_s = interval_s
        self._on_sample = on_sample
        self._tree = {root or os.getpid()}
        self._cpu_s: dict[tuple[int, int], float] = {}
        self._samples: list[_Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def foreign_share(self, start_s: float = 0.0, end_s: float = float("inf")) -> float:
        """Return the share of the machine, 0 to 1, that others had between two moments."""
        before = [sample for sample in self._samples if sample.time_s <= start_s]
        after = [sample for sample in self._samples if sample.time_s >= end_s]
        first = before[-1] if before else self._samples[0]
        last = after[0] if after else self._samples[-1]
        foreign_s = (last.busy_s - first.busy_s) - (last.own_s - first.own_s)
        capacity_s = (last.time_s - first.time_s) * (os.cpu_count() or 1)
        return max(0.0, foreign_s / capacity_s)

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        processes = _read_processes()
        self._tree = _descendants(self._tree, processes)
        for pid in self._tree:
            process = processes[pid]
            self._cpu_s[pid, process.started] = process.cpu_s
        own_s = sum(self._cpu_s.values())
        self._samples.append(_Sample(time.time(), _busy_s(), own_s))
        if self._on_sample is not None:
            self._on_sample(self._tree)


def wait_until_quiet(limit: float, patience_s: float) -> float:
    """Wait until others use less than a share of the machine, or patience ends.

    Returns:
        The share that others had in the last second.
    """
    until = time.monotonic() + patience_s
    while True:
        with Watch() as watch:
            time.sleep(1.0)
        share = watch.foreign_share()
        if share < limit or time.monotonic() > until:
            return share


def read_memory(pid: int) -> dict[str, int]:
    """Return the memory of a process in bytes by the names of smaps_rollup; empty if it has ended.

    ``Anonymous`` is what it alone has written to, ``Pss`` counts shared pages by their share.
    """
    try:
        lines = Path(_PROC, str(pid), "smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split(":") for line in lines)
    return {name: int(size.removesuffix("kB")) * 1024 for name, size in pairs}


def read_title(pid: int) -> str:
    """Return the command line of a process, or what it calls itself; empty if it has ended."""
    try:
        return Path(_PROC, str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _busy_s() -> float:
    """Return the CPU time since boot in which the machine was at work or not ours to use."""
    user, nice, system, _, _, irq, soft_irq, steal = map(
        int, (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft_irq + steal) * _TICK_S


def _read_processes() -> dict[int, _Process]:
    processes = {}
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        # The name, in brackets, may hold anything; what follows is numbers (proc_pid_stat(5)).
        fields = text.rpartition(")")[2].split()
        cpu_s = (int(fields[11]) + int(fields[12])) * _TICK_S
        processes[int(entry.name)] = _Process(int(fields[1]), int(fields[19]), cpu_s)
    return processes


def _descendants(roots: Collection[int], processes: dict[int, _Process]) -> set[int]:
    """Return the living among the roots and all their descendants."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in processes]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found
