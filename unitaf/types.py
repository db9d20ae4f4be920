"""The nouns of unitaf, and the protocols between its parts.

Nouns hold numpy arrays, cheap to pickle and to write; tensors live inside models. Conventions:
times in seconds from the start of the waveform, audio mono float32 in -1..1, curves in the
canonical channel order of `unitaf.rigs.arkit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64

EMOTIONS = ("happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm")
"""The eight emotions, in IndexTTS2's order."""

Emotion = tuple[float, float, float, float, float, float, float, float]
"""A strength from 0 to 1 for each of `EMOTIONS`."""

NEUTRAL: Emotion = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Utterance:
    """What to say."""

    id: str
    """The script's line id; unique in a script for each language."""
    text: str
    language: str = "en"
    """A BCP 47 tag, such as ``en`` or ``pt-BR``."""
    speaker: str = ""
    emotion: Emotion = NEUTRAL
    seed: int = 0
    """Decides everything random about the take."""
    target_s: float | None = None
    """How long it should take, to the end of the waveform; None: as long as it takes."""
    speed: float = 1.0
    """Of the speaking rate that the engine would choose; 2 is twice as fast."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One speech sound and its time in the waveform."""

    label: str
    """IPA without stress marks; empty for a pause."""
    start_s: float
    end_s: float
    stress: int = 0
    """0 none, 1 primary, 2 secondary; on the vowel of the stressed syllable."""


@dataclass(frozen=True, slots=True)
class Word:
    """One written word and its time in the waveform."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Mood:
    """An emotion, and when it begins."""

    start_s: float
    emotion: Emotion


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """What a text-to-speech engine gave for one utterance."""

    waveform: Float32[np.ndarray, " samples"]
    sample_rate: int
    features: Float32[np.ndarray, "steps dim"]
    """The engine's hidden sequence; step i is at i / feature_rate."""
    feature_rate: float
    phones: tuple[Phone, ...] = ()
    """In order, without gaps or overlap, from 0 to the end of the waveform."""
    words: tuple[Word, ...] = ()
    f0: Float32[np.ndarray, " f0_steps"] = field(default_factory=lambda: np.zeros(0, np.float32))
    """Hz, 0 where unvoiced; may be empty."""
    f0_rate: float = 0.0
    emotion: Emotion = NEUTRAL
    moods: tuple[Mood, ...] = ()
    """Which emotion from when on, the first at 0; empty if it is the line's own throughout."""
    alignment_cost: float = 0.0
    """0 if the engine made the waveform; else how badly its own speech fits the recording."""

    @property
    def num_samples(self) -> int:
        """How many samples the waveform has."""
        return int(self.waveform.shape[0])

    @property
    def duration_s(self) -> float:
        """The length of the waveform in seconds."""
        return self.num_samples / self.sample_rate


@dataclass(frozen=True, slots=True, eq=False)
class FaceMotion:
    """What the face does: frame i is the face at i / fps."""

    curves: Float32[np.ndarray, "frames channels"]
    """Blendshape weights 0 to 1; head and eye angles in radians."""
    channels: tuple[str, ...]
    fps: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a take was made."""

    tts: str
    """Engine, version and model hash: the engine's fingerprint."""
    face: str
    voice: str
    licence: str
    """The terms that the models put on what they make, in one line."""
    unitaf: str
    """The version of this package."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One finished line: speech, a face that fits it to the sample, and how both were made."""

    key: str
    utterance: Utterance
    speech: Speech
    motion: FaceMotion
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Shard:
    """The unit of work, of commit and of resume."""

    id: str
    utterances: tuple[Utterance, ...]
    keys: tuple[str, ...]
    """The take key of each utterance."""


@runtime_checkable
class TextToSpeech(Protocol):
    """A text-to-speech engine that shows its inner features."""

    @property
    def sample_rate(self) -> int: ...

    @property
    def feature_rate(self) -> float: ...

    @property
    def feature_dim(self) -> int: ...

    @property
    def languages(self) -> frozenset[str]:
        """Primary language subtags that the engine speaks; ``*`` for any."""
        ...

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        ...

    @property
    def batch_size(self) -> int:
        """How many utterances are best given to `synthesize` at once."""
        ...

    @property
    def reads_ipa(self) -> bool:
        """Whether it obeys ``[word](/ipa/)`` and ``[emphasis]`` in a text.

        Others are never given such marks.
        """
        ...

    @property
    def speeds(self) -> tuple[float, float]:
        """The slowest and the fastest `Utterance.speed` that it follows; 1 and 1 if none."""
        ...

    @property
    def licence(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same utterance could give other bytes."""
        ...

    def fingerprint_of(self, speaker: str) -> str:
        """As `fingerprint`, for the utterances of a speaker alone: equal if they sound alike."""
        ...

    def voice_of(self, speaker: str) -> str:
        """Return the voice that says the utterances of a speaker."""
        ...

    @property
    def features_fingerprint(self) -> str:
        """Changes whenever `encode` could give other features of a recording in the same voice."""
        ...

    def load(self) -> None:
        """Load the models now rather than at the first utterance."""
        ...

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order: exactly one `Speech` each.

        Raises:
            InputError: Naming the first utterance that cannot be said; none is returned then.
        """
        ...

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Return what the engine would have given, had it made exactly this recording.

        Args:
            utterance: What is said in it.
            waveform: Mono, at the engine's `sample_rate`.

        Raises:
            InputError: If the engine cannot say the utterance or follow the recording.
        """
        ...


@runtime_checkable
class FaceAnimator(Protocol):
    """Moves a face to speech."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def licence(self) -> str: ...

    def load(self) -> None:
        """Load the models now rather than at the first speech."""
        ...

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order, on the canonical channels at any frame rate.

        A motion has ``timing.num_frames(num_samples, sample_rate, fps)`` frames.
        """
        ...


@runtime_checkable
class AudioEncoder(Protocol):
    """A speech encoder: for the audio-driven path and as the target of adapter alignment."""

    @property
    def feature_rate(self) -> float: ...

    @property
    def feature_dim(self) -> int: ...

    def encode(
        self, waveforms: Sequence[Float32[np.ndarray, " samples"]]
    ) -> list[Float32[np.ndarray, "steps dim"]]:
        """Encode waveforms at 16 kHz, each as if it were alone."""
        ...


@runtime_checkable
class Rig(Protocol):
    """A mesh that curves move."""

    @property
    def channels(self) -> tuple[str, ...]: ...

    @property
    def neutral(self) -> Float32[np.ndarray, "points 3"]: ...

    @property
    def deltas(self) -> Float32[np.ndarray, "channels points 3"]: ...

    @property
    def triangles(self) -> Int64[np.ndarray, "triangles 3"]: ...

    @property
    def lips(self) -> Int64[np.ndarray, " lips"]:
        """Indices of the lip vertices."""
        ...

    def vertices(
        self, curves: Float[np.ndarray, "frames channels"]
    ) -> Float32[np.ndarray, "frames points 3"]:
        """Return the mesh of every frame, in metres."""
        ...
