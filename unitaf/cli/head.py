"""``unitaf head``: a face to look at."""

from pathlib import Path
from typing import Annotated

import typer


def head(
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
) -> None:
    """Write our own head: pictures of its 52 shapes, and a GLB that goes through them."""
    from unitaf.pipelines.head import write_head

    for path in write_head(directory):
        print(path)
