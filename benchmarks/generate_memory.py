"""How the memory and the time of `unitaf.generate` grow with the script.

python -m benchmarks.generate_memory --out memory.json
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.arms import read_report, start_arm
from benchmarks.lines import write_barks
from benchmarks.machine import Watch, describe_machine, read_memory, read_title
from unitaf.config import GenerateConfig, check_config

_SIZES, _LARGEST = (1_000, 10_000, 100_000), 1_000_000
_FPS = 5
_ROLES = ("driver", "workers", "ray", "all", "object_store", "spilled")
_STAGES = ("plan", "make", "end")
_WORK = ("tts_s", "face_s", "encode_s", "storage_s")


_SPILLED = "ray/session_[0-9]*/ray_spilled_objects*/*"


@dataclass(frozen=True, slots=True)
class SizeRun:
    """One run over one script; README.md says what the figures mean."""

    lines: int
    foreign_share: float
    """The share of the machine that others had, the sampling of memory included."""
    whole_s: float
    stages_s: dict[str, float]
    worker_s: dict[str, float]
    """Seconds of work by kind, summed over workers."""
    peak_bytes: dict[str, int]


class MemoryPeaks:
    """Keeps the greatest memory of a driver and of the Ray session below it.

    Args:
        driver: Its process id.
        folder: Where Ray keeps its files.
    """

    def __init__(self, driver: int, folder: Path) -> None:
        self._driver = driver
        self._folder = folder
        self.bytes = dict.fromkeys(_ROLES, 0)

    def add(self, pids: Collection[int]) -> None:
        """Look at the processes of the tree once."""
        now = dict.fromkeys(_ROLES, 0)
        for pid in pids:
            memory = read_memory(pid)
            now[self._role(pid)] += memory.get("Anonymous", 0)
            now["all"] += memory.get("Pss", 0)
            now["object_store"] += memory.get("Pss_Shmem", 0)
        now["spilled"] = sum(map(_size, self._folder.glob(_SPILLED)))
        self.bytes = {role: max(peak, now[role]) for role, peak in self.bytes.items()}

    def _role(self, pid: int) -> str:
        if pid == self._driver:
            return "driver"
        title = read_title(pid)
        return "workers" if title.startswith("ray::") and "Agent" not in title else "ray"


def measure_memory(sizes: Sequence[int], workers: int, console: Console) -> dict[str, Any]:
    """Run every size in a fresh process and return all figures.

    Args:
        sizes: Lines, ascending.
        workers: Actors.
        console: Told of every run.
    """
    values = {
        "tts": {"kind": "stub"},
        "output": {"fps": _FPS},
        "run": {"num_actors": workers},
    }
    config = check_config(values, "benchmark")
    runs = []
    for size in sizes:
        runs.append(_run_size(size, config))
        console.print(_describe(runs[-1]), highlight=False)
    return {
        "machine": describe_machine(),
        "settings": {"sizes": list(sizes), "workers": workers, "fps": _FPS},
        "runs": [asdict(run) for run in runs],
        **describe_growth(runs),
    }


def describe_growth(runs: Sequence[SizeRun]) -> dict[str, Any]:
    """Return how memory and time grow from the smallest script to the greatest."""
    first, last = runs[0], runs[-1]
    growth = {role: last.peak_bytes[role] - first.peak_bytes[role] for role in _ROLES}
    more_lines = max(1, last.lines - first.lines)
    return {
        "growth_bytes": growth,
        "bytes_a_line": {role: grown / more_lines for role, grown in growth.items()},
        "steepest_slope": {stage: _steepest_slope(runs, stage) for stage in _STAGES},
        "work_us_a_line": {kind: last.worker_s[kind] / last.lines * 1e6 for kind in _WORK},
    }


def _run_size(size: int, config: GenerateConfig) -> SizeRun:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        write_barks(folder / "script.csv", size)
        began_s = time.time()
        with start_arm("unitaf", folder / "script.csv", folder, config) as process:
            peaks = MemoryPeaks(process.pid, folder)
            with Watch(on_sample=peaks.add, root=process.pid) as watch:
                process.wait()
        whole_s = time.time() - began_s
        report = read_report(folder)
    if report["takes"] != size:
        raise RuntimeError(f"{report['takes']} takes were made of {size} lines")
    seconds = report["seconds"]
    return SizeRun(
        lines=size,
        foreign_share=watch.foreign_share(),
        whole_s=whole_s,
        stages_s={stage: seconds[stage] for stage in _STAGES},
        worker_s={kind: seconds[kind] for kind in _WORK},
        peak_bytes=peaks.bytes,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has been read back and deleted meanwhile
        return 0


def _steepest_slope(runs: Sequence[SizeRun], stage: str) -> float | None:
    """Return the steepest log-log slope of time over lines between neighbouring sizes.

    1 is linear; above it, something grows faster than the script. None if there is only one size.
    """
    slopes = [
        math.log(after.stages_s[stage] / before.stages_s[stage])
        / math.log(after.lines / before.lines)
        for before, after in pairwise(runs)
    ]
    return max(slopes, default=None)


def _describe(run: SizeRun) -> str:
    return (
        f"{run.lines} lines: {run.whole_s:.1f} s, driver"
        f" {run.peak_bytes['driver'] / 1e6:.0f} MB, others had {run.foreign_share:.0%} of the CPU"
    )


def print_memory(result: dict[str, Any], console: Console) -> None:
    """Print peaks in MB and times by size, growth and slopes beside them."""
    runs = result["runs"]
    table = Table(title="stub engine, {workers} workers".format(**result["settings"]))
    table.add_column("")
    for run in runs:
        table.add_column(f"{run['lines']:,}", justify="right")
    table.add_column("growth", justify="right")
    for role in _ROLES:
        peaks = (f"{run['peak_bytes'][role] / 1e6:.1f}" for run in runs)
        growth = f"{result['growth_bytes'][role] / 1e6:.1f}"
        table.add_row(f"{role} (MB)", *peaks, growth)
    table.add_section()
    for stage in _STAGES:
        times = (f"{run['stages_s'][stage]:.1f}" for run in runs)
        slope = result["steepest_slope"][stage]
        table.add_row(f"{stage} (s)", *times, "" if slope is None else f"slope {slope:.2f}")
    console.print(table)
    console.print(f"driver: {result['bytes_a_line']['driver']:.0f} bytes a line", highlight=False)
    work = (f"{kind[:-2]} {value:.0f}" for kind, value in result["work_us_a_line"].items())
    console.print(f"work, microseconds a line: {', '.join(work)}", highlight=False)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(_SIZES))
    parser.add_argument("--full", action="store_true", help=f"{_LARGEST} lines too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("memory.json"))
    arguments = parser.parse_args()
    sizes = sorted({*arguments.sizes, *([_LARGEST] if arguments.full else [])})
    console = Console()
    result = measure_memory(sizes, arguments.workers, console)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print_memory(result, console)


if __name__ == "__main__":
    main()
