"""``unitaf cast``: a first casting file."""

from pathlib import Path
from typing import Annotated

import typer

from unitaf.config import load_config
from unitaf.errors import ConfigError


def cast(
    script: Annotated[str, typer.Argument(help="As for generate.")],
    file: Annotated[
        Path | None, typer.Argument(help="The casting file to write; empty: print it.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The YAML job file whose engine is preferred.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as tts.kind=kokoro.")
    ] = None,
) -> None:
    """Give every speaker of SCRIPT a voice that is installed, as a file to edit."""
    from unitaf.pipelines.first_cast import first_cast

    if file is not None and file.exists():
        raise ConfigError(f"{file} is there already: give the name of a new file")
    text = first_cast(script, load_config(config, set_ or []))
    if file is None:
        print(text, end="")
    else:
        file.write_text(text, encoding="utf-8")
