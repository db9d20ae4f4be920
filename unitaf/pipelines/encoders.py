"""Which encoders write the formats that a user names: on what face, at what rate."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from unitaf.errors import ConfigError
from unitaf.export import FORMATS, Encoder, check_installed
from unitaf.export.glb import glb_bytes
from unitaf.export.sound import AUDIO_SUFFIXES, Level, at_level, at_rate
from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.gltf_rig import read_glb
from unitaf.rigs.rig_files import read_npz, read_obj_folder
from unitaf.types import Take

_OPTIONAL_SHAPES = ("tongueOut",)
"""Few rigs have a tongue."""
_FACES = ("glb", "usd")
"""The formats that have a face in them."""


def choose_encoders(
    formats: Sequence[str],
    rig: Path | None = None,
    sample_rate: int | None = None,
    level: Level | None = None,
) -> dict[str, Encoder]:
    """Return what writes some formats, each once, by name.

    Args:
        formats: Names in `unitaf.export.FORMATS`.
        rig: The face of GLB and USD files instead of our own head: a GLB, an npz, or a folder of
            OBJ files.
        sample_rate: The rate of audio files in Hz; None: the takes' own.
        level: The loudness of audio files; None: the takes' own.

    Raises:
        ConfigError: If a format is unknown or not installed, there is none, or the rig is not
            needed, cannot be read or lacks a shape.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        problem = f"unknown format {', '.join(unknown)}" if unknown else "no format is named"
        raise ConfigError(f"{problem}; choose from {', '.join(FORMATS)}")
    chosen = {name: FORMATS[name] for name in formats}
    for name in chosen:
        check_installed(name)
    if rig is not None:
        faces = [name for name in _FACES if name in chosen]
        if not faces:
            raise ConfigError(f"the rig {rig} is for glb and usd, which are not asked for")
        read = _read_rig(rig)
        for name in faces:
            chosen[name] = _rig_encoder(read, name)
    for name in AUDIO_SUFFIXES:
        if name in chosen:
            # Peaks are bounded last: another rate has other peaks.
            levelled = chosen[name] if level is None else at_level(chosen[name], level)
            chosen[name] = levelled if sample_rate is None else at_rate(levelled, sample_rate)
    return chosen


def rig_digest(path: Path) -> str:
    """Return the SHA-256 of a rig: of its file, or of the files in its folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _read_rig(path: Path) -> BlendshapeRig:
    readers: dict[str, Callable[[Path], BlendshapeRig]]
    readers = {"": read_obj_folder, ".npz": read_npz, ".glb": read_glb}
    kind = "" if path.is_dir() else path.suffix.lower()
    if kind not in readers or not path.exists():
        raise ConfigError(f"the rig {path} must be a GLB, an npz or a folder of OBJ files")
    rig = readers[kind](path)
    missing = set(BLENDSHAPES) - set(rig.channels) - set(_OPTIONAL_SHAPES)
    if missing:
        raise ConfigError(f"the rig {path} lacks the shapes {', '.join(sorted(missing))}")
    return rig


def _rig_encoder(rig: BlendshapeRig, name: str) -> Encoder:
    def encode_rig_glb(take: Take, path: str) -> dict[str, bytes]:
        data = glb_bytes(rig, take.motion, take.speech.duration_s, _OPTIONAL_SHAPES)
        return {f"{path}.glb": data}

    def encode_rig_usd(take: Take, path: str) -> dict[str, bytes]:
        from unitaf.export.usd import usd_files

        return usd_files(rig, take.motion, path, _OPTIONAL_SHAPES)

    return {"glb": encode_rig_glb, "usd": encode_rig_usd}[name]
