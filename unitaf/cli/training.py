"""``unitaf train`` and ``unitaf evaluate``: a corpus in, a face model and its figures out."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from unitaf.cli import display
from unitaf.config import load_evaluate_config, load_train_config

if TYPE_CHECKING:
    from unitaf.pipelines.evaluate import Evaluation
    from unitaf.pipelines.training_progress import TrainProgress, TrainReport

_PLAIN_LINE_EVERY_S = 5.0


def train(
    config: Annotated[Path, typer.Option(help="A YAML job file.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as seed=1.")
    ] = None,
) -> None:
    """Train a face model on a corpus; killed and started again, it goes on."""
    job = load_train_config(config, set_ or [])
    from unitaf.pipelines.train import train as run

    shown = _PlainLines()
    report = run(job, lambda now: shown.print(now.stage, describe_progress(now)))
    _print_report(report)


def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A face model: a folder or s3://...")],
    corpus: Annotated[str, typer.Argument(help="What `unitaf prepare` made.")],
    config: Annotated[Path | None, typer.Option(help="A YAML job file.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as split=val.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this PNG file.")] = None,
) -> None:
    """Measure a face model on held-out clips, next to baselines."""
    job = load_evaluate_config(config, set_ or [])
    from unitaf.pipelines.evaluate import evaluate as run

    shown = _PlainLines()

    def on_clip(done: int, clips: int) -> None:
        shown.print("evaluate", f"{done:,} of {clips:,} clips")

    found = run(checkpoint, corpus, job, on_clip)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(found.to_json(), encoding="utf-8")
    if plot is not None:
        from unitaf.metrics.plots import plot_scores

        plot.parent.mkdir(parents=True, exist_ok=True)
        scores = {name: asdict(each) for name, each in found.scores.items()}
        plot_scores(scores, found.mouth_openings_mm).savefig(plot, format="png", dpi=120)
    _print_evaluation(found)


class _PlainLines:
    """Prints progress on stderr: when the stage changes, and every few seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._stage = ""
        self._printed_s = 0.0

    def print(self, stage: str, told: str) -> None:
        """Print how far a stage is, if it is time to."""
        now = time.monotonic()
        if now - self._printed_s >= _PLAIN_LINE_EVERY_S or stage != self._stage:
            self._stage, self._printed_s = stage, now
            self._console.print(f"{stage}: {told}", highlight=False)


def describe_progress(progress: "TrainProgress") -> str:
    """Return progress as one line."""
    parts = [f"step {progress.step:,} of {progress.steps:,}"]
    parts += [f"{name} {value:.4g}" for name, value in progress.losses.items()]
    parts += [f"rate {progress.learning_rate:.2g}", f"{progress.clips_per_s:.0f} clips/s"]
    if progress.eta_s is not None:
        parts.append(f"{display.duration(progress.eta_s)} left")
    return ", ".join(parts)


def _print_report(report: "TrainReport") -> None:
    last = {point.stage: point for point in report.points}
    table = Table("stage", "steps", "losses at the end", title="Training", title_justify="left")
    for stage, point in last.items():
        losses = ", ".join(f"{name} {value:.4g}" for name, value in point.losses.items())
        table.add_row(stage, f"{point.step:,}", losses)
    console = Console()
    console.print(table)
    console.print(f"{report.clips_per_s:.0f} clips/s, {report.workers} workers", highlight=False)
    print(report.checkpoint)


def _print_evaluation(found: "Evaluation") -> None:
    names = list(found.scores)
    title = f"{found.clips:,} clips of {found.split}"
    table = Table("", *names, title=title, title_justify="left")
    rows = {name: asdict(scores) for name, scores in found.scores.items()}
    for metric in rows[names[0]]:
        values = [rows[name][metric] for name in names]
        shown = ["-" if value is None else f"{value:.3g}" for value in values]
        table.add_row(metric, *shown)
    console = Console()
    console.print(table)
    if found.target_bilabial_closure is not None:
        console.print(f"the recordings close {found.target_bilabial_closure:.3f} of their p, b, m")
