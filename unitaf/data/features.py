"""What is computed of a clip once, kept as float16, and read in every epoch.

Conventions: an extractor's fingerprint changes whenever its features could. Features of a frozen
text-to-speech engine or audio encoder are constants of the clip.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float16, Float32

from unitaf.audio import resample
from unitaf.data.clips import Clip
from unitaf.errors import BackendError, InputError
from unitaf.timing import resample_linear
from unitaf.types import AudioEncoder, Speech, TextToSpeech, Utterance

ENCODER_SAMPLE_RATE = 16000


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """One kind of features of a corpus."""

    name: str
    """``tts`` or ``encoder``."""
    fingerprint: str
    rate: float
    """Steps a second; step i is at i / rate."""
    dim: int

    @property
    def id(self) -> str:
        """Names its folder: 16 hex digits."""
        return hashlib.sha256(f"{self.name} {self.fingerprint}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """The features of one clip."""

    features: Float16[np.ndarray, "steps dim"]
    cost: float
    """Of the alignment that they were carried along; 0 without one."""


class Extractor(Protocol):
    """Computes one kind of features."""

    @property
    def set(self) -> FeatureSet:
        """What they are."""
        ...

    def voice_of(self, speaker: str) -> str:
        """Return what else the features of a speaker's clips depend on; empty: nothing."""
        ...

    @property
    def batch_size(self) -> int:
        """How many clips are best given to `extract` at once."""
        ...

    def extract(self, clips: Sequence[Clip]) -> list[Extracted]:
        """Return the features of clips, in order.

        Raises:
            InputError: Naming by its key the first clip that has none; none is returned then.
        """
        ...


EncodeAll = Callable[[Sequence[Utterance], Sequence[Float32[np.ndarray, " _"]]], list[Speech]]
"""Encodes many recordings as `TextToSpeech.encode` does one."""


class SpeechFeatures:
    """The features that a text-to-speech engine would have had, had it said the clip.

    Args:
        engine: Frozen.
        is_warped: Whether what the engine says itself is led along the recording. If not, it is
            only stretched to the same length: what UniTAF (arXiv 2602.15651) warns of in 3.2.1.
        encode_all: Of an engine that is faster with many recordings at once.
    """

    def __init__(
        self, engine: TextToSpeech, is_warped: bool = True, encode_all: EncodeAll | None = None
    ) -> None:
        self._engine = engine
        self._is_warped = is_warped
        self._encode_all = encode_all or self._encode_each
        self.batch_size = engine.batch_size if encode_all else 1
        whole = engine.fingerprint
        fingerprint = engine.features_fingerprint if is_warped else f"{whole} stretched"
        self._is_one_for_all = fingerprint.startswith(whole)
        self._set = FeatureSet("tts", fingerprint, engine.feature_rate, engine.feature_dim)

    @property
    def set(self) -> FeatureSet:
        """What they are."""
        return self._set

    def voice_of(self, speaker: str) -> str:
        """Return the engine's voice for a speaker, unless all voices are in the fingerprint."""
        return "" if self._is_one_for_all else self._engine.voice_of(speaker)

    def extract(self, clips: Sequence[Clip]) -> list[Extracted]:
        """Say clips and follow the recordings.

        Raises:
            InputError: If the engine cannot.
        """
        if not self._is_warped:
            return [Extracted(_half(self._stretched(clip), clip), 0.0) for clip in clips]
        rate = self._engine.sample_rate
        waveforms = [resample(clip.waveform(), clip.sample_rate, rate) for clip in clips]
        speeches = self._encode_all([clip.recorded for clip in clips], waveforms)
        return [
            Extracted(_half(speech.features, clip), speech.alignment_cost)
            for clip, speech in zip(clips, speeches, strict=True)
        ]

    def _encode_each(
        self, utterances: Sequence[Utterance], waveforms: Sequence[Float32[np.ndarray, " _"]]
    ) -> list[Speech]:
        return [self._engine.encode(*pair) for pair in zip(utterances, waveforms, strict=True)]

    def _stretched(self, clip: Clip) -> Float32[np.ndarray, "steps dim"]:
        (speech,) = self._engine.synthesize([clip.utterance])
        rate = speech.feature_rate
        duration_s = clip.num_samples / clip.sample_rate
        times = np.arange(max(1, round(duration_s * rate))) / rate
        return resample_linear(speech.features, rate, times * (speech.duration_s / duration_s))


class EncoderFeatures:
    """The features of an audio encoder.

    Args:
        encoder: Frozen.
        fingerprint: Of its weights.
    """

    def __init__(self, encoder: AudioEncoder, fingerprint: str) -> None:
        self._encoder = encoder
        self.batch_size = 1
        self._set = FeatureSet("encoder", fingerprint, encoder.feature_rate, encoder.feature_dim)

    @property
    def set(self) -> FeatureSet:
        """What they are."""
        return self._set

    def voice_of(self, speaker: str) -> str:
        """Return nothing: an encoder hears all speakers alike."""
        del speaker
        return ""

    def extract(self, clips: Sequence[Clip]) -> list[Extracted]:
        """Encode the sound of clips.

        Raises:
            InputError: If one is too short for the encoder.
        """
        return [self._encode(clip) for clip in clips]

    def _encode(self, clip: Clip) -> Extracted:
        waveform = resample(clip.waveform(), clip.sample_rate, ENCODER_SAMPLE_RATE)
        try:
            (features,) = self._encoder.encode([waveform])
        except ValueError as error:
            raise InputError(clip.key, str(error), column="audio") from error
        return Extracted(_half(features, clip), 0.0)


def _half(features: Float32[np.ndarray, "steps dim"], clip: Clip) -> Float16[np.ndarray, "_ dim"]:
    with np.errstate(over="ignore"):
        half = features.astype(np.float16)
    if not np.isfinite(half).all():
        raise BackendError(f"clip {clip.id!r} has features that float16 cannot hold")
    return half
