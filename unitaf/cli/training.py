"""``unitaf train`` and ``unitaf evaluate``: a corpus in, a face model and its figures out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    from unitaf.pipelines.training_progress import OnTrainProgress, TrainProgress, TrainReport

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

    with _progress_shown() as on_progress:
        report = run(job, on_progress)
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

    found = run(checkpoint, corpus, job)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(found.to_json(), encoding="utf-8")
    if plot is not None:
        from unitaf.metrics.plots import plot_scores

        plot.parent.mkdir(parents=True, exist_ok=True)
        scores = {name: asdict(each) for name, each in found.scores.items()}
        plot_scores(scores, found.mouth_openings_mm).savefig(plot, format="png", dpi=120)
    _print_evaluation(found)


@contextmanager
def _progress_shown() -> Iterator["OnTrainProgress"]:
    """Print progress on stderr: when the stage changes, at the end, and every few seconds."""
    console = Console(stderr=True)
    stage, printed_s = "", 0.0

    def show(progress: "TrainProgress") -> None:
        nonlocal stage, printed_s
        now = time.monotonic()
        if now - printed_s >= _PLAIN_LINE_EVERY_S or progress.stage != stage:
            stage, printed_s = progress.stage, now
            console.print(f"{progress.stage}: {describe_progress(progress)}", highlight=False)

    yield show


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
