"""A silent, instant engine: to try a script, and to test everything else at scale.

It says nothing, for about as long as a voice would take. Letters stand for phones, spread evenly; a
run of anything else is a pause. Same text, same result; the seed changes nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.errors import InputError
from unitaf.tts.voices import STUB_VOICE
from unitaf.types import Phone, Speech, Utterance, Word

_CHARACTERS_PER_S = 16
_SAMPLE_RATE = 16000
_FEATURE_RATE = 50.0
_FEATURE_DIM = 8


class StubSpeech:
    """Gives silence with phones, words and features of the right length and shape.

    The features are a smooth function of time, so that they are neither empty nor costly.
    """

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return _SAMPLE_RATE

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return _FEATURE_RATE

    @property
    def feature_dim(self) -> int:
        """Width of the features."""
        return _FEATURE_DIM

    @property
    def languages(self) -> frozenset[str]:
        """Any."""
        return frozenset({"*"})

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        return True

    @property
    def batch_size(self) -> int:
        """How many utterances are best given at once."""
        return 256

    @property
    def reads_ipa(self) -> bool:
        """Whether it obeys marks with sounds."""
        return False

    @property
    def speeds(self) -> tuple[float, float]:
        """Half to twice the usual rate."""
        return (0.5, 2.0)

    @property
    def licence(self) -> str:
        """The terms on what it makes."""
        return STUB_VOICE.licence

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same utterance could give other bytes."""
        return "stub/1"

    def fingerprint_of(self, speaker: str) -> str:
        """The same for every speaker."""
        del speaker
        return self.fingerprint

    def voice_of(self, speaker: str) -> str:
        """The only voice."""
        del speaker
        return STUB_VOICE.voice

    @property
    def features_fingerprint(self) -> str:
        """As `fingerprint`: nothing else is made."""
        return self.fingerprint

    def load(self) -> None:
        """Do nothing: there is no model."""

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Give every utterance its length of silence, in order.

        Raises:
            InputError: If a text has no letter or digit.
        """
        return [_speech(utterance, _silence(utterance)) for utterance in utterances]

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Spread the utterance evenly over a recording.

        Raises:
            InputError: If a text has no letter or digit.
        """
        return _speech(utterance, waveform)


def _silence(utterance: Utterance) -> Float32[np.ndarray, " samples"]:
    length = len(utterance.text.strip()) * _SAMPLE_RATE // _CHARACTERS_PER_S
    return np.zeros(round(length / utterance.speed), np.float32)


def _speech(utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
    text = utterance.text.strip()
    if not any(character.isalnum() for character in text):
        raise InputError(utterance.id, "there is nothing to say: no letter and no digit")
    samples = len(waveform)
    steps = timing.num_frames(samples, _SAMPLE_RATE, _FEATURE_RATE)
    phase = np.arange(steps, dtype=np.float32)[:, None] * np.arange(1, _FEATURE_DIM + 1) / 16
    return Speech(
        waveform=waveform,
        sample_rate=_SAMPLE_RATE,
        features=np.sin(phase, dtype=np.float32),
        feature_rate=_FEATURE_RATE,
        phones=_phones(text, samples / _SAMPLE_RATE),
        words=_words(text, samples / _SAMPLE_RATE),
        emotion=utterance.emotion,
    )


def _phones(text: str, duration_s: float) -> tuple[Phone, ...]:
    """Take every letter for a phone, and every run of anything else for a pause."""
    labels: list[str] = []
    starts: list[int] = []
    for index, character in enumerate(text):
        label = _label(character)
        if label or not labels or labels[-1]:
            labels.append(label)
            starts.append(index)
    character_s = duration_s / len(text)
    times = [start * character_s for start in starts] + [duration_s]
    return tuple(
        Phone(label, start_s, end_s)
        for label, start_s, end_s in zip(labels, times[:-1], times[1:], strict=True)
    )


def _label(character: str) -> str:
    """Return a letter from a to z as it is, any other as a schwa, anything else as a pause."""
    if not character.isalpha():
        return ""
    letter = character.lower()
    return letter if letter.isascii() else "ə"


def _words(text: str, duration_s: float) -> tuple[Word, ...]:
    words = []
    character_s = duration_s / len(text)
    start = 0
    for word in text.split():
        start = text.index(word, start)
        end = start + len(word)
        words.append(Word(word, start * character_s, end * character_s))
        start = end
    return tuple(words)
