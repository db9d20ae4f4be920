"""A robot's voice in a hundred languages: espeak-ng, for languages that no other engine has.

It is under GPL-3.0-or-later and therefore an optional extra, which nothing else needs. Its sound is
made of formants, by rules; its phones and their times are exact. Conventions: it has no hidden
sequence, so its features are its sound: log energies of bands from 80 Hz to 8 kHz, evenly spaced in
pitch. The seed changes nothing.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.errors import InputError
from unitaf.tts.alignment import warp_to_recording
from unitaf.tts.delivery import pace
from unitaf.tts.espeak_library import DATA, LIBRARY, SAMPLE_RATE, Event
from unitaf.tts.espeak_process import EspeakProcess
from unitaf.tts.phrasing import level
from unitaf.tts.respelling import clean
from unitaf.tts.voices import ESPEAK_LICENCE
from unitaf.types import Phone, Speech, Utterance, Word

_REVISION = 1
"""Raised whenever this file or what it uses of unitaf changes what comes out."""

_FEATURE_RATE = 75.0
_HOP = 294
_FFT_SAMPLES = 1024
_FEATURE_DIM = 40
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 8000.0
_QUIETEST = 1e-6

_HEAD_S, _TAIL_S = 0.2, 0.25
"""Silence before and after an utterance."""
_GAIN = 0.8

_STRESS = {"ˈ": 1, "ˌ": 2}
_NO_SOUND = re.compile(r"\(.*?\)|[ˈˌ]|[^\w\u0300-\u036f]")
"""Stress, which stands apart, marks of another language, and what is no letter or mark on one."""
_CAPITALS = str.maketrans("ABCDEGHIJLMNOPQRSTUVWXYZε", "ɑβçðɛɢħɪɟɫɱŋɔɸɣʀʃθʊʌœχøʒɛ")
"""The letters of Kirshenbaum's alphabet that some languages' tables leave in their labels."""
_SHORTEST_PAUSE_S = 0.0625
"""What is shorter is not heard as a pause: the library has them in consonants too."""


class Espeak:
    """Speaks with espeak-ng.

    Args:
        voice: ``default``, or one of the library's variants, such as ``f2``.
        speed: Speaking rate, 0.5 to 2; 2 is twice as fast.
        pitch: Semitones above the variant's own, -8 to 8.

    Raises:
        ValueError: If there is no such variant, or the speed or the pitch is out of range.
    """

    def __init__(self, voice: str = "default", speed: float = 1.0, pitch: float = 0.0) -> None:
        if not 0.5 <= speed <= 2.0:
            raise ValueError(f"speed must be between 0.5 and 2, not {speed:g}")
        if not -8.0 <= pitch <= 8.0:
            raise ValueError(f"pitch must be between -8 and 8 semitones, not {pitch:g}")
        variants = sorted(path.name for path in (DATA / "voices" / "!v").iterdir())
        if voice not in ("default", *variants):
            raise ValueError(
                f"voice must be default or one of {', '.join(variants)}, not {voice!r}"
            )
        self._voice = voice
        self._speed = speed
        self._pitch = pitch
        digest = hashlib.sha256(LIBRARY.read_bytes()).hexdigest()
        self._fingerprint = (
            f"espeak/{_REVISION} package={version('espeakng-loader')} library={digest[:16]}"
            f" voice={voice} speed={speed!r}" + (f" pitch={pitch!r}" if pitch else "")
        )

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return SAMPLE_RATE

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return _FEATURE_RATE

    @property
    def feature_dim(self) -> int:
        """The number of bands."""
        return _FEATURE_DIM

    @property
    def languages(self) -> frozenset[str]:
        """Primary subtags of what the library has voices for."""
        return frozenset(tag.split("-")[0] for tag in self._voices)

    @property
    def has_phones(self) -> bool:
        """Whether its speech says which phones are in it, and when."""
        return True

    @property
    def batch_size(self) -> int:
        """One: the library takes one text at a time."""
        return 1

    @property
    def reads_ipa(self) -> bool:
        """Whether it obeys marks with sounds."""
        return False

    @property
    def speeds(self) -> tuple[float, float]:
        """What brings the speaking rate to half or twice the voice's own."""
        return (0.5 / self._speed, 2.0 / self._speed)

    @property
    def licence(self) -> str:
        """The terms of the library."""
        return ESPEAK_LICENCE

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same utterance could give other bytes."""
        return self._fingerprint

    def fingerprint_of(self, speaker: str) -> str:
        """The same for every speaker."""
        del speaker
        return self._fingerprint

    def voice_of(self, speaker: str) -> str:
        """The variant."""
        del speaker
        return self._voice

    @property
    def features_fingerprint(self) -> str:
        """As `fingerprint`: a recording is followed by what the voice says itself."""
        return self._fingerprint

    def load(self) -> None:
        """Find the voices; the library itself is loaded for each text."""
        _ = self._voices

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
        name = self._voice_name(utterance)
        text = " ".join(clean(utterance.text).split())
        speed = self._speed * utterance.speed * pace(utterance.emotion)
        try:
            sound = self._process.say(text, name, speed, self._pitch)
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        head, tail = round(_HEAD_S * SAMPLE_RATE), round(_TAIL_S * SAMPLE_RATE)
        waveform = np.pad(level(sound.waveform, _GAIN), (head, tail))
        phones = _phones(sound.events, len(waveform) / SAMPLE_RATE)
        if not any(phone.label for phone in phones):
            raise InputError(utterance.id, "there is nothing to say: no letter and no digit")
        return Speech(
            waveform=waveform,
            sample_rate=SAMPLE_RATE,
            features=_bands(waveform),
            feature_rate=_FEATURE_RATE,
            phones=phones,
            words=_words(text, sound.events, phones),
            emotion=utterance.emotion,
        )

    def _voice_name(self, utterance: Utterance) -> str:
        tag = utterance.language.lower()
        for known in (tag, tag.split("-")[0]):
            if known in self._voices:
                name = self._voices[known]
                return name if self._voice == "default" else f"{name}+{self._voice}"
        reason = f"espeak-ng does not speak {utterance.language!r}"
        raise InputError(utterance.id, reason, column="language")

    @cached_property
    def _process(self) -> EspeakProcess:
        return EspeakProcess()

    @cached_property
    def _voices(self) -> dict[str, str]:
        """The name of the voice for every language and accent, by its tag in small letters."""
        voices: dict[str, str] = {}
        for path in sorted(path for path in (DATA / "lang").rglob("*") if path.is_file()):
            lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
            tags = [words[1].lower() for words in lines if words[:1] == ["language"]]
            named = [words[1] for words in lines if words[:1] == ["dictionary"]]
            dictionary = named[0] if named else tags[0].split("-")[0]
            # Without its dictionary, which the package lacks for some, a language has no sounds.
            if (DATA / f"{dictionary}_dict").is_file():
                for tag in tags:
                    voices.setdefault(tag, path.name)
                voices[path.name.lower()] = path.name
        return voices


def _phones(events: Sequence[Event], duration_s: float) -> tuple[Phone, ...]:
    """Return phones and pauses without gaps; what has no sound of its own lengthens a sound."""
    labels, starts, stresses = [""], [0.0], [0]
    for event in events:
        if event.first >= 0:
            continue
        label = _NO_SOUND.sub("", event.label).translate(_CAPITALS)
        is_new = bool(label) and label[0].isalpha() and label not in "ʲʰʷː"
        is_pause = not event.label
        if is_new or (is_pause and labels[-1]):
            labels.append(label)
            starts.append(_HEAD_S + event.start_s)
            stresses.append(_STRESS.get(event.label[:1], 0))
        elif label and labels[-1]:
            labels[-1] += label
    found: list[Phone] = []
    for label, stress, (start_s, end_s) in zip(
        labels, stresses, pairwise([*starts, duration_s]), strict=True
    ):
        if end_s <= start_s:
            continue
        if not label and found and (not found[-1].label or end_s - start_s < _SHORTEST_PAUSE_S):
            found[-1] = replace(found[-1], end_s=end_s)
        else:
            found.append(Phone(label, start_s, end_s, stress))
    return tuple(found)


def _words(text: str, events: Sequence[Event], phones: Sequence[Phone]) -> tuple[Word, ...]:
    """Return the words that have a sound, each to the end of its last phone."""
    marks: list[Event] = []
    for event in events:
        # Of a word that it spells out, it tells once for each letter.
        if event.first >= 0 and (not marks or marks[-1].first != event.first):
            marks.append(event)
    edges = [*(_HEAD_S + mark.start_s for mark in marks), phones[-1].end_s]
    words = []
    for mark, (start_s, next_s) in zip(marks, pairwise(edges), strict=True):
        inside = [p for p in phones if p.label and start_s - 1e-9 <= p.start_s < next_s - 1e-9]
        if inside:
            words.append(Word(_written(text, mark), inside[0].start_s, inside[-1].end_s))
    return tuple(words)


def _written(text: str, mark: Event) -> str:
    """Return a word as it is written, with the punctuation at its ends."""
    first, last = mark.first, mark.first + mark.length
    while first > 0 and not (text[first - 1].isalnum() or text[first - 1].isspace()):
        first -= 1
    while last < len(text) and not (text[last].isalnum() or text[last].isspace()):
        last += 1
    return text[first:last]


def _bands(waveform: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, "steps bands"]:
    """Return the log energy of every band; step i is centred at i / 75 s."""
    steps = timing.num_frames(len(waveform), SAMPLE_RATE, _FEATURE_RATE)
    padded = np.pad(waveform, (_FFT_SAMPLES // 2, _FFT_SAMPLES))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::_HOP][:steps]
    power = np.abs(np.fft.rfft(pieces * np.hanning(_FFT_SAMPLES))) ** 2
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _FEATURE_DIM + 1)
    bins = np.fft.rfftfreq(_FFT_SAMPLES, 1 / SAMPLE_RATE)
    # At least one bin a band: low bands are narrower than that.
    first = np.searchsorted(bins, edges_hz[:-1])
    last = np.maximum(np.searchsorted(bins, edges_hz[1:]), first + 1)
    total = np.concatenate([np.zeros((steps, 1)), np.cumsum(power, axis=1)], axis=1)
    energy = np.maximum(total[:, last] - total[:, first], 0)
    bands: Float32[np.ndarray, "steps bands"] = np.log(energy + _QUIETEST).astype(np.float32)
    return bands
