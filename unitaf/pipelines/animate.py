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
from unitaf.export.glb import glb_bytes
from unitaf.pipelines.export import checked_directory, encoders_of, write_file
from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.gltf_rig import read_glb
from unitaf.rigs.rig_files import read_npz, read_obj_folder
from unitaf.types import FaceAnimator, Provenance, Speech, Take, Utterance

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
"""What is taken for a recording in a folder; a file named by itself may have any suffix."""

MIN_MS = 25
"""Speech encoders read nothing shorter: 400 samples at 16 kHz."""
BATCH_S = 120.0
"""Recordings are animated together up to this length, in seconds."""
_HIGHEST_FPS = 1000.0
_OPTIONAL_SHAPES = ("tongueOut",)
"""Few rigs have a tongue."""


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
        encoders: What is written of each; see `choose_encoders`.
        on_report: Called after every batch.

    Raises:
        ConfigError: If the frame rate is out of range.
        StorageError: If a file cannot be written.
    """
    if not 0 < fps <= _HIGHEST_FPS:
        raise ConfigError(f"fps must be above 0 and up to {_HIGHEST_FPS:g}, not {fps:g}")
    report = AnimateReport(len(recordings))
    for batch in _read_batches(recordings, report):
        for take in _act(batch, animator, fps, report):
            for encode in encoders:
                for name, data in encode(take, take.utterance.id).items():
                    write_file(directory / name, data)
                    report.files += 1
                    report.size_bytes += len(data)
            report.animated += 1
            report.audio_s += take.speech.duration_s
        if on_report is not None:
            on_report(report)
    return report


def choose_encoders(formats: Sequence[str], rig: Path | None = None) -> list[Encoder]:
    """Return what writes some formats.

    Args:
        formats: Names in `unitaf.export.FORMATS`.
        rig: The face of GLB files instead of our own head: a GLB, an npz, or a folder of OBJ files.

    Raises:
        ConfigError: If a format is unknown, or the rig is not needed, cannot be read or lacks a
            shape.
    """
    chosen = encoders_of(formats)
    if rig is not None:
        if "glb" not in chosen:
            raise ConfigError(f"the rig {rig} is for the format glb, which is not asked for")
        chosen["glb"] = _rig_encoder(rig)
    return list(chosen.values())


def _rig_encoder(path: Path) -> Encoder:
    readers: dict[str, Callable[[Path], BlendshapeRig]]
    readers = {"": read_obj_folder, ".npz": read_npz, ".glb": read_glb}
    kind = "" if path.is_dir() else path.suffix.lower()
    if kind not in readers or not path.exists():
        raise ConfigError(f"the rig {path} must be a GLB, an npz or a folder of OBJ files")
    rig = readers[kind](path)
    missing = set(BLENDSHAPES) - set(rig.channels) - set(_OPTIONAL_SHAPES)
    if missing:
        raise ConfigError(f"the rig {path} lacks the shapes {', '.join(sorted(missing))}")

    def encode(take: Take, name: str) -> dict[str, bytes]:
        data = glb_bytes(rig, take.motion, take.speech.duration_s, _OPTIONAL_SHAPES)
        return {f"{name}.glb": data}

    return encode


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
