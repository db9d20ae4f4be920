"""Reference clips: where the sound of a voice and of an emotion comes from.

Conventions: a clip of any sample rate, mono or stereo; of a long one the first 15 seconds are used.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from unitaf.audio import decode_audio
from unitaf.errors import ConfigError
from unitaf.storage import open_storage
from unitaf.tts.indextts2.frontend import LONGEST_S, Waveform

_SHORTEST_S = 0.5
"""The reference has no limit; below this there is no voice to hear."""
_SILENT = 1e-3
"""Peak of a clip that holds nothing: 60 dB below full scale."""


@dataclass(frozen=True, slots=True)
class VoiceSource:
    """How a speaker sounds: where the clips are, and what emotion lines have that name none."""

    reference: str
    """A path or ``s3://bucket/name``."""
    emotion: str | None = None
    """A clip whose emotion is taken."""
    alpha: float = 1.0
    """How much of that emotion, 0 to 1."""
    description: str | None = None
    """An emotion in words; ``{text}`` stands for what the line says."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A reference clip that can be used."""

    waveform: Waveform
    sample_rate: int
    digest: str
    """Of the bytes of its file: 64 hex digits."""


def read_clip(uri: str) -> Clip:
    """Read a reference clip and check that there is a voice in it.

    Raises:
        ConfigError: If it is missing, no audio, too short or silent.
        StorageError: If its store cannot be read.
    """
    data = read_clip_file(uri)
    try:
        waveform, sample_rate = decode_audio(data)
    except ValueError as error:
        raise ConfigError(f"reference clip {uri}: {error}") from error
    duration_s = len(waveform) / sample_rate
    if duration_s < _SHORTEST_S:
        raise ConfigError(
            f"reference clip {uri} is {duration_s:.2f} s long: give {_SHORTEST_S:g} to"
            f" {LONGEST_S} s of speech"
        )
    if abs(waveform[: LONGEST_S * sample_rate]).max() < _SILENT:
        raise ConfigError(f"reference clip {uri} is silent")
    return Clip(waveform, sample_rate, hashlib.sha256(data).hexdigest())


def read_clip_file(uri: str) -> bytes:
    """Read the bytes of a reference clip's file.

    Raises:
        ConfigError: If it is missing.
        StorageError: If its store cannot be read.
    """
    if "://" not in uri:
        try:
            return Path(uri).read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read the reference clip {uri}: {error.strerror}") from error
    folder, _, name = uri.rpartition("/")
    storage = open_storage(folder)
    if not name or not storage.exists(name):
        raise ConfigError(f"there is no reference clip {uri}")
    return storage.read(name)
