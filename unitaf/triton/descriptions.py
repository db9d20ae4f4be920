"""What a server says of the engine or the animator behind a model: in the model's configuration.

Conventions: JSON, in the parameter ``unitaf`` of ``config.pbtxt``. `unitaf serve export` writes it,
the server compares it with what it has built before it serves, and clients take fingerprints from
it: so that a take has the same key wherever it is made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unitaf.errors import ConfigError
from unitaf.triton.tensors import REVISION
from unitaf.types import FaceAnimator, TextToSpeech

PARAMETER = "unitaf"
ANY_SPEAKER = "*"
"""Stands for speakers without a voice of their own."""


@dataclass(frozen=True, slots=True)
class ServedVoice:
    """What decides how a speaker sounds."""

    fingerprint: str
    voice: str


@dataclass(frozen=True, slots=True)
class ServedSpeech:
    """A text-to-speech engine, as `types.TextToSpeech` has it."""

    fingerprint: str
    features_fingerprint: str
    sample_rate: int
    feature_rate: float
    feature_dim: int
    languages: tuple[str, ...]
    has_phones: bool
    reads_ipa: bool
    speeds: tuple[float, float]
    batch_size: int
    licence: str
    voices: dict[str, ServedVoice]
    """By speaker, one of them `ANY_SPEAKER`."""


@dataclass(frozen=True, slots=True)
class ServedFace:
    """A face animator, as `types.FaceAnimator` has it."""

    fingerprint: str
    licence: str


def describe_speech(tts: TextToSpeech, speakers: Sequence[str]) -> ServedSpeech:
    """Describe an engine.

    Args:
        tts: The engine.
        speakers: Those with a voice of their own.
    """
    return ServedSpeech(
        tts.fingerprint,
        tts.features_fingerprint,
        tts.sample_rate,
        tts.feature_rate,
        tts.feature_dim,
        tuple(sorted(tts.languages)),
        tts.has_phones,
        tts.reads_ipa,
        tts.speeds,
        tts.batch_size,
        tts.licence,
        {
            speaker: ServedVoice(tts.fingerprint_of(speaker), tts.voice_of(speaker))
            for speaker in (*speakers, ANY_SPEAKER)
        },
    )


def describe_face(face: FaceAnimator) -> ServedFace:
    """Describe an animator."""
    return ServedFace(face.fingerprint, face.licence)


def encode_description(description: ServedSpeech | ServedFace) -> str:
    """Write a description as JSON."""
    values = {"revision": REVISION, **asdict(description)}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def read_speech(config: Mapping[str, Any], name: str) -> ServedSpeech:
    """Read what a model's configuration says of its engine.

    Args:
        config: The configuration, as Triton gives it.
        name: Of the model and its server, for sentences.

    Raises:
        ConfigError: If the model was not written by this version of unitaf, or is none of speech.
    """
    values = _values(config, name)
    try:
        voices = {speaker: ServedVoice(**each) for speaker, each in values.pop("voices").items()}
        tuples = {field: tuple(values[field]) for field in ("languages", "speeds")}
        return ServedSpeech(**{**values, **tuples}, voices=voices)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{name} makes no speech") from error


def read_face(config: Mapping[str, Any], name: str) -> ServedFace:
    """Read what a model's configuration says of its animator; as `read_speech`."""
    try:
        return ServedFace(**_values(config, name))
    except TypeError as error:
        raise ConfigError(f"{name} moves no face") from error


def _values(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    parameter = config.get("parameters", {}).get(PARAMETER)
    if parameter is None:
        raise ConfigError(f"{name} was not written by `unitaf serve export`")
    values: dict[str, Any] = json.loads(parameter["string_value"])
    if values.pop("revision", None) != REVISION:
        raise ConfigError(f"{name} was written by another version of unitaf; export it again")
    return values
