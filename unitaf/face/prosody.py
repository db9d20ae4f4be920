"""What a voice does besides its sounds: how loud phones are, where accents and phrases are.

A face follows these: the jaw opens with loudness, the brows and the head mark accents, and eyes
blink where a phrase ends. Loudness is taken from the waveform, accents from stress marks, pitch and
loudness together, questions from a final rise of pitch or from the text.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from unitaf.face.phones import postures
from unitaf.marks import without_marks
from unitaf.types import Speech, Utterance

PHRASE_PAUSE_S = 0.15
"""A shorter silence does not end a phrase: it is a word boundary or the closure of a stop."""

_REFERENCE_DB = -18.5
"""Level of the vowels of ordinary speech as engines deliver it, relative to full scale."""
_DB_PER_DOUBLING = 30.0
"""How much louder a voice must be for twice the mouth movement."""
_LEVEL_RATE = 200
"""How many times a second loudness is measured."""
_LOWEST_VOICE_HZ = 50.0
_STRESS_GAIN = (0.84, 1.12, 1.0)
"""By `Phone.stress`; of languages whose engine marks stress."""
_WHISPER_GAIN = 0.78
_ACCENT_SPACING_S = 0.28
_LEAST_SALIENCE = 0.1
_FINAL_RISE_SEMITONES = 2.5


@dataclass(frozen=True, slots=True)
class Accent:
    """A syllable that stands out."""

    time_s: float
    """The middle of its vowel."""
    strength: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Speech between two pauses."""

    start_s: float
    end_s: float
    is_question: bool


@dataclass(frozen=True, slots=True, eq=False)
class Prosody:
    """How a line is said."""

    gains: Float64[np.ndarray, " phones"]
    """How much larger than ordinary each phone's mouth movement is; 1 in a pause."""
    accents: tuple[Accent, ...]
    phrases: tuple[Phrase, ...]


def read_prosody(utterance: Utterance, speech: Speech) -> Prosody:
    """Return how a line is said.

    Raises:
        ValueError: If a phone's label is not IPA.
    """
    phones = speech.phones
    phrases = _phrase_spans(speech)
    if not phrases:
        return Prosody(np.ones(len(phones)), (), ())
    span = np.array([(phone.start_s, phone.end_s) for phone in phones])
    is_vowel = np.array([postures(phone.label)[0].is_vowel for phone in phones])
    if not is_vowel.any():
        is_vowel = np.array([phone.label != "" for phone in phones])
    stress = np.array([phone.stress for phone in phones])
    level = _levels(speech, span)
    pitch = _pitches(speech, span)
    vowels = np.flatnonzero(is_vowel)
    gains = _vowel_gains(level[vowels], pitch[vowels], stress[vowels], len(speech.f0) > 0)
    middle = span.mean(axis=1)
    everywhere = np.interp(middle, middle[vowels], gains)
    everywhere[[phone.label == "" for phone in phones]] = 1.0
    return Prosody(
        gains=everywhere,
        accents=_accents(middle[vowels], level[vowels], pitch[vowels], stress[vowels]),
        phrases=_phrases(utterance, phrases, middle[vowels], pitch[vowels]),
    )


def _phrase_spans(speech: Speech) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for phone in speech.phones:
        if phone.label == "":
            continue
        if spans and phone.start_s - spans[-1][1] < PHRASE_PAUSE_S:
            spans[-1] = (spans[-1][0], phone.end_s)
        else:
            spans.append((phone.start_s, phone.end_s))
    return spans


def _span_means(
    values: Float64[np.ndarray, " steps"], rate: float, span: Float64[np.ndarray, "phones 2"]
) -> Float64[np.ndarray, " phones"]:
    """Return the mean of a sequence over each span, which has at least one step."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    first, last = np.clip(np.rint(span * rate).astype(np.int64), 0, len(values)).T
    first = np.minimum(first, len(values) - 1)
    last = np.maximum(last, first + 1)
    means: Float64[np.ndarray, " phones"] = (total[last] - total[first]) / (last - first)
    return means


def _levels(
    speech: Speech, span: Float64[np.ndarray, "phones 2"]
) -> Float64[np.ndarray, " phones"]:
    """Return the level of each phone in dB relative to full scale, at least -60."""
    hop = max(speech.sample_rate // _LEVEL_RATE, 1)
    hops = -(-speech.num_samples // hop)
    blocks = np.pad(speech.waveform, (0, hops * hop - speech.num_samples)).reshape(hops, hop)
    power = np.einsum("ij,ij->i", blocks, blocks).astype(np.float64) / hop
    mean = np.maximum(_span_means(power, speech.sample_rate / hop, span), 1e-6)
    level: Float64[np.ndarray, " phones"] = 10.0 * np.log10(mean)
    return level


def _pitches(
    speech: Speech, span: Float64[np.ndarray, "phones 2"]
) -> Float64[np.ndarray, " phones"]:
    """Return the pitch of each phone in semitones above 1 Hz; NaN where it has no voice."""
    if len(speech.f0) == 0:
        return np.full(len(span), np.nan)
    voiced = speech.f0 > _LOWEST_VOICE_HZ
    semitones = 12.0 * np.log2(np.where(voiced, speech.f0, 1.0))
    share = _span_means(voiced.astype(np.float64), speech.f0_rate, span)
    mean = _span_means(semitones.astype(np.float64), speech.f0_rate, span)
    return np.where(share > 0.0, mean / np.maximum(share, 1e-9), np.nan)


def _vowel_gains(
    level: Float64[np.ndarray, " vowels"],
    pitch: Float64[np.ndarray, " vowels"],
    stress: np.ndarray,
    has_f0: bool,
) -> Float64[np.ndarray, " vowels"]:
    """Return each vowel's gain from the line's loudness, its own loudness, and stress."""
    line = 10.0 * np.log10(np.mean(10.0 ** (level / 10.0)))
    effort = np.clip(2.0 ** ((line - _REFERENCE_DB) / _DB_PER_DOUBLING), 0.65, 1.4)
    if has_f0 and np.isnan(pitch).mean() > 0.8:
        effort *= _WHISPER_GAIN
    own = np.clip(2.0 ** ((level - line) / _DB_PER_DOUBLING), 0.75, 1.15)
    gains: Float64[np.ndarray, " vowels"] = effort * own
    if stress.any():
        gains *= np.array(_STRESS_GAIN)[stress]
    return gains


def _accents(
    middle: Float64[np.ndarray, " vowels"],
    level: Float64[np.ndarray, " vowels"],
    pitch: Float64[np.ndarray, " vowels"],
    stress: np.ndarray,
) -> tuple[Accent, ...]:
    """Return the vowels that stand out; of two closer than a syllable, the stronger."""
    voiced = ~np.isnan(pitch)
    above = np.zeros(len(pitch))
    if voiced.any():
        above[voiced] = (pitch[voiced] - np.median(pitch[voiced])) / 3.0
    louder = (level - np.median(level)) / 6.0
    stressed = np.array((-0.6, 0.9, 0.2))[stress] if stress.any() else np.zeros(len(stress))
    salience = stressed + 0.6 * np.clip(above, -2.0, 2.0) + 0.4 * np.clip(louder, -2.0, 2.0)
    kept: list[int] = []
    for index in np.argsort(-salience, kind="stable"):
        if salience[index] <= _LEAST_SALIENCE:
            break
        if all(abs(middle[index] - middle[other]) >= _ACCENT_SPACING_S for other in kept):
            kept.append(int(index))
    strength = np.clip(salience / 2.2, 0.0, 1.0)
    return tuple(Accent(float(middle[i]), float(strength[i])) for i in sorted(kept))


def _phrases(
    utterance: Utterance,
    spans: list[tuple[float, float]],
    middle: Float64[np.ndarray, " vowels"],
    pitch: Float64[np.ndarray, " vowels"],
) -> tuple[Phrase, ...]:
    asks = without_marks(utterance.text).rstrip("\"'”’»)」』 ").endswith(("?", "？", "؟"))
    phrases = []
    for position, (start, end) in enumerate(spans):
        inside = (middle >= start) & (middle <= end) & ~np.isnan(pitch)
        heard = pitch[inside]
        rises = len(heard) > 1 and heard[-1] - np.median(heard[:-1]) > _FINAL_RISE_SEMITONES
        phrases.append(Phrase(start, end, bool(rises) or (asks and position == len(spans) - 1)))
    return tuple(phrases)
