"""IndexTTS2 on somebody's server, asked in the protocol of its public one.

Conventions: a request is a text, the bytes of a voice's reference clip, and an emotion as eight
numbers or as a clip with its share. 16-bit samples come back, padded with zeros to the longest of
the server's batch, and their true number.

That server shows no features, tells nothing of its weights, and draws its noise itself. So features
are those of another engine that follows the recording, or none; and a line that is made again is
another take under the same key.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from unitaf.audio import resample
from unitaf.errors import BackendError, ConfigError, InputError
from unitaf.triton.client import TritonClient
from unitaf.triton.tensors import Tensors, encode_bytes, encode_text
from unitaf.tts.indextts2.cast import ANY_SPEAKER, find_source
from unitaf.tts.indextts2.references import VoiceSource, read_clip_file
from unitaf.tts.voices import INDEXTTS2_LICENCE
from unitaf.types import NEUTRAL, Speech, TextToSpeech, Utterance

_REVISION = 1
"""Raised whenever this file changes what comes out."""

_SAMPLE_RATE = 22050
_LANGUAGES = frozenset({"en", "zh"})
_FULL_SCALE = np.float32(32768)


@dataclass(frozen=True, slots=True)
class _Voice:
    """What is sent of a speaker."""

    tensors: Tensors
    emotion: Tensors
    """Of lines that name none."""
    digest: str


class IndexTts2Server:
    """A `types.TextToSpeech` on a server with the public protocol.

    Args:
        client: Asks the model ``indextts2``.
        voices: By speaker; ``*`` is for all others.
        follower: The engine whose features the speech gets; None for none.

    Raises:
        ConfigError: If a reference clip cannot be used, or an emotion is described in words.
    """

    def __init__(
        self,
        client: TritonClient,
        voices: Mapping[str, VoiceSource],
        follower: TextToSpeech | None,
    ) -> None:
        self._client = client
        self._sources = dict(voices)
        self._voices = {speaker: _read_voice(source) for speaker, source in voices.items()}
        self._follower = follower

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return _SAMPLE_RATE if self._follower is None else self._follower.sample_rate

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return 1.0 if self._follower is None else self._follower.feature_rate

    @property
    def feature_dim(self) -> int:
        """Width of the features; 0 without them."""
        return 0 if self._follower is None else self._follower.feature_dim

    @property
    def languages(self) -> frozenset[str]:
        """English and Chinese, as far as the features' engine follows."""
        return _LANGUAGES if self._follower is None else _LANGUAGES & self._follower.languages

    @property
    def has_phones(self) -> bool:
        """Whether the features' engine says which phones are in its speech."""
        return self._follower is not None and self._follower.has_phones

    @property
    def batch_size(self) -> int:
        """As many as may be on their way at once."""
        return self._client.limits.max_in_flight

    @property
    def reads_ipa(self) -> bool:
        """Whether it obeys marks with sounds."""
        return False

    @property
    def speeds(self) -> tuple[float, float]:
        """One: it decides the rate itself."""
        return (1.0, 1.0)

    @property
    def licence(self) -> str:
        """The terms of the weights."""
        return INDEXTTS2_LICENCE

    @property
    def fingerprint(self) -> str:
        """Of the clips and of the features; of the server there is nothing to tell."""
        voices = repr(sorted((speaker, voice.digest) for speaker, voice in self._voices.items()))
        return f"{self._makings} voices={hashlib.sha256(voices.encode()).hexdigest()[:16]}"

    @property
    def features_fingerprint(self) -> str:
        """That of the features' engine."""
        return "none" if self._follower is None else self._follower.features_fingerprint

    def fingerprint_of(self, speaker: str) -> str:
        """As `fingerprint`, for one voice."""
        return f"{self._makings} voice={self.voice_of(speaker)}"

    def voice_of(self, speaker: str) -> str:
        """Return the content of the clips that make a speaker's voice."""
        voice = self._voices.get(speaker) or self._voices.get(ANY_SPEAKER)
        return "none" if voice is None else voice.digest

    def load(self) -> None:
        """Load the features' engine."""
        if self._follower is not None:
            self._follower.load()

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Have every utterance said, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, with the reason.
            BackendError: If the server failed.
        """
        answers = self._client.ask([(u.id, self._request(u)) for u in utterances])
        rate = self.sample_rate
        waveforms = [resample(*self._heard(answer), rate) for answer in answers]
        return [self.encode(*pair) for pair in zip(utterances, waveforms, strict=True)]

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Return a recording with the features of the engine that follows it.

        Raises:
            InputError: If that engine cannot say the utterance or follow the recording.
        """
        if self._follower is not None:
            return self._follower.encode(utterance, waveform)
        seconds = -(-len(waveform) // _SAMPLE_RATE)
        nothing = np.zeros((seconds, 0), np.float32)
        return Speech(waveform, _SAMPLE_RATE, nothing, 1.0, emotion=utterance.emotion)

    @property
    def _makings(self) -> str:
        return f"indextts2_server/{_REVISION} features={self.features_fingerprint}"

    def _request(self, utterance: Utterance) -> Tensors:
        if not any(character.isalnum() for character in utterance.text):
            raise InputError(utterance.id, "there is nothing to say: no letter and no digit")
        find_source(self._sources, utterance)
        voice = self._voices.get(utterance.speaker) or self._voices[ANY_SPEAKER]
        emotion = voice.emotion
        if utterance.emotion != NEUTRAL:
            emotion = {"emo_vector": np.array([utterance.emotion], np.float32)}
        return {"text": encode_text(utterance.text), **voice.tensors, **emotion}

    def _heard(self, answer: Tensors) -> tuple[Float32[np.ndarray, " samples"], int]:
        try:
            samples, length = answer["audio"][0], int(answer["audio_length"][0, 0])
            rate = int(answer["sample_rate"][0, 0])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            reason = f"{self._client.name} does not speak IndexTTS2's protocol"
            raise BackendError(f"{reason}: it answers {sorted(answer)}") from error
        is_sound = samples.ndim == 1 and samples.dtype == np.int16
        if not is_sound or not 0 <= length <= len(samples) or rate <= 0:
            reason = f"{length} of {samples.shape} samples of {samples.dtype} at {rate} Hz"
            raise BackendError(f"{self._client.name} does not speak IndexTTS2's protocol: {reason}")
        return samples[:length].astype(np.float32) / _FULL_SCALE, rate


def _read_voice(source: VoiceSource) -> _Voice:
    if source.description is not None:
        raise ConfigError(
            "tts.voices: a server takes no emotion in words: give a clip as emotion, or numbers in"
            " the script"
        )
    clip = read_clip_file(source.reference)
    digest, emotion = hashlib.sha256(clip).hexdigest()[:16], {}
    if source.emotion is not None:
        sound = read_clip_file(source.emotion)
        digest += f",emotion={hashlib.sha256(sound).hexdigest()[:16]}*{source.alpha:g}"
        emotion = {
            "emo_speaker_audio": encode_bytes(sound),
            "emo_alpha": np.array([[source.alpha]], np.float32),
        }
    return _Voice({"speaker_audio": encode_bytes(clip)}, emotion, digest)
