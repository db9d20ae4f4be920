"""The embedded English voice: text to speech on a CPU, nothing to download.

The model, its dictionary and its signal processing come with the ``hibari-tts`` package. The
durations of its symbols give exact phone times, the last block of its decoder the features for the
face. The network itself has no randomness; the noise of breath and fricatives is drawn from the
utterance's seed.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from hibari import dsp
from hibari.tts import ASSETS, MAX_PHONEMES
from hibari.voices import VOICES
from jaxtyping import Float32

from unitaf.errors import InputError
from unitaf.marks import without_emphasis
from unitaf.onnx_session import one_thread_session
from unitaf.tts.alignment import warp_to_recording
from unitaf.tts.delivery import pace
from unitaf.tts.emphasis import emphasise, pitches_of, stretches_of
from unitaf.tts.hibari_graph import DURATIONS, LAST_BLOCK, load_network
from unitaf.tts.joining import Part, cut_silence, join
from unitaf.tts.phrasing import audible_steps, level, phones, plan, words
from unitaf.tts.reading import EnglishReader, SpokenWord
from unitaf.tts.tempo import STRETCH
from unitaf.tts.timeline import fit_to_sound, lay_out, spell
from unitaf.tts.voices import HIBARI_LICENCE, hibari_model
from unitaf.types import Speech, Utterance

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
    def reads_ipa(self) -> bool:
        """Whether it obeys marks with sounds, and emphasis."""
        return True

    @property
    def speeds(self) -> tuple[float, float]:
        """What brings the speaking rate to half or twice the voice's own."""
        return (0.5 / self._speed, 2.0 / self._speed)

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
        speed = self._speed * utterance.speed * pace(utterance.emotion)
        noise = np.random.default_rng(utterance.seed % 2**64)
        try:
            read = self._reader.read(without_emphasis(utterance.text))
            stretches = list(plan(emphasise(read, utterance.text), MAX_PHONEMES))
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        spoken = join(
            [
                cut_silence(
                    self._network.speak(stretch.words, speed, noise), stretch.head, stretch.tail
                )
                for stretch in stretches
            ]
        )
        return Speech(
            waveform=level(spoken.waveform, _GAIN),
            sample_rate=_SAMPLE_RATE,
            features=np.ascontiguousarray(spoken.features),
            feature_rate=_FEATURE_RATE,
            phones=phones(spoken),
            words=words(spoken),
            f0=spoken.f0,
            f0_rate=_FEATURE_RATE,
            emotion=utterance.emotion,
        )

    @cached_property
    def _reader(self) -> EnglishReader:
        return _reader(VOICES[self._voice]["british"])

    @cached_property
    def _network(self) -> "_Network":
        return _network(self._path)


class _Network:
    """The voice's network with its inner outputs, and the signal processing behind it."""

    def __init__(self, path: Path) -> None:
        self._session = one_thread_session(load_network(path))
        self._symbol_ids: dict[str, int] = json.loads(
            Path(ASSETS, "vocab.json").read_text(encoding="utf-8")
        )

    def speak(self, words: Sequence[SpokenWord], speed: float, noise: np.random.Generator) -> Part:
        """Say a sentence, or a part of one, with the silence around it."""
        ids = [0, *(self._symbol_ids[symbol] for symbol in spell(words)), 0]
        inputs = {
            "ids": np.array([ids], np.int64),
            "speed": np.array([speed], np.float32),
            STRETCH: stretches_of(words),
        }
        *spectrum, f0, durations, features = self._session.run(list(_OUTPUTS), inputs)
        steps = [int(units) * _STEPS_PER_UNIT for units in durations]
        spans = lay_out(words, steps, _LEAD_STEPS)
        if any(word.is_emphasised for word in words):
            pitches = pitches_of(words, spans, f0.shape[1])
            f0 = np.where(f0 > _LOWEST_F0_HZ, f0 * pitches, f0)
        waveform = dsp.synth(*(part[0] for part in spectrum), f0[0], noise)
        is_audible = audible_steps(waveform, _HOP)
        return Part(
            waveform=waveform,
            features=features[0].T,
            f0=np.where(is_audible & (f0[0] > _LOWEST_F0_HZ), f0[0], np.float32(0)),
            spans=tuple(fit_to_sound(spans, is_audible)),
            words=tuple(word.text for word in words),
        )


# A cast has an engine for every voice and speed; in a process they share what they load.


@cache
def _reader(is_british: bool) -> EnglishReader:
    return EnglishReader(is_british)


@cache
def _network(path: Path) -> _Network:
    return _Network(path)
