"""Who speaks: the voice and the emotion of every line, each computed once.

What is kept is named by the content of a clip, or by the words that describe an emotion, so that a
thousand lines of a speaker cost one run of the conditioning networks. Workers do not share what
they keep: a description that stands in many shards is read once by each.
"""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from unitaf.errors import ConfigError, InputError
from unitaf.tts.indextts2.description import EmotionReader
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.references import Clip, VoiceSource, read_clip
from unitaf.tts.indextts2.voice import (
    Voice,
    blended_emotion,
    mixed_emotion,
    read_emotion,
    read_voice,
)
from unitaf.types import Emotion, Utterance

ANY_SPEAKER = "*"
"""Whose voice speakers have that have none of their own."""

_LINE = "{text}"
_MOST_DESCRIBED = 10_000
"""Emotions kept: memory must not grow with the script."""


def find_source(voices: Mapping[str, VoiceSource], utterance: Utterance) -> VoiceSource:
    """Return how the speaker of a line sounds.

    Raises:
        InputError: If nobody said.
    """
    source = voices.get(utterance.speaker) or voices.get(ANY_SPEAKER)
    if source is None:
        reason = f"there is no voice for {utterance.speaker!r} in tts.voices, and none for '*'"
        raise InputError(utterance.id, reason, column="speaker")
    return source


class Cast:
    """Keeps what the networks made of reference clips and of descriptions.

    Args:
        networks: All networks.
        digests: Of the reference clips, by address, when the run began.
        reader: Reads emotions described in words, if any are.

    Attributes:
        num_runs: How often the conditioning networks have been at work.
    """

    def __init__(
        self, networks: Networks, digests: Mapping[str, str], reader: EmotionReader | None
    ) -> None:
        self._networks, self._digests, self._reader = networks, digests, reader
        self._voices: dict[str, Voice] = {}
        self._emotions: dict[str, Float[Tensor, " dim"]] = {}
        self._described: dict[str, Emotion] = {}
        self.num_runs = 0

    def voice(self, source: VoiceSource) -> Voice:
        """Return the voice of a speaker.

        Raises:
            ConfigError: If its clip is no longer what it was when the run began.
        """
        digest = self._digests[source.reference]
        if digest not in self._voices:
            clip = self._clip(source.reference)
            self.num_runs += 1
            self._voices[digest] = read_voice(self._networks, clip.waveform, clip.sample_rate)
        return self._voices[digest]

    def emotion(self, source: VoiceSource, utterance: Utterance) -> Float[Tensor, " dim"]:
        """Return the emotion of a line: its own, else the one in words, else that of a clip.

        Descriptions must have been read by `describe`.
        """
        voice = self.voice(source)
        if any(utterance.emotion):
            return mixed_emotion(self._networks, voice, utterance.emotion)
        if source.description is not None:
            emotion = self._described[_words(source.description, utterance)]
            return mixed_emotion(self._networks, voice, emotion)
        if source.emotion is not None:
            return blended_emotion(voice, self._heard(source.emotion), source.alpha)
        return voice.spoken

    def describe(self, lines: Sequence[tuple[VoiceSource, Utterance]]) -> None:
        """Read the emotions in words that lines need, each distinct one once, in one batch.

        Raises:
            InputError: If no emotion can be read from a description.
        """
        needed = {
            _words(source.description, utterance): utterance
            for source, utterance in lines
            if source.description is not None and not any(utterance.emotion)
        }
        words = [each for each in needed if each not in self._described]
        if not words:
            return
        assert self._reader is not None
        answers = dict(zip(words, self._reader.read(words), strict=True))
        self._described |= {each: emotion for each, emotion in answers.items() if emotion}
        for each in words:
            if each not in self._described:
                reason = f"the emotion model did not answer {each!r} with emotions"
                raise InputError(needed[each].id, reason, column="emotion")
        idle = [each for each in self._described if each not in needed]
        for each in idle[: max(0, len(self._described) - _MOST_DESCRIBED)]:
            del self._described[each]

    def _heard(self, uri: str) -> Float[Tensor, " dim"]:
        digest = self._digests[uri]
        if digest not in self._emotions:
            clip = self._clip(uri)
            self.num_runs += 1
            self._emotions[digest] = read_emotion(self._networks, clip.waveform, clip.sample_rate)
        return self._emotions[digest]

    def _clip(self, uri: str) -> Clip:
        clip = read_clip(uri)
        if clip.digest != self._digests[uri]:
            raise ConfigError(f"reference clip {uri} has changed since the run began")
        return clip


def _words(description: str, utterance: Utterance) -> str:
    return description.replace(_LINE, utterance.text)
