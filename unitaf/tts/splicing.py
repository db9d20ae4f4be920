"""Speech made longer, shorter or joined, whichever engine made it: all of it on one clock.

Silence is added and cut in *grains*, the shortest time that is whole samples, whole feature steps
and whole steps of the pitch, so that nothing has to be resampled. Only the end may fall between
grains. Added silence has the features of the silence that it is added to.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Shaped

from unitaf import timing
from unitaf.types import Mood, Phone, Speech, Word

Timed = TypeVar("Timed", Phone, Word)

_QUIET_DB = -45.0
"""Below the loudest step: silence, for engines that name no phones."""
_LEVEL_S = 0.01
_FADE_S = 0.005


def edges_s(speech: Speech) -> tuple[float, float]:
    """Return how long the silence before and after the sound is; all of it is before, if silent."""
    sounds = [phone for phone in speech.phones if phone.label]
    if sounds:
        return sounds[0].start_s, max(speech.duration_s - sounds[-1].end_s, 0.0)
    size = max(1, round(_LEVEL_S * speech.sample_rate))
    padded = np.pad(speech.waveform, (0, -speech.num_samples % size)).reshape(-1, size)
    power = np.square(padded).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0.0) * 10.0 ** (_QUIET_DB / 10.0))
    if not len(loud):
        return speech.duration_s, 0.0
    first, end = loud[0] * size, min((loud[-1] + 1) * size, speech.num_samples)
    return first / speech.sample_rate, (speech.num_samples - end) / speech.sample_rate


def with_head(speech: Speech, head_s: float) -> Speech:
    """Return a speech with so much silence before its sound, to the nearest grain."""
    grain = _grain(speech)
    change = round((head_s - edges_s(speech)[0]) * speech.sample_rate / grain)
    if change == 0:
        return speech
    if change < 0:
        return _cut_start(speech, -change * grain)
    return splice([_silence_like(speech, change * grain, at_end=False), speech])


def with_tail(speech: Speech, tail_s: float) -> Speech:
    """Return a speech with so much silence after its sound, to the nearest sample."""
    sound_s = speech.duration_s - edges_s(speech)[1]
    return with_length(speech, timing.num_samples(sound_s + tail_s, speech.sample_rate))


def with_length(speech: Speech, num_samples: int) -> Speech:
    """Return a speech that ends after so many samples: cut, or followed by silence.

    Raises:
        ValueError: If there would be none left.
    """
    if num_samples < 1:
        raise ValueError("a speech needs at least one sample")
    if num_samples >= speech.num_samples:
        return _extended(speech, num_samples)
    end_s = num_samples / speech.sample_rate
    waveform = speech.waveform[:num_samples].copy()
    fade = min(num_samples, round(_FADE_S * speech.sample_rate))
    waveform[num_samples - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return replace(
        speech,
        waveform=waveform,
        features=speech.features[: _steps(num_samples, speech, speech.feature_rate)],
        f0=speech.f0[: _steps(num_samples, speech, speech.f0_rate)],
        phones=tuple(_clipped(speech.phones, 0.0, end_s)),
        words=tuple(_clipped(speech.words, 0.0, end_s)),
    )


def splice(speeches: Sequence[Speech]) -> Speech:
    """Return speeches of one engine one after the other; pauses where they meet become one.

    Each but the last is followed by silence to the end of its last grain.

    Raises:
        ValueError: If there is none, or they are of different engines.
    """
    clocks = {(s.sample_rate, s.feature_rate, s.f0_rate, s.features.shape[1]) for s in speeches}
    if len(clocks) != 1:
        raise ValueError(f"speeches of {len(clocks)} different clocks cannot be joined")
    whole = [to_grain(speech) for speech in speeches[:-1]] + [speeches[-1]]
    starts_s = np.cumsum([0.0, *(speech.duration_s for speech in whole)])
    phones: list[Phone] = []
    words: list[Word] = []
    for speech, start_s in zip(whole, starts_s[:-1], strict=True):
        following = _shifted(speech.phones, float(start_s))
        if phones and following and not phones[-1].label and not following[0].label:
            following[0] = replace(following[0], start_s=phones.pop().start_s)
        phones += following
        words += _shifted(speech.words, float(start_s))
    return replace(
        speeches[0],
        waveform=np.concatenate([speech.waveform for speech in whole]),
        features=np.concatenate([speech.features for speech in whole]),
        f0=np.concatenate([speech.f0 for speech in whole]),
        phones=tuple(phones),
        words=tuple(words),
        moods=_moods(whole, starts_s),
    )


def to_grain(speech: Speech) -> Speech:
    """Return a speech with silence to the end of its last grain."""
    grain = _grain(speech)
    return _extended(speech, -(-speech.num_samples // grain) * grain)


def _moods(speeches: Sequence[Speech], starts_s: Iterable[float]) -> tuple[Mood, ...]:
    """Return where the emotion of speeches one after the other changes."""
    moods: list[Mood] = []
    for speech, start_s in zip(speeches, starts_s, strict=False):
        for mood in speech.moods or (Mood(0.0, speech.emotion),):
            if not moods or moods[-1].emotion != mood.emotion:
                moods.append(replace(mood, start_s=float(start_s) + mood.start_s))
    return tuple(moods) if len(moods) > 1 else ()


def _grain(speech: Speech) -> int:
    """Return the samples of a grain."""
    rates = [rate for rate in (speech.feature_rate, speech.f0_rate) if rate > 0]
    lengths = [Fraction(speech.sample_rate) / timing.exact_rate(rate) for rate in rates]
    return math.lcm(*(length.numerator for length in lengths))


def _steps(num_samples: int, speech: Speech, rate: float) -> int:
    return timing.num_frames(num_samples, speech.sample_rate, rate) if rate > 0 else 0


def _silence_like(speech: Speech, num_samples: int, *, at_end: bool) -> Speech:
    """Return silence with the features of a speech's first or last step."""
    edge = slice(-1, None) if at_end else slice(0, 1)
    steps = _steps(num_samples, speech, speech.feature_rate)
    pauses = (Phone("", 0.0, num_samples / speech.sample_rate),) if speech.phones else ()
    return replace(
        speech,
        waveform=np.zeros(num_samples, np.float32),
        features=_held(speech.features[edge], steps),
        f0=np.zeros(_steps(num_samples, speech, speech.f0_rate), np.float32),
        phones=pauses,
        words=(),
        moods=(),
        emotion=(speech.moods[-1 if at_end else 0].emotion if speech.moods else speech.emotion),
    )


def _held(edge: Float32[np.ndarray, "one dim"], steps: int) -> Float32[np.ndarray, "steps dim"]:
    if not len(edge):
        return np.zeros((steps, edge.shape[1]), np.float32)
    return np.repeat(edge, steps, axis=0)


def _extended(speech: Speech, num_samples: int) -> Speech:
    added = num_samples - speech.num_samples
    if added == 0:
        return speech
    end_s = num_samples / speech.sample_rate
    phones = speech.phones
    if phones and not phones[-1].label:
        phones = (*phones[:-1], replace(phones[-1], end_s=end_s))
    elif phones:
        phones = (*phones, Phone("", phones[-1].end_s, end_s))
    features = speech.features
    missing = _steps(num_samples, speech, speech.feature_rate) - len(features)
    unvoiced = _steps(num_samples, speech, speech.f0_rate) - len(speech.f0)
    return replace(
        speech,
        waveform=np.pad(speech.waveform, (0, added)),
        features=np.concatenate([features, _held(features[-1:], max(missing, 0))]),
        f0=_padded(speech.f0, max(unvoiced, 0)),
        phones=phones,
    )


def _padded(values: Shaped[np.ndarray, " steps"], count: int) -> Float32[np.ndarray, " more"]:
    return np.pad(values, (0, count)).astype(np.float32)


def _cut_start(speech: Speech, num_samples: int) -> Speech:
    """Cut whole grains of silence off the beginning."""
    start_s = num_samples / speech.sample_rate
    waveform = speech.waveform[num_samples:].copy()
    fade = min(len(waveform), round(_FADE_S * speech.sample_rate))
    waveform[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
    return replace(
        speech,
        waveform=waveform,
        features=speech.features[_steps(num_samples, speech, speech.feature_rate) :],
        f0=speech.f0[_steps(num_samples, speech, speech.f0_rate) :],
        phones=tuple(_shifted(_clipped(speech.phones, start_s, speech.duration_s), -start_s)),
        words=tuple(_shifted(speech.words, -start_s)),
        moods=tuple(replace(m, start_s=max(m.start_s - start_s, 0.0)) for m in speech.moods),
    )


def _clipped(timed: Iterable[Timed], start_s: float, end_s: float) -> list[Timed]:
    kept = [
        replace(each, start_s=max(each.start_s, start_s), end_s=min(each.end_s, end_s))
        for each in timed
    ]
    return [each for each in kept if each.end_s > each.start_s]


def _shifted(timed: Iterable[Timed], by_s: float) -> list[Timed]:
    return [replace(t, start_s=max(t.start_s + by_s, 0.0), end_s=t.end_s + by_s) for t in timed]
