"""Recordings become files of face motion: found, read, animated in batches, written.

A recording that cannot be used never stops the others: it is listed with its reason. Files are
written whole, each under the name of its recording; older ones are replaced.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from unitaf.audio import read_audio
from unitaf.errors import ConfigError, InputError
from unitaf.export import Encoder
from unitaf.pipelines.files import checked_directory, write_file
from unitaf.types import FaceAnimator, Provenance, Speech, Take, Utterance

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
"""What is taken for a recording in a folder; a file named by itself may have any suffix."""

MIN_MS = 25
"""Speech encoders read nothing shorter: 400 samples at 16 kHz."""
BATCH_S = 120.0
"""Recordings are animated together up to this length, in seconds."""
_HIGHEST_FPS = 1000.0


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file and what its motion is called."""

    path: Path
    name: str
    """A path without suffix, with ``/`` between folders."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A recording that could not be animated."""

    path: Path
    reason: str


@dataclass(slots=True)
class AnimateReport:
    """How far animating is, or how it went."""

    recordings: int
    animated: int = 0
    files: int = 0
    size_bytes: int = 0
    audio_s: float = 0.0
    rejected: list[Rejected] = field(default_factory=list)


OnReport = Callable[[AnimateReport], None]


def find_recordings(paths: Sequence[Path], directory: Path) -> list[Recording]:
    """Return the recordings that files and folders stand for, named after them.

    A file gives its stem; a folder gives every recording in it with the folders between. One that
    is given twice by the same name is taken once.

    Args:
        paths: Audio files, and folders of them.
        directory: Where motion goes; recordings below it are not taken from a folder.

    Raises:
        ConfigError: If there is no such file, a folder has none, two have the same name, or motion
            would go to a file.
    """
    directory = checked_directory(directory)
    found: dict[str, Recording] = {}
    for path in paths:
        recordings = list(_recordings_in(path, directory))
        if not recordings:
            raise ConfigError(f"there is no recording in {path}: none of {', '.join(SUFFIXES)}")
        for recording in recordings:
            other = found.setdefault(recording.name.casefold(), recording)
            if other.path.resolve() != recording.path.resolve():
                raise ConfigError(
                    f"{other.path} and {recording.path} would both be called {recording.name!r};"
                    " rename one, or give the folder that holds both"
                )
    return list(found.values())


def _recordings_in(path: Path, directory: Path) -> Iterator[Recording]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            is_sound = file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            if is_sound and directory.resolve() not in file.resolve().parents:
                yield Recording(file, file.relative_to(path).with_suffix("").as_posix())
    elif path.exists():
        yield Recording(path, path.stem)
    else:
        raise ConfigError(f"there is no recording {path}")


def animate(
    recordings: Sequence[Recording],
    directory: Path,
    animator: FaceAnimator,
    fps: float,
    encoders: Sequence[Encoder],
    on_report: OnReport | None = None,
) -> AnimateReport:
    """Animate recordings and write their motion.

    Args:
        recordings: What to animate; see `find_recordings`.
        directory: The folder that files go to.
        animator: Moves a face to speech of which only the sound is known.
        fps: Frames a second, above 0 and up to 1000.
        encoders: What is written of each; see `pipelines.encoders`.
        on_report: Called after every batch.

    Raises:
        ConfigError: If the frame rate is out of range.
        StorageError: If a file cannot be written.
    """
    if not 0 < fps <= _HIGHEST_FPS:
        raise ConfigError(f"fps must be above 0 and up to {_HIGHEST_FPS:g}, not {fps:g}")
    report = AnimateReport(len(recordings))
    shared: set[str] = set()
    for batch in _read_batches(recordings, report):
        for take in _act(batch, animator, fps, report):
            _write(take, directory, encoders, shared, report)
            report.animated += 1
            report.audio_s += take.speech.duration_s
        if on_report is not None:
            on_report(report)
    return report


def _write(
    take: Take,
    directory: Path,
    encoders: Sequence[Encoder],
    shared: set[str],
    report: AnimateReport,
) -> None:
    """Write the files of a take; those that takes share are written with the first."""
    for encode in encoders:
        for name, data in encode(take, take.utterance.id).items():
            if name in shared:
                continue
            write_file(directory / name, data)
            if not name.startswith(f"{take.utterance.id}."):
                shared.add(name)
            report.files += 1
            report.size_bytes += len(data)


def _read_batches(
    recordings: Sequence[Recording], report: AnimateReport
) -> Iterator[list[tuple[Recording, Speech]]]:
    """Yield what could be read, in batches; note the rest as rejected."""
    batch: list[tuple[Recording, Speech]] = []
    batch_s = 0.0
    for recording in recordings:
        try:
            speech = _read(recording.path)
        except OSError as error:
            report.rejected.append(Rejected(recording.path, error.strerror or str(error)))
            continue
        except ValueError as error:
            reason = str(error).removeprefix(f"{recording.path}: ")
            report.rejected.append(Rejected(recording.path, reason))
            continue
        if batch and batch_s + speech.duration_s > BATCH_S:
            yield batch
            batch, batch_s = [], 0.0
        batch.append((recording, speech))
        batch_s += speech.duration_s
    yield batch


def _read(path: Path) -> Speech:
    """Read a recording as speech of which only the sound is known.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not audio, or too short.
    """
    waveform, sample_rate = read_audio(path)
    milliseconds = 1000 * len(waveform) / sample_rate
    if milliseconds < MIN_MS:
        raise ValueError(f"the audio lasts {milliseconds:.3g} ms; at least {MIN_MS} are needed")
    return Speech(waveform, sample_rate, np.zeros((0, 0), np.float32), feature_rate=0.0)


def _act(
    batch: list[tuple[Recording, Speech]],
    animator: FaceAnimator,
    fps: float,
    report: AnimateReport,
) -> list[Take]:
    """Animate a batch; one that cannot be animated is rejected and the others tried again."""
    provenance = Provenance(
        tts="recording",
        face=animator.fingerprint,
        voice="",
        licence=animator.licence,
        unitaf=version("unitaf"),
    )
    while batch:
        said = [Utterance(recording.name, "", language="und") for recording, _ in batch]
        speeches = [speech for _, speech in batch]
        try:
            motions = animator.animate(said, speeches, fps)
        except InputError as error:
            bad = next(r for r, _ in batch if r.name == error.utterance_id)
            report.rejected.append(Rejected(bad.path, error.reason))
            batch = [pair for pair in batch if pair[0] is not bad]
        else:
            return [
                Take("", utterance, speech, motion, provenance)
                for utterance, speech, motion in zip(said, speeches, motions, strict=True)
            ]
    return []
