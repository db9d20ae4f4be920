"""``unitaf tts``: text-to-speech engines that bring files of their own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unitaf.cli.display import size
from unitaf.config import load_adapt_config
from unitaf.errors import ConfigError
from unitaf.tts.voices import INDEXTTS2_TERMS

if TYPE_CHECKING:
    from unitaf.tts.indextts2.inspection import FileCheck

_PROGRESS_LINES = 100

app = typer.Typer(help="Look after engines that bring files of their own.", no_args_is_help=True)


@app.command()
def check(
    engine: Annotated[Literal["indextts2"], typer.Argument(help="The kind of the engine.")],
    directory: Annotated[Path, typer.Argument(help="The folder with the published files.")],
    keys: Annotated[bool, typer.Option("--keys", help="List every key with its shape.")] = False,
) -> None:
    """Hold every file, key and shape in DIRECTORY against what is published."""
    # Brings torch, which no other word of the command line needs.
    from unitaf.tts.indextts2.inspection import inspect_model

    checks = inspect_model(directory)
    console = Console()
    console.print(_files_table(checks))
    if keys:
        console.print(_keys_table(checks))
    for told in (*_told(checks), INDEXTTS2_TERMS):
        console.print(Text(told), soft_wrap=True)
    bad = [check.file.name for check in checks if not check.is_good]
    if bad:
        raise ConfigError(f"{directory} cannot be used as {engine} for want of {', '.join(bad)}")


@app.command()
def adapt(
    config: Annotated[Path, typer.Option(help="A YAML job file.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as steps=500.")
    ] = None,
) -> None:
    """Teach an engine with a corpus, for when it does not sound like the data; makes a new one."""
    job = load_adapt_config(config, set_ or [])
    from unitaf.pipelines.adapt import adapt as run

    console = Console(stderr=True)

    def tell(step: int, loss: float) -> None:
        if step % max(1, job.steps // _PROGRESS_LINES) == 0:
            console.print(Text(f"step {step:,} of {job.steps:,}, loss {loss:.4f}"))

    report = run(job, tell)
    for reject in report.rejects:
        console.print(Text(reject), soft_wrap=True)
    told = f"{report.clips:,} clips, loss {report.loss_before:.4f} to {report.loss_after:.4f}"
    print(f"{told} on {report.judged_on}; the model is in {job.out}")


def _told(checks: "Sequence[FileCheck]") -> Iterator[str]:
    """Yield what is wrong or not used, a line each, and where it is meant to come from."""
    for check in checks:
        yield from (f"{check.file.name}: {problem}" for problem in check.problems)
        if check.unused:
            more = f" and {len(check.unused) - 1:,} more" if len(check.unused) > 1 else ""
            yield f"{check.file.name}: not used: {check.unused[0]}{more}; --keys lists all"
        if check.is_missing:
            need = "" if check.is_needed else ", needed only for emotions described in words"
            yield f"{check.file.name} is missing{need}: it comes from {check.file.origin}"


def _files_table(checks: "Sequence[FileCheck]") -> Table:
    table = Table("file", "size", "keys", "state")
    table.columns[0].overflow = "fold"
    for check in checks:
        needed = [key for key in check.keys if key.needed is not None]
        held = sum(not key.problem for key in needed)
        counted = f"{held:,} of {len(needed):,}" if needed else ""
        given = "" if check.size_bytes is None else size(check.size_bytes)
        table.add_row(*map(Text, (check.file.name, given, counted, _state(check))))
    return table


def _state(check: "FileCheck") -> str:
    if check.is_missing:
        return "missing" if check.is_needed else "optional"
    return "wrong" if check.problems else "good"


def _keys_table(checks: "Sequence[FileCheck]") -> Table:
    table = Table("file", "key", "needed", "found")
    table.columns[1].overflow = "fold"
    for check in checks:
        for key in check.keys:
            needed = "not used" if key.needed is None else _shape(key.needed)
            cells = (check.file.name, key.key, needed, _shape(key.found))
            table.add_row(*map(Text, cells))
    return table


def _shape(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else " x ".join(map(str, shape)) or "one number"
