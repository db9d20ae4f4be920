"""Kokoro-82M as an engine: seven languages, each read by its own front end.

The durations of its symbols give exact phone times, the encoding that its decoder is shown the
features for the face. Nothing is random, so the seed changes nothing. Conventions: features have 40
steps a second, pitch 80; what is heard leads its symbol, and the features, by 50 ms.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from unitaf.errors import InputError
from unitaf.marks import without_emphasis
from unitaf.tts.alignment import warp_to_recording
from unitaf.tts.delivery import pace
from unitaf.tts.emphasis import emphasise, pitches_of, stretches_of
from unitaf.tts.joining import Part, cut_silence, join
from unitaf.tts.kokoro.files import (
    GAINS,
    LICENCE,
    MODEL_SHA256,
    NATIVE,
    NATIVE_VOICES,
    VOICES,
    KokoroFiles,
)
from unitaf.tts.kokoro.japanese import LABELS
from unitaf.tts.kokoro.network import (
    FEATURE_DIM,
    FRAME_RATE,
    MAX_SYMBOLS,
    SAMPLE_RATE,
    Manner,
    Network,
    Voice,
    load_voice,
)
from unitaf.tts.kokoro.reading import LANGUAGES, LineReader
from unitaf.tts.phrasing import STEP_RATE, Stretch, audible_steps, level, phones, plan, words
from unitaf.tts.timeline import fit_to_sound, lay_out, spell
from unitaf.types import Phone, Speech, Utterance

_REVISION = 1
"""Raised whenever this package or what it uses of unitaf changes what comes out."""

_HOP = 300
"""Samples of a step."""
_LEAD_STEPS = 4
"""A sound is heard 50 ms before its symbol: the shift at which phones hold most of the hiss of
/s z ʃ/, in three voices; they explain the whole spectrum best at 37.5 ms, but barely."""
_LOWEST_F0_HZ = 40.0
_FRONT_ENDS = (
    "hibari-tts", "gruut_lang_fr", "gruut_lang_it", "python-crfsuite", "num2words",
    "pyopenjtalk-plus", "jieba", "pypinyin", "cn2an",
)  # fmt: skip
"""The packages that decide what is said."""


class Kokoro:
    """Speaks seven languages with the voices of Kokoro-82M.

    Args:
        files: Where the model and the voices are.
        voice: Says every line, whatever its language; `NATIVE` gives each language its own.
        speed: Speaking rate, 0.5 to 2; 2 is twice as fast.

    Raises:
        ValueError: If the voice is unknown, a file missing or damaged, or the speed out of range.
    """

    def __init__(self, files: KokoroFiles, voice: str = NATIVE, speed: float = 1.0) -> None:
        if not 0.5 <= speed <= 2.0:
            raise ValueError(f"speed must be between 0.5 and 2, not {speed:g}")
        if voice not in (NATIVE, *VOICES):
            raise ValueError(f"voice must be {NATIVE} or one of {', '.join(VOICES)}, not {voice!r}")
        self._files = files
        self._names = NATIVE_VOICES if voice == NATIVE else dict.fromkeys(NATIVE_VOICES, voice)
        self._speed = speed
        files.check(self._names.values())
        self._voices = {name: load_voice(files.voice(name)) for name in set(self._names.values())}
        self._fingerprint = self._describe()

    def _describe(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self._voices):
            digest.update(name.encode() + self._voices[name].tobytes())
        packages = " ".join(f"{name}={version(name)}" for name in _FRONT_ENDS)
        return (
            f"kokoro/{_REVISION} model={MODEL_SHA256[:16]} voice={self.voice_of('')}"
            f" voices={digest.hexdigest()[:16]} speed={self._speed!r} {packages}"
        )

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return SAMPLE_RATE

    @property
    def feature_rate(self) -> float:
        """Hz."""
        return FRAME_RATE

    @property
    def feature_dim(self) -> int:
        """Width of the content that the decoder is shown."""
        return FEATURE_DIM

    @property
    def languages(self) -> frozenset[str]:
        """What there are front ends for."""
        return frozenset(LANGUAGES)

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
        """The terms on what the voices make."""
        return LICENCE

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same utterance could give other bytes."""
        return self._fingerprint

    def fingerprint_of(self, speaker: str) -> str:
        """The same for every speaker."""
        del speaker
        return self._fingerprint

    def voice_of(self, speaker: str) -> str:
        """The voice, or the voice of each language."""
        del speaker
        if len(set(self._names.values())) == 1:
            return self._names["en"]
        return ",".join(f"{tag}:{name}" for tag, name in self._names.items())

    @property
    def features_fingerprint(self) -> str:
        """As `fingerprint`: a recording is followed by what the voice says itself."""
        return self._fingerprint

    def load(self) -> None:
        """Load the network; dictionaries are loaded at the first line of their language."""
        _ = self._network

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
        primary = utterance.language.split("-")[0].lower()
        if primary not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            reason = f"Kokoro speaks {known}, not {utterance.language!r}"
            raise InputError(utterance.id, reason, column="language")
        try:
            read = self._reader.read(without_emphasis(utterance.text), utterance.language)
            stretches = list(plan(emphasise(read, utterance.text), MAX_SYMBOLS))
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        name = self._names.get(utterance.language.lower()) or self._names[primary]
        speed = self._speed * utterance.speed * pace(utterance.emotion)
        spoken = join([self._say(stretch, self._voices[name], speed) for stretch in stretches])
        labels = LABELS if primary == "ja" else {}
        return Speech(
            waveform=level(spoken.waveform, GAINS[name]),
            sample_rate=SAMPLE_RATE,
            features=np.ascontiguousarray(spoken.features[::2]),
            feature_rate=FRAME_RATE,
            phones=tuple(_relabelled(phone, labels) for phone in phones(spoken)),
            words=words(spoken),
            f0=spoken.f0,
            f0_rate=STEP_RATE,
            emotion=utterance.emotion,
        )

    def _say(self, stretch: Stretch, voice: Voice, speed: float) -> Part:
        """Say a stretch with the silence that it keeps; a part has whole frames, two steps each."""
        manner = Manner(spell(stretch.words), voice, speed, stretches_of(stretch.words))
        if any(word.is_emphasised for word in stretch.words):
            durations = [2 * frames for frames in self._network.time(manner)]
            spans = lay_out(stretch.words, durations, _LEAD_STEPS)
            pitches = pitches_of(stretch.words, spans, sum(durations))
            sound = self._network.speak(manner, pitches)
        else:
            sound = self._network.speak(manner)
        is_audible = audible_steps(sound.waveform, _HOP)
        durations = [2 * frames for frames in sound.durations]
        spans = fit_to_sound(lay_out(stretch.words, durations, _LEAD_STEPS), is_audible)
        part = Part(
            waveform=sound.waveform,
            features=np.repeat(sound.content, 2, axis=0),
            f0=np.where(is_audible & (sound.f0 > _LOWEST_F0_HZ), sound.f0, np.float32(0)),
            spans=tuple(spans),
            words=tuple(word.text for word in stretch.words),
        )
        head = stretch.head + (spans[0].end - stretch.head) % 2
        tail = stretch.tail + (spans[-1].start + stretch.tail) % 2
        return cut_silence(part, head, tail)

    @cached_property
    def _reader(self) -> LineReader:
        return _line_reader()

    @cached_property
    def _network(self) -> Network:
        return _shared_network(self._files.model)


# A cast has an engine for every voice; in a process they share what they load.


@cache
def _line_reader() -> LineReader:
    return LineReader()


@lru_cache(maxsize=1)
def _shared_network(model: Path) -> Network:
    return Network(model)


def _relabelled(phone: Phone, labels: dict[str, str]) -> Phone:
    return replace(phone, label=labels[phone.label]) if phone.label in labels else phone
