"""``unitaf prepare``: recordings in, a training corpus out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from unitaf.cli import display
from unitaf.cli.interruption import interruptible
from unitaf.config import load_prepare_config
from unitaf.errors import ConfigError, UnitafError

if TYPE_CHECKING:
    from unitaf.pipelines.corpus_report import PrepareReport


def prepare(
    source: Annotated[
        str | None,
        typer.Argument(help="A folder of recordings or a list of them; or source.path of the job."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Argument(help="A folder or s3://bucket/prefix; or corpus of the job.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML job file.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as clips.fps=30.")
    ] = None,
) -> None:
    """Make a training CORPUS of SOURCE, recordings with face capture, or complete one."""
    job = load_prepare_config(config, set_ or [])
    source, corpus = source or job.source.path, corpus or job.corpus
    if source is None or corpus is None:
        raise ConfigError("say which SOURCE and which CORPUS, here or in the job file")
    from unitaf.pipelines.prepare import prepare as run

    with display.progress_shown("recordings") as on_progress, interruptible(on_progress) as tell:
        report = run(source, corpus, job, tell)
    _print_report(report)
    limit = job.max_reject_fraction
    if report.reject_fraction > limit:
        raise UnitafError(
            f"{report.rejects} recordings and clips were refused, more than"
            f" max_reject_fraction={limit:g} allows; see rejects.parquet of run {report.run}"
        )


def _print_report(report: "PrepareReport") -> None:
    pairs = [
        ("corpus", report.corpus),
        ("recordings", f"{report.recordings:,}"),
        ("clips", f"{report.clips:,} of {len(report.speakers):,} speakers"),
        ("speech", display.duration(report.hours * 3600)),
        ("by split", _hours(report.hours_by_split)),
        ("by language", _hours(report.hours_by_language)),
        ("texts", _counts(report.texts)),
        ("emotions", _counts(report.emotions)),
        ("refused", f"{report.rejects:,}"),
        ("causes", _counts(report.rejects_by_cause)),
        ("without features", _counts(report.without_features)),
        ("alignment cost, median", f"{report.alignment_cost_quantiles['0.5']:.2f}"),
        ("mouth opening, 0 to 1", _bars(report.openness)),
        ("alignment costs, 0 to 1", _bars(report.alignment_costs)),
    ]
    table = Table(title=f"Run {report.run}", show_header=False, title_justify="left")
    for label, value in pairs:
        table.add_row(label, value)
    Console().print(table)


def _hours(hours: dict[str, float]) -> str:
    return ", ".join(f"{name}: {display.duration(3600 * hour)}" for name, hour in hours.items())


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "none"


def _bars(counts: list[int]) -> str:
    top = max(counts, default=0) or 1
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // top)] for count in counts)
