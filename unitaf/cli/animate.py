"""``unitaf animate``: recordings in, face animation out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from unitaf.cli import display
from unitaf.errors import ConfigError, UnitafError

if TYPE_CHECKING:
    from unitaf.pipelines.animate import AnimateReport, OnReport
    from unitaf.types import FaceAnimator


def animate(  # noqa: PLR0913 - each is a word that the user may type
    audio: Annotated[
        list[Path],
        typer.Argument(help="WAV, FLAC, Ogg or MP3 files, or folders of them.", show_default=False),
    ],
    directory: Annotated[Path, typer.Argument(help="Where the files go.", show_default=False)],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A UniTalker network: a converted folder or a published .pt file."),
    ] = None,
    style: Annotated[
        str | None, typer.Option(help="Whose style the network moves in, such as D6/3 or a row.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where the network runs: cpu, the default, cuda or cuda:1."),
    ] = None,
    fps: Annotated[float, typer.Option(help="Animation frames a second, any rate.")] = 60.0,
    format_: Annotated[
        str,
        typer.Option("--format", help="Comma separated: livelink, json, npz, glb, usd, wav, ..."),
    ] = "livelink",
    rig: Annotated[
        Path | None,
        typer.Option(help="Another face for glb and usd: a GLB, an npz or a folder of OBJ files."),
    ] = None,
) -> None:
    """Animate a face to recordings, by rules or with a UniTalker network."""
    from unitaf.pipelines.animate import animate as run
    from unitaf.pipelines.animate import find_recordings
    from unitaf.pipelines.encoders import choose_encoders

    formats = [part.strip() for part in format_.split(",") if part.strip()]
    encoders = list(choose_encoders(formats, rig).values())
    recordings = find_recordings(audio, directory)
    animator = _animator(checkpoint, style, device)
    with _progress_shown() as on_report:
        report = run(recordings, directory, animator, fps, encoders, on_report)
    size = display.size(report.size_bytes)
    print(f"{_describe(report)}, {report.files} files, {size} in {directory}")
    print(f"made by {animator.fingerprint}; licence: {animator.licence}")
    for rejected in report.rejected:
        print(f"unitaf: {rejected.path}: {rejected.reason}", file=sys.stderr)
    if report.rejected:
        count = len(report.rejected)
        raise UnitafError(f"{count} of {report.recordings} recordings could not be animated")


def _animator(checkpoint: Path | None, style: str | None, device: str | None) -> "FaceAnimator":
    if checkpoint is None:
        for option, value in (("style", style), ("device", device)):
            if value is not None:
                raise ConfigError(f"--{option} {value} is a network's: say which with --checkpoint")
        from unitaf.face.hearing import HeardVisemes, PhoneRecognizer
        from unitaf.face.visemes import VisemeAnimator

        return HeardVisemes(PhoneRecognizer(), VisemeAnimator())
    from unitaf.checkpoint.conversion import load_unitalker

    loaded = load_unitalker(checkpoint, device or "cpu")
    animator = loaded.animator() if style is None else loaded.animator(style)
    if checkpoint.is_file():
        print(
            f"unitaf: {checkpoint} was converted as it was read; 'unitaf checkpoint convert' once"
            " saves that time",
            file=sys.stderr,
        )
    return animator


@contextmanager
def _progress_shown() -> Iterator["OnReport"]:
    """Show progress on stderr: a bar on a terminal, a line a batch elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda report: console.print(_describe(report), highlight=False)
        return
    with Bar(console=console) as bar:
        task = bar.add_task("animate", total=None)
        yield lambda report: bar.update(
            task,
            description=_describe(report),
            total=report.recordings,
            completed=report.animated + len(report.rejected),
        )


def _describe(report: "AnimateReport") -> str:
    duration = display.duration(report.audio_s)
    return f"{report.animated:,} of {report.recordings:,} recordings, {duration} of audio"
