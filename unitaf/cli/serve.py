"""``unitaf serve``: the engine and the face of a job behind a Triton server."""

from pathlib import Path
from typing import Annotated

import typer

from unitaf.config import load_config

app = typer.Typer(
    help="Put the engine and the face of a job behind a server.", no_args_is_help=True
)


@app.callback()
def serve() -> None:
    """Keep ``export`` a word of its own."""


@app.command()
def export(
    repository: Annotated[Path, typer.Argument(help="The folder of the model repository.")],
    config: Annotated[Path | None, typer.Option(help="A YAML job file.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, such as run.num_actors=2."),
    ] = None,
) -> None:
    """Write a Triton model repository that makes what `generate` makes of the same job."""
    job = load_config(config, set_ or [])
    from unitaf.serving.repository import export_repository

    models = export_repository(repository, job)
    print(f"{', '.join(model.name for model in models)} in {repository}; start the server with")
    print(f"  tritonserver --model-repository={repository}")
