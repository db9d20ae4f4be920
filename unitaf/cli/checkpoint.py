"""``unitaf checkpoint``: networks on disk."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Convert published networks, and say what one is.", no_args_is_help=True)


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(help="UniTalker-B-D0-D7.pt or UniTalker-L-D0-D7.pt as published.")
    ],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    release: Annotated[
        Path | None,
        typer.Option(help="UniTalker's unpacked data release: faces at rest and PCA bases."),
    ] = None,
    set_order: Annotated[
        str | None,
        typer.Option(help="Data sets by their rows of styles, if not in the order of the heads."),
    ] = None,
) -> None:
    """Check a published UniTalker checkpoint and write it as ours."""
    from unitaf.checkpoint.conversion import convert_unitalker
    from unitaf.checkpoint.describe import describe_checkpoint

    convert_unitalker(file, out, release, set_order.split(",") if set_order else None)
    print(describe_checkpoint(out))


@app.command()
def show(
    checkpoint: Annotated[str, typer.Argument(help="A folder or s3://bucket/prefix.")],
) -> None:
    """Say what a checkpoint is: network, data sets, styles, channels, terms."""
    from unitaf.checkpoint.describe import describe_checkpoint

    print(describe_checkpoint(checkpoint))
