"""IndexTTS2 as an engine: many lines at once, from the published files.

A line is cut into segments where the reference cuts it; the segments of all lines of a call are
made in batches of similar length and joined on one clock. What depends on a voice alone is computed
once.

The same lines in the same batches have the same bytes, as lines of a shard are. In other batches a
line has the same draws, for its randomness is its own, but sums are rounded otherwise: another code
is taken where two are as likely to within rounding. Behind the codes a processor works line by
line, so that equal codes have equal bytes; a GPU works on batches there too, equal to 1e-4 in
float32. With batches of 1 a line depends on nothing else.

Conventions: sound at 22.05 kHz, features at 50 a second, 1024 wide.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from unitaf.errors import ConfigError, InputError
from unitaf.tts.indextts2 import clock
from unitaf.tts.indextts2.batches import Result, map_batches
from unitaf.tts.indextts2.cast import ANY_SPEAKER, Cast, find_source
from unitaf.tts.indextts2.clock import SpokenSegment
from unitaf.tts.indextts2.decoding import code_limit
from unitaf.tts.indextts2.description import EmotionReader
from unitaf.tts.indextts2.files import (
    EMOTION_READER,
    FILES,
    TOKENISER,
    PublishedFile,
    find_files,
    hash_files,
)
from unitaf.tts.indextts2.frontend import MEL_RATE
from unitaf.tts.indextts2.glossary import read_glossary
from unitaf.tts.indextts2.loading import load_networks
from unitaf.tts.indextts2.maker import Maker, Piece, SpeechSettings, stage_limits
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.planning import LANGUAGES, TextReader
from unitaf.tts.indextts2.random import segment_seed
from unitaf.tts.indextts2.recording import Heard, Recording, hear, recording_features
from unitaf.tts.indextts2.references import VoiceSource, read_clip
from unitaf.tts.indextts2.sizes import SPEECH_FEATURE_DIM
from unitaf.tts.indextts2.synthesis import Segment, Spoken
from unitaf.tts.indextts2.text import TextFront
from unitaf.tts.voices import INDEXTTS2_LICENCE
from unitaf.types import Speech, Utterance

_REVISION = 1
"""Raised whenever this package changes what comes out."""

_BATCHES_A_CALL = 4
"""More lines than a batch has, to sort by length: of four batches of 64 lines each is busy for half
of its steps, of one in the order of a script for a quarter."""

_SHORTEST_RECORDING_S = 0.1
"""Below it the emotion network has no frame to read."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and how the networks run."""

    device: str = "cpu"
    precision: str = "float32"
    """Of the GPT and the mel networks, ``float32`` or ``bfloat16``."""
    batch_size: int = 8
    """Most segments at once."""


class IndexTts2:
    """Speaks English and Chinese with the voices of reference clips.

    Args:
        folder: The published files.
        voices: By speaker; ``*`` is for all others.
        settings: How lines are made.
        hardware: What they are made on.

    Raises:
        ConfigError: If a file is missing, or the glossary or a reference clip cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        voices: Mapping[str, VoiceSource],
        settings: SpeechSettings,
        hardware: Hardware,
    ) -> None:
        if not voices:
            raise ConfigError("tts.voices: give a reference clip for a speaker, or for '*'")
        self._is_described = any(source.description for source in voices.values())
        self._files = FILES + (EMOTION_READER if self._is_described else ())
        find_files(folder, self._files)
        self._folder, self._voices = folder, dict(voices)
        self._settings, self._hardware = settings, hardware
        self._glossary = read_glossary(folder)
        uris = {uri for each in voices.values() for uri in (each.reference, each.emotion) if uri}
        self._digests = {uri: read_clip(uri).digest for uri in sorted(uris)}
        self._texts: dict[Utterance, list[tuple[int, ...]]] = {}
        self._spoken: dict[Utterance, list[Spoken]] = {}

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return MEL_RATE

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return clock.FEATURE_RATE

    @property
    def feature_dim(self) -> int:
        """Width of what the mel networks read of the GPT."""
        return SPEECH_FEATURE_DIM

    @property
    def languages(self) -> frozenset[str]:
        """English and Chinese; by which rules a text is read shows in the text."""
        return LANGUAGES

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        return False

    @property
    def batch_size(self) -> int:
        """How many utterances are best given at once: those of some batches, but one if alone."""
        return lines_a_call(self._hardware.batch_size)

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
        """Changes with all that decides what is said: files, glossary, settings, precision, voices.

        Device and batch size are not in it, though sums are rounded otherwise with others, and a
        code may be another for it: what was made on one machine stands on every other.
        """
        voices = [(speaker, self.voice_of(speaker)) for speaker in sorted(self._voices)]
        return f"{self._makings} voices={_digest(voices)}"

    def fingerprint_of(self, speaker: str) -> str:
        """As `fingerprint`, for one voice: other voices may come and go."""
        return f"{self._makings} voice={self.voice_of(speaker)}"

    def voice_of(self, speaker: str) -> str:
        """Return the content of the clips and the settings that make a speaker's voice."""
        source = self._voices.get(speaker) or self._voices.get(ANY_SPEAKER)
        if source is None:
            return "none"
        parts = [self._digests[source.reference][:16]]
        if source.emotion is not None:
            parts.append(f"emotion={self._digests[source.emotion][:16]}*{source.alpha:g}")
        if source.description is not None:
            parts.append(f"description={_digest(source.description)}")
        return ",".join(parts)

    @property
    def features_fingerprint(self) -> str:
        """Without the settings that recordings are not read with, such as those of the sound."""
        return self._model(FILES)

    @cached_property
    def _makings(self) -> str:
        return f"{self._model(self._files)} settings={_digest(self._settings)}"

    def _model(self, files: Sequence[PublishedFile]) -> str:
        digest = hash_files(self._folder, files)
        terms = f" glossary={_digest(sorted(self._glossary.items()))}" if self._glossary else ""
        precision = self._hardware.precision
        return f"indextts2/{_REVISION} model={digest}{terms} precision={precision}"

    @cached_property
    def cast(self) -> Cast:
        """The voices that have been conditioned so far."""
        networks, reader = self.networks, None
        if self._is_described:
            reader = EmotionReader(self._folder, networks.device, self._hardware.batch_size)
        return Cast(networks, self._digests, reader)

    @cached_property
    def networks(self) -> Networks:
        """All networks; loads them."""
        hardware = self._hardware
        return load_networks(self._folder, hardware.device, hardware.precision)

    def load(self) -> None:
        """Load all networks.

        Raises:
            ConfigError: If a published file is damaged or the device is not there.
        """
        _ = self.cast, self._reader

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, with the reason.
        """
        sources = [find_source(self._voices, utterance) for utterance in utterances]
        texts = self._read(utterances)
        self.cast.describe(list(zip(sources, utterances, strict=True)))
        lines = [self._pieces(*line) for line in zip(utterances, sources, texts, strict=True)]
        self._speak(utterances, lines)
        spoken = [self._spoken[utterance] for utterance in utterances]
        for utterance, segments in zip(utterances, spoken, strict=True):
            _check(utterance, segments)
        waveforms = self._sound(lines, spoken)
        self._texts, self._spoken = {}, {}
        return [_speech(*line) for line in zip(utterances, spoken, waveforms, strict=True)]

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Return the features that the model would have had, had it said a recording.

        Raises:
            InputError: If the model cannot read the line, or the recording is too short or long.
        """
        return self.encode_all([utterance], [waveform])[0]

    def encode_all(
        self,
        utterances: Sequence[Utterance],
        waveforms: Sequence[Float32[np.ndarray, " _"]],
    ) -> list[Speech]:
        """Encode many recordings, in order, in batches where these are faster.

        Raises:
            InputError: As from `encode`, naming the first utterance, before anything is computed.
        """
        pairs = zip(utterances, waveforms, strict=True)
        recordings = [self.recording(*pair, MEL_RATE) for pair in pairs]
        features = self._over_recordings(self._features, recordings)
        return [
            Speech(
                waveform,
                MEL_RATE,
                clock.fit_features(each.float().cpu().numpy(), len(waveform)),
                clock.FEATURE_RATE,
                emotion=utterance.emotion,
            )
            for utterance, waveform, each in zip(utterances, waveforms, features, strict=True)
        ]

    def recording(
        self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"], sample_rate: int
    ) -> Recording:
        """Return a recording as it can be heard.

        Args:
            utterance: What is said in it.
            waveform: Mono.
            sample_rate: Hz, any.

        Raises:
            InputError: As from `encode`.
        """
        if len(waveform) < _SHORTEST_RECORDING_S * sample_rate:
            reason = f"the recording is shorter than {_SHORTEST_RECORDING_S:g} s"
            raise InputError(utterance.id, reason, column="audio")
        seconds, most = len(waveform) / sample_rate, self.networks.gpt.sizes.max_codes
        if seconds * clock.FEATURE_RATE > most:
            longest = most / clock.FEATURE_RATE
            reason = f"the recording is {seconds:.1f} s long; {longest:g} s are most"
            raise InputError(utterance.id, reason, column="audio")
        source = find_source(self._voices, utterance)
        text_ids = self._reader.whole(utterance)
        voice = self.cast.voice(source)
        return Recording(waveform, sample_rate, text_ids, voice, utterance.emotion)

    def hear(self, recordings: Sequence[Recording]) -> list[Heard]:
        """Return recordings as the GPT sees them, to teach it with."""
        return self._over_recordings(lambda batch: hear(self.networks, batch), recordings)

    def _features(self, batch: list[Recording]) -> list[Float[Tensor, "_ feature"]]:
        return recording_features(self.networks, batch, hear(self.networks, batch))

    def _over_recordings(
        self, make: Callable[[list[Recording]], list[Result]], recordings: Sequence[Recording]
    ) -> list[Result]:
        steps = [
            len(each.text_ids) + round(len(each.waveform) / each.sample_rate * clock.FEATURE_RATE)
            for each in recordings
        ]
        limits = stage_limits(self.networks.device, self._hardware.batch_size).latents
        return map_batches(make, recordings, steps, limits)

    def _read(self, utterances: Sequence[Utterance]) -> list[list[tuple[int, ...]]]:
        """Read the texts that are not yet: after a reject the others come again."""
        self._texts = {said: self._texts[said] for said in utterances if said in self._texts}
        for said in utterances:
            if said not in self._texts:
                self._texts[said] = self._reader.segments(said)
        return [self._texts[said] for said in utterances]

    def _pieces(
        self, utterance: Utterance, source: VoiceSource, texts: Sequence[tuple[int, ...]]
    ) -> list[Piece]:
        voice, emotion = self.cast.voice(source), self.cast.emotion(source, utterance)
        most = self.networks.gpt.sizes.max_codes
        return [
            Piece(
                Segment(ids, voice, emotion, min(code_limit(len(ids)), most)),
                segment_seed(utterance.seed % 2**63, number),
            )
            for number, ids in enumerate(texts)
        ]

    def _speak(self, utterances: Sequence[Utterance], lines: Sequence[list[Piece]]) -> None:
        """Decode the lines that are not yet: after a reject the others come again."""
        asked = dict(zip(utterances, lines, strict=True))
        self._spoken = {said: self._spoken[said] for said in asked if said in self._spoken}
        new = {said: pieces for said, pieces in asked.items() if said not in self._spoken}
        spoken = iter(self._maker.speak([piece for pieces in new.values() for piece in pieces]))
        self._spoken |= {said: [next(spoken) for _ in pieces] for said, pieces in new.items()}

    def _sound(
        self, lines: Sequence[list[Piece]], spoken: Sequence[list[Spoken]]
    ) -> list[list[Float32[np.ndarray, " _"]]]:
        pieces = [piece for line in lines for piece in line]
        waveforms = iter(self._maker.sound(pieces, [each for line in spoken for each in line]))
        return [[next(waveforms).numpy() for _ in line] for line in lines]

    @property
    def _maker(self) -> Maker:
        return Maker(self.networks, self._settings, self._hardware.batch_size)

    @cached_property
    def _reader(self) -> TextReader:
        front = TextFront(self._folder / TOKENISER.name, self._glossary)
        return TextReader(front, self.networks.gpt.sizes, self._settings.max_text_tokens)


def lines_a_call(batch_size: int) -> int:
    """Return how many lines are best given at once to an engine with batches of some size."""
    return batch_size if batch_size == 1 else _BATCHES_A_CALL * batch_size


def _check(utterance: Utterance, segments: Sequence[Spoken]) -> None:
    for number, segment in enumerate(segments, start=1):
        where = f"segment {number} of {len(segments)}" if len(segments) > 1 else "the line"
        if not segment.is_stopped:
            seconds = len(segment.codes) / clock.FEATURE_RATE
            reason = f"the model did not come to an end of {where} in {seconds:.0f} s of speech"
            raise InputError(utterance.id, f"{reason}; write it otherwise, or change its seed")
        if not segment.codes:
            reason = f"the model gave no speech for {where}; write it otherwise"
            raise InputError(utterance.id, reason)


def _speech(
    utterance: Utterance,
    spoken: Sequence[Spoken],
    waveforms: Sequence[Float32[np.ndarray, " _"]],
) -> Speech:
    segments = [
        SpokenSegment(waveform, each.features.float().cpu().numpy())
        for waveform, each in zip(waveforms, spoken, strict=True)
    ]
    return Speech(
        clock.join_waveforms(segments),
        MEL_RATE,
        clock.join_features(segments),
        clock.FEATURE_RATE,
        emotion=utterance.emotion,
    )


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
