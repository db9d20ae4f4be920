"""A text-to-speech engine behind a Triton server, in a repository of `unitaf serve export`.

Speech comes back without loss and with the fingerprint of what made it, so a take has the key and
the bytes that it would have if the engine were here.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.errors import BackendError
from unitaf.triton.client import TritonClient
from unitaf.triton.descriptions import ANY_SPEAKER, ServedSpeech, ServedVoice, read_speech
from unitaf.triton.tensors import (
    ENGINE,
    RECORDING,
    Tensors,
    decode_speech,
    decode_text,
    encode_utterance,
)
from unitaf.types import Speech, Utterance


class TritonSpeech:
    """A `types.TextToSpeech` whose engine is elsewhere; the server is asked when first needed.

    Args:
        client: Asks the model ``unitaf_tts``.
    """

    def __init__(self, client: TritonClient) -> None:
        self._client = client

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._served.sample_rate

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return self._served.feature_rate

    @property
    def feature_dim(self) -> int:
        """Width of the features."""
        return self._served.feature_dim

    @property
    def languages(self) -> frozenset[str]:
        """Those of the engine."""
        return frozenset(self._served.languages)

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        return self._served.has_phones

    @property
    def batch_size(self) -> int:
        """As many as may be on their way at once."""
        return self._client.limits.max_in_flight

    @property
    def reads_ipa(self) -> bool:
        """Whether it obeys marks with sounds."""
        return self._served.reads_ipa

    @property
    def speeds(self) -> tuple[float, float]:
        """Those of the engine."""
        return self._served.speeds

    @property
    def licence(self) -> str:
        """The terms on what the engine makes."""
        return self._served.licence

    @property
    def fingerprint(self) -> str:
        """The engine's."""
        return self._served.fingerprint

    @property
    def features_fingerprint(self) -> str:
        """The engine's, for the features of recordings."""
        return self._served.features_fingerprint

    def fingerprint_of(self, speaker: str) -> str:
        """The engine's, for a speaker alone."""
        return self._voice(speaker).fingerprint

    def voice_of(self, speaker: str) -> str:
        """The voice that the engine gives a speaker."""
        return self._voice(speaker).voice

    def load(self) -> None:
        """Ask the server what it has."""
        _ = self._served

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Have every utterance said, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, with the reason.
            BackendError: If the server failed, or has another engine than when it was first asked.
        """
        return self._ask(utterances, [encode_utterance(utterance) for utterance in utterances])

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Have a recording encoded.

        Raises:
            InputError: If the engine cannot say the utterance or follow the recording.
            BackendError: As from `synthesize`.
        """
        tensors = {**encode_utterance(utterance), RECORDING.name: waveform[None]}
        return self._ask([utterance], [tensors])[0]

    def _ask(self, utterances: Sequence[Utterance], tensors: Sequence[Tensors]) -> list[Speech]:
        lines = [(u.id, each) for u, each in zip(utterances, tensors, strict=True)]
        answers = self._client.ask(lines)
        return [self._read(*pair) for pair in zip(utterances, answers, strict=True)]

    def _read(self, utterance: Utterance, answer: Tensors) -> Speech:
        known = self.fingerprint_of(utterance.speaker)
        try:
            speech, found = decode_speech(answer), decode_text(answer[ENGINE.name])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BackendError(f"{self._client.name}: its answer is no speech: {error}") from error
        if found != known:
            raise BackendError(
                f"{self._client.name} has become {found!r} meanwhile; it was {known!r}"
            )
        if speech.sample_rate != self.sample_rate:
            raise BackendError(
                f"{self._client.name}: its answer is at {speech.sample_rate} Hz, not at"
                f" {self.sample_rate}"
            )
        steps = timing.num_frames(speech.num_samples, self.sample_rate, self.feature_rate)
        if speech.features.shape != (steps, self.feature_dim):
            raise BackendError(
                f"{self._client.name}: its answer has features of {speech.features.shape}, not of"
                f" {(steps, self.feature_dim)}"
            )
        return speech

    def _voice(self, speaker: str) -> ServedVoice:
        voices = self._served.voices
        return voices.get(speaker) or voices[ANY_SPEAKER]

    @cached_property
    def _served(self) -> ServedSpeech:
        return read_speech(self._client.config(), self._client.name)
