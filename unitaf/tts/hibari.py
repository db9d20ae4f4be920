"""The embedded English voice: text to speech on a CPU, nothing to download.

The model, its dictionary and its signal processing come with the ``hibari-tts`` package. The
durations of its symbols give exact phone times, the last block of its decoder the features for the
face. The network itself has no randomness; the noise of breath and fricatives is drawn from the
utterance's seed.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime
from hibari import dsp
from hibari.tts import ASSETS, MAX_PHONEMES
from hibari.voices import VOICES
from jaxtyping import Bool, Float32

from unitaf.errors import InputError
from unitaf.tts.alignment import warp_to_recording
from unitaf.tts.delivery import pace
from unitaf.tts.hibari_graph import DURATIONS, LAST_BLOCK, load_network
from unitaf.tts.joining import Part, cut_silence, join
from unitaf.tts.misaki import PAUSE_MARKS
from unitaf.tts.reading import EnglishReader, SpokenWord, split_reading
from unitaf.tts.timeline import fit_to_sound, lay_out, spell
from unitaf.tts.voices import HIBARI_LICENCE, hibari_model
from unitaf.types import Phone, Speech, Utterance, Word

_REVISION = 1
"""Raised whenever this file or what it uses of unitaf changes what comes out."""

_SAMPLE_RATE = 24000
_HOP = 300
_FEATURE_RATE = 80.0
_FEATURE_DIM = 256
_STEPS_PER_UNIT = 2
"""The network counts durations in 25 ms."""
_LEAD_STEPS = 4
"""A sound is heard 50 ms before its symbol: the shift at which phones explain the spectrum best."""
_OUTPUTS = ("lh", "theta", "ln", "lr", "phi", "f0", DURATIONS, LAST_BLOCK)

_LOWEST_F0_HZ = 40.0
"""Below it the signal processing takes a step for unvoiced."""

_GAIN = 1.35
"""Brings a typical line to -23 LUFS (EBU R 128); lines differ by about 1 dB as they come."""
_KNEE, _CEILING = 0.6, 0.95
"""Speech stays below the knee. The click of a hard vowel onset does not, and is rounded off."""

_HEAD_STEPS, _TAIL_STEPS = 16, 20
"""Silence kept before and after an utterance: 0.2 and 0.25 s."""
_SENTENCE_GAP = (20, 16)
_CLAUSE_GAP = (8, 8)
_WORD_GAP = (2, 2)
"""Silence kept after one part and before the next: 0.45 s between sentences, 0.2 s where a long
sentence is split at a comma, 50 ms where it has none."""

_AUDIBLE = 0.01
"""Of the loudest step: 40 dB below it a sound has died away."""


class Hibari:
    """Speaks English with a voice of the hibari-tts package.

    Args:
        voice: One of the voices that ``unitaf voices`` lists as installed.
        speed: Speaking rate, 0.5 to 2; 2 is twice as fast.

    Raises:
        ValueError: If the voice is unknown, not installed or damaged, or the speed out of range.
    """

    def __init__(self, voice: str = "heart", speed: float = 1.0) -> None:
        if not 0.5 <= speed <= 2.0:
            raise ValueError(f"speed must be between 0.5 and 2, not {speed:g}")
        self._path = hibari_model(voice)
        if not self._path.is_file():
            raise ValueError(f"voice {voice!r} is not installed; `unitaf voices` says how")
        self._voice = voice
        self._speed = speed
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
        if digest != VOICES[voice]["sha256"]:
            raise ValueError(f"{self._path} is not the model of voice {voice!r}: wrong checksum")
        self._fingerprint = (
            f"hibari/{_REVISION} package={version('hibari-tts')} voice={voice} "
            f"model={digest[:16]} speed={speed!r}"
        )

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
        """Width of the last decoder block."""
        return _FEATURE_DIM

    @property
    def languages(self) -> frozenset[str]:
        """English, in the accent of the voice whatever the region of the tag."""
        return frozenset({"en"})

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        return True

    @property
    def batch_size(self) -> int:
        """One: the network takes one sentence at a time."""
        return 1

    @property
    def licence(self) -> str:
        """The terms on what the voice makes."""
        return HIBARI_LICENCE

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same utterance could give other bytes."""
        return self._fingerprint

    def fingerprint_of(self, speaker: str) -> str:
        """The same for every speaker."""
        del speaker
        return self._fingerprint

    def voice_of(self, speaker: str) -> str:
        """The name of the only voice."""
        del speaker
        return self._voice

    @property
    def features_fingerprint(self) -> str:
        """As `fingerprint`: a recording is followed by what the voice says itself."""
        return self._fingerprint

    def load(self) -> None:
        """Load the network and the dictionary."""
        _ = self._network, self._reader

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, with the reason.
        """
        return [self._speak(utterance) for utterance in utterances]

    def encode(self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"]) -> Speech:
        """Return the voice's own saying of a recorded line, bent to the recording.

        Raises:
            InputError: If the utterance cannot be said or the recording is too short.
        """
        try:
            return warp_to_recording(self._speak(utterance), waveform)
        except ValueError as error:
            raise InputError(utterance.id, str(error), column="audio") from error

    def _speak(self, utterance: Utterance) -> Speech:
        if utterance.language.split("-")[0].lower() != "en":
            reason = f"this voice speaks English, not {utterance.language!r}"
            raise InputError(utterance.id, reason, column="language")
        speed = self._speed * pace(utterance.emotion)
        noise = np.random.default_rng(utterance.seed % 2**64)
        try:
            texts = list(_plan(self._reader.read(utterance.text)))
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        spoken = join(
            [
                cut_silence(self._network.speak(words, speed, noise), head, tail)
                for words, head, tail in texts
            ]
        )
        return _as_speech(spoken, utterance)

    @cached_property
    def _reader(self) -> EnglishReader:
        return EnglishReader(is_british=VOICES[self._voice]["british"])

    @cached_property
    def _network(self) -> "_Network":
        return _Network(self._path)


class _Network:
    """The voice's network with its inner outputs, and the signal processing behind it."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            load_network(path), options, providers=["CPUExecutionProvider"]
        )
        self._symbol_ids: dict[str, int] = json.loads(
            Path(ASSETS, "vocab.json").read_text(encoding="utf-8")
        )

    def speak(self, words: Sequence[SpokenWord], speed: float, noise: np.random.Generator) -> Part:
        """Say a sentence, or a part of one, with the silence around it."""
        ids = [0, *(self._symbol_ids[symbol] for symbol in spell(words)), 0]
        inputs = {"ids": np.array([ids], np.int64), "speed": np.array([speed], np.float32)}
        *spectrum, f0, durations, features = self._session.run(list(_OUTPUTS), inputs)
        waveform = dsp.synth(*(part[0] for part in spectrum), f0[0], noise)
        steps = [int(units) * _STEPS_PER_UNIT for units in durations]
        is_audible = _is_audible(waveform)
        return Part(
            waveform=waveform,
            features=features[0].T,
            f0=np.where(is_audible & (f0[0] > _LOWEST_F0_HZ), f0[0], np.float32(0)),
            spans=tuple(fit_to_sound(lay_out(words, steps, _LEAD_STEPS), is_audible)),
            words=tuple(word.text for word in words),
        )


def _is_audible(waveform: Float32[np.ndarray, " samples"]) -> Bool[np.ndarray, " steps"]:
    power = np.square(waveform.reshape(-1, _HOP)).mean(axis=1)
    is_audible: Bool[np.ndarray, " steps"] = power > power.max() * _AUDIBLE**2
    return is_audible


def _plan(
    sentences: Sequence[Sequence[SpokenWord]],
) -> Iterator[tuple[list[SpokenWord], int, int]]:
    """Give what to say at once, and the silence to keep before and after it, in steps."""
    head = _HEAD_STEPS
    for sentence in sentences:
        for words in split_reading(sentence, MAX_PHONEMES):
            if words[-1] is sentence[-1]:
                tail, next_head = _SENTENCE_GAP
            elif words[-1].symbols[-1] in PAUSE_MARKS:
                tail, next_head = _CLAUSE_GAP
            else:
                tail, next_head = _WORD_GAP
            is_last = words[-1] is sentences[-1][-1]
            yield words, head, _TAIL_STEPS if is_last else tail
            head = next_head


def _as_speech(spoken: Part, utterance: Utterance) -> Speech:
    phones = tuple(
        Phone(span.label, span.start / _FEATURE_RATE, span.end / _FEATURE_RATE, span.stress)
        for span in spoken.spans
    )
    return Speech(
        waveform=_level(spoken.waveform),
        sample_rate=_SAMPLE_RATE,
        features=np.ascontiguousarray(spoken.features),
        feature_rate=_FEATURE_RATE,
        phones=phones,
        words=_words(spoken),
        f0=spoken.f0,
        f0_rate=_FEATURE_RATE,
        emotion=utterance.emotion,
    )


def _level(waveform: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    scaled = waveform * np.float32(_GAIN)
    over = np.maximum(np.abs(scaled) - np.float32(_KNEE), 0) / np.float32(_CEILING - _KNEE)
    limited = np.copysign(_KNEE + (_CEILING - _KNEE) * np.tanh(over), scaled)
    return np.where(over > 0, limited, scaled).astype(np.float32)


def _words(spoken: Part) -> tuple[Word, ...]:
    words = []
    inner = [span for span in spoken.spans if span.label]
    for word_index, group in groupby(inner, key=lambda span: span.word_index):
        spans = list(group)
        text = spoken.words[word_index]
        if text:
            words.append(Word(text, spans[0].start / _FEATURE_RATE, spans[-1].end / _FEATURE_RATE))
    return tuple(words)
