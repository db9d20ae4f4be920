"""How fast `unitaf.generate` is, beside the same work without Ray and in one process.

python -m benchmarks.generate_speed --out speed.json
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.arms import ARMS, read_records, read_written, start_arm
from benchmarks.figures import MODEL, WORK, divide_making, ratios, spread
from benchmarks.lines import write_dialogue
from benchmarks.machine import Watch, describe_machine, wait_until_quiet
from unitaf.config import GenerateConfig, check_config

_FOREIGN_LIMIT = 0.05
_FIGURES = {
    "audio_s_per_s": "audio s/s",
    "lines_per_s": "lines/s",
    "making_s": "T, making (s)",
    "whole_s": "W, whole (s)",
    "startup_s": "start-up (s)",
    "ending_s": "ending (s)",
    "overhead_model": "T*k / model",
    "overhead_warm": "warm / model",
    "overhead_work": "T*k / work",
    "foreign_share": "foreign CPU",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and how often."""

    lines: int
    repeats: int
    workers: int
    engine: str
    seed: int
    patience_s: float
    """How long a quiet machine is waited for before every arm."""


@dataclass(frozen=True, slots=True)
class ArmRun:
    """One run of one arm; README.md says what the figures mean."""

    arm: str
    repeat: int
    is_valid: bool
    foreign_share: float
    workers: int
    shards: int
    takes: int
    audio_s: float
    digest: str
    making_s: float
    whole_s: float
    startup_s: float
    ending_s: float
    audio_s_per_s: float
    lines_per_s: float
    overhead_model: float
    overhead_warm: float
    overhead_work: float
    parts_s: dict[str, float]
    shares: dict[str, float]


def measure_speed(settings: Settings, console: Console) -> dict[str, Any]:
    """Run every arm as often as asked, in turns, and return all figures.

    Raises:
        RuntimeError: If an arm fails, leaves lines out, or makes other takes than the first.
    """
    runs: list[ArmRun] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        script = Path(name, "script.csv")
        write_dialogue(script, settings.lines, settings.seed)
        for repeat in range(settings.repeats):
            for arm in _turn(list(ARMS), repeat):
                run = _run_arm(arm, repeat, script, settings)
                _check_takes(run, settings.lines, runs)
                runs.append(run)
                console.print(_describe(run), highlight=False)
    by_arm = {arm: [run for run in runs if run.arm == arm] for arm in ARMS}
    speeds = {arm: [run.audio_s_per_s for run in same] for arm, same in by_arm.items()}
    return {
        "machine": describe_machine(),
        "settings": asdict(settings),
        "runs": [asdict(run) for run in runs],
        "summary": {arm: _summary(same) for arm, same in by_arm.items()},
        "ratios": ratios(speeds, settings.workers),
    }


def _turn(arms: list[str], repeat: int) -> list[str]:
    """Let every repeat begin with another arm, so that none is always first."""
    first = repeat % len(arms)
    return arms[first:] + arms[:first]


def _run_arm(arm: str, repeat: int, script: Path, settings: Settings) -> ArmRun:
    workers = 1 if arm == "seq" else settings.workers
    folder = script.with_name("arm")
    folder.mkdir()
    wait_until_quiet(_FOREIGN_LIMIT, settings.patience_s)
    began_s = time.time()
    with Watch() as watch:
        with start_arm(arm, script, folder, _job(settings)):
            pass
        whole_s = time.time() - began_s
    records, written = read_records(folder), read_written(folder)
    shutil.rmtree(folder)
    making = divide_making(records, workers)
    foreign_share = watch.foreign_share(making.started_s, making.ended_s)
    startup_s = making.started_s - began_s
    return ArmRun(
        arm=arm,
        repeat=repeat,
        is_valid=foreign_share <= _FOREIGN_LIMIT,
        foreign_share=foreign_share,
        workers=workers,
        shards=len(records),
        takes=written.takes,
        audio_s=written.audio_s,
        digest=written.digest,
        making_s=making.duration_s,
        whole_s=whole_s,
        startup_s=startup_s,
        ending_s=whole_s - startup_s - making.duration_s,
        audio_s_per_s=written.audio_s / making.duration_s,
        lines_per_s=written.takes / making.duration_s,
        overhead_model=making.overhead(MODEL),
        overhead_warm=making.warm_overhead(MODEL),
        overhead_work=making.overhead(WORK),
        parts_s=making.parts_s,
        shares=making.shares,
    )


def _job(settings: Settings) -> GenerateConfig:
    values = {"tts": {"kind": settings.engine}, "run": {"num_actors": settings.workers}}
    return check_config(values, "benchmark")


def _check_takes(run: ArmRun, num_lines: int, before: Sequence[ArmRun]) -> None:
    if run.takes != num_lines:
        raise RuntimeError(f"arm {run.arm} made {run.takes} takes of {num_lines} lines")
    if before and run.digest != before[0].digest:
        raise RuntimeError(f"arms {before[0].arm} and {run.arm} made different takes")


def _summary(runs: Sequence[ArmRun]) -> dict[str, Any]:
    return {
        "runs": len(runs),
        "valid_runs": sum(run.is_valid for run in runs),
        **{name: spread([getattr(run, name) for run in runs]) for name in _FIGURES},
        "shares": {part: spread([run.shares[part] for run in runs]) for part in runs[0].shares},
    }


def _describe(run: ArmRun) -> str:
    note = "" if run.is_valid else f", invalid: others had {run.foreign_share:.0%} of the machine"
    return (
        f"{run.repeat + 1} {run.arm}: {run.audio_s_per_s:.1f} audio s/s, T {run.making_s:.1f} s,"
        f" W {run.whole_s:.1f} s, overhead {run.overhead_model:.3f}{note}"
    )


def print_speed(result: dict[str, Any], console: Console) -> None:
    """Print the figures: median, least and greatest of the repeats."""
    summary = result["summary"]
    table = Table(title="{lines} lines, {engine}, {workers} workers".format(**result["settings"]))
    table.add_column("")
    for arm in summary:
        table.add_column(arm, justify="right")
    valid = [f"{figures['valid_runs']} of {figures['runs']}" for figures in summary.values()]
    table.add_row("valid runs", *valid, end_section=True)
    for name, title in _FIGURES.items():
        table.add_row(title, *(_cell(figures[name]) for figures in summary.values()))
    table.add_section()
    for part in next(iter(summary.values()))["shares"]:
        shares = (figures["shares"][part]["median"] for figures in summary.values())
        table.add_row(f"{part} / T*k", *(f"{share:.1%}" for share in shares))
    console.print(table)
    for name, values in result["ratios"].items():
        console.print(f"{name:>14}  {_cell(values)}", highlight=False)


def _cell(values: dict[str, float]) -> str:
    return "{median:.3g} ({min:.3g}-{max:.3g})".format(**values)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=480)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=["hibari", "stub"], default="hibari")
    parser.add_argument("--seed", type=int, default=0, help="of the lines")
    parser.add_argument("--patience-s", type=float, default=120.0, help="for a quiet machine")
    parser.add_argument("--out", type=Path, default=Path("speed.json"))
    values = vars(parser.parse_args())
    out: Path = values.pop("out")
    console = Console()
    result = measure_speed(Settings(**values), console)
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print_speed(result, console)


if __name__ == "__main__":
    main()
