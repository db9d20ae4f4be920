"""The command ``unitaf``: words to calls.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done; 1 the run failed, or more
lines were rejected than the job allows; 2 the user's file, setting or argument is wrong; 130
interrupted.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from unitaf.cli import (
    animate,
    cast,
    checkpoint,
    deliveries,
    display,
    head,
    prepare,
    serve,
    training,
    tts,
    voices,
)
from unitaf.cli.interruption import interruptible
from unitaf.config import load_config
from unitaf.errors import ConfigError, UnitafError

app = typer.Typer(
    help="Dialogue scripts in, speech and fitting facial animation out, in bulk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(serve.app, name="serve")
app.add_typer(tts.app, name="tts")
app.add_typer(voices.app, name="voices")

_INTERRUPTED = 130

StoreArgument = Annotated[str, typer.Argument(help="A folder or s3://bucket/prefix.")]


@app.command()
def generate(
    script: Annotated[
        str | None,
        typer.Argument(help="A table, PO, XLIFF, a folder of them; or script.path of the job."),
    ] = None,
    store: Annotated[
        str | None, typer.Argument(help="A folder or s3://bucket/prefix; or store of the job.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML job file.")] = None,
    cast: Annotated[
        str | None, typer.Option(help="Who speaks with which voice; `unitaf cast` writes one.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as output.fps=30.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made, and make nothing.")
    ] = False,
) -> None:
    """Voice and animate every line of SCRIPT that STORE does not hold yet."""
    job = load_config(config, [*([f"cast={cast}"] if cast else []), *(set_ or [])])
    script, store = script or job.script.path, store or job.store
    if script is None or store is None:
        raise ConfigError("say which SCRIPT and which STORE, here or in the job file")
    if dry_run:
        from unitaf.pipelines.preview import preview

        display.print_preview(preview(script, store, job))
        return
    from unitaf.pipelines.generate import generate as run

    with display.progress_shown() as on_progress, interruptible(on_progress) as tell:
        report = run(script, store, job, tell)
    display.print_report(report)
    limit = job.script.max_reject_fraction
    if report.reject_fraction > limit:
        raise UnitafError(
            f"{report.rejects} of {report.lines} lines were rejected, more than"
            f" script.max_reject_fraction={limit:g} allows; see rejects.parquet of run {report.run}"
        )


@app.command()
def status(store: StoreArgument) -> None:
    """Say what STORE holds, and what an interrupted run has left to make."""
    from unitaf.pipelines.store import open_store

    display.print_status(open_store(store).status())


@app.command()
def show(
    store: StoreArgument,
    line_id: Annotated[str, typer.Argument(help="As in the script.")],
    language: Annotated[
        str | None, typer.Option(help="Needed if the line exists in several.")
    ] = None,
    audio: Annotated[Path | None, typer.Option(help="Write the sound to this WAV file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the take into this PNG file.")] = None,
) -> None:
    """Show one take: text, times, phones, and how it was made."""
    from unitaf.export.plot import draw_take
    from unitaf.export.sound import encode_wav
    from unitaf.pipelines.files import write_file
    from unitaf.pipelines.store import open_store

    take = open_store(store).take(line_id, language)
    display.print_take(take)
    if audio is not None:
        (data,) = encode_wav(take, "take").values()
        write_file(audio, data)
    if plot is not None:
        write_file(plot, draw_take(take))


@app.command()
def gc(
    store: StoreArgument,
    older_than_hours: Annotated[
        float, typer.Option(min=0.0, help="Leave younger objects: a run may still need them.")
    ] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove from STORE what nothing refers to; not while a run is at work on it."""
    from unitaf.pipelines.store import open_store

    opened = open_store(store)
    garbage = opened.garbage(older_than_hours * 3600)
    if not dry_run:
        opened.delete(garbage)
    verb = "would be removed" if dry_run else "removed"
    print(f"{len(garbage.objects)} objects, {display.size(garbage.size_bytes)} {verb}")


app.command()(animate.animate)
app.command()(cast.cast)
app.command()(deliveries.audit)
app.command()(deliveries.export)
app.command()(head.head)
app.command()(prepare.prepare)
app.command()(training.train)
app.command()(training.evaluate)


def main() -> None:
    """Run the command; turn every error of ours into one sentence and an exit code."""
    try:
        app()
    except UnitafError as error:
        print(f"unitaf: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except SystemExit as stopped:
        # Typer turns an interruption into this exit code, without a word.
        if stopped.code == _INTERRUPTED:
            told = "unitaf: interrupted; what is committed stays, run the same again"
            print(told, file=sys.stderr)
        raise
