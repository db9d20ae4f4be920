"""Speaking mouth movements from timed phones: how sounds share the jaw and the lips.

Every sound has a posture (`phones`). As in Cohen and Massaro (1993) the mouth at a time is the mean
of the postures weighted by dominance, with separate dominances for jaw and lips. Two things differ.
The weight of a sound is its dominance times the share of a look-ahead window that it fills, rather
than a negative exponential of the distance to its centre: a sound too short for its target
undershoots it, and no movement is faster than the window allows. And as in JALI (Edwards et al.
2016) contacts are not blended but imposed: lips meet on /p b m/ and the lower lip meets the teeth
on /f v/, however short the sound and whatever surrounds it. The lips' window reaches further ahead
than the jaw's, and sounds of the tongue hardly weigh on the lips, so rounding begins in the
consonants before its vowel.

Contacts are held for at least `CONTACT_S`, longer than a frame at 24 fps, so a frame shows each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from unitaf.face.envelopes import Pulses, smoothstep
from unitaf.face.phones import REST, Posture, postures
from unitaf.types import Phone

CONTACT_S = 0.050
"""How long a contact is held at the least."""
PAUSE_S = 0.12
"""A shorter silence between sounds is part of them, not a rest of the mouth."""

_CONTACT_LEAD_S = 0.004
_CLOSING_S = 0.060
_OPENING_S = 0.052
_JAW_WINDOW_S = (0.085, 0.060)
_LIP_WINDOW_S = (0.180, 0.105)
"""How far a sound reaches ahead of its start and beyond its end."""
_EDGE_S = 0.120
"""How long the mouth takes to leave and to reach rest at the ends of a line."""
_FIRM_S = 0.080
"""A shorter consonant of dominance above 1 weighs as if it were this long."""
_HELD_S, _HELD_RISE_S = 0.100, 0.250
"""A consonant longer than the first has a posture of its own, in full when longer by the second."""
_NUCLEUS_SHARE = 0.58
"""The part of a diphthong that its first vowel lasts."""

_JAW, _FORWARD, _TONGUE, _REST = range(4)
_LOWER, _UPPER, _SPREAD, _PUCKER, _FUNNEL = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class MouthShape:
    """The mouth at each of some times; see `Posture` for the first eight."""

    jaw: Float64[np.ndarray, " frames"]
    lower_lip: Float64[np.ndarray, " frames"]
    upper_lip: Float64[np.ndarray, " frames"]
    spread: Float64[np.ndarray, " frames"]
    pucker: Float64[np.ndarray, " frames"]
    funnel: Float64[np.ndarray, " frames"]
    tongue: Float64[np.ndarray, " frames"]
    forward: Float64[np.ndarray, " frames"]
    close: Float64[np.ndarray, " frames"]
    """1 where the lips meet for a sound."""
    bite: Float64[np.ndarray, " frames"]
    """1 where the lower lip meets the teeth."""
    rest: Float64[np.ndarray, " frames"]
    """1 where the mouth is silent, 0 where it speaks."""
    edge: Float64[np.ndarray, " frames"]
    """0 at the ends of the line, 1 away from them."""


@dataclass(frozen=True, slots=True)
class _Sound:
    start_s: float
    end_s: float
    posture: Posture
    gain: float


class Mouth:
    """The mouth of one line, at any time.

    Args:
        phones: In order, without gaps.
        gains: How much larger than ordinary each phone's movement is.
        duration_s: Of the line.
    """

    def __init__(
        self, phones: Sequence[Phone], gains: Float64[np.ndarray, " phones"], duration_s: float
    ) -> None:
        sounds = _sounds(phones, gains) or [_Sound(0.0, duration_s, REST, 1.0)]
        self._duration_s = duration_s
        self._bounds = _bounds(sounds)
        self._jaw = np.array([_jaw_targets(sound) for sound in sounds]).T
        self._lips = np.array([_lip_targets(sound) for sound in sounds]).T
        self._jaw_dominance = np.array([_firm(s, s.posture.jaw_dominance) for s in sounds])
        self._lip_dominance = np.array([_firm(s, s.posture.lip_dominance) for s in sounds])
        self._close = Pulses.of([_contact(s, s.posture.close) for s in sounds if s.posture.close])
        self._bite = Pulses.of([_contact(s, s.posture.bite) for s in sounds if s.posture.bite])

    def at(self, times: Float64[np.ndarray, " frames"]) -> MouthShape:
        """Return the mouth at ascending times."""
        jaw = self._blend(times, self._jaw, self._jaw_dominance, _JAW_WINDOW_S)
        lips = self._blend(times, self._lips, self._lip_dominance, _LIP_WINDOW_S)
        edge = smoothstep(times / _EDGE_S) * smoothstep((self._duration_s - times) / _EDGE_S)
        jaw[:_REST] *= edge
        lips *= edge
        return MouthShape(
            jaw=jaw[_JAW],
            lower_lip=lips[_LOWER],
            upper_lip=lips[_UPPER],
            spread=lips[_SPREAD],
            pucker=lips[_PUCKER],
            funnel=lips[_FUNNEL],
            tongue=jaw[_TONGUE],
            forward=jaw[_FORWARD],
            close=self._close.highest(times),
            bite=self._bite.highest(times),
            rest=jaw[_REST],
            edge=edge,
        )

    def _blend(
        self,
        times: Float64[np.ndarray, " frames"],
        targets: Float64[np.ndarray, "targets sounds"],
        dominance: Float64[np.ndarray, " sounds"],
        window_s: tuple[float, float],
    ) -> Float64[np.ndarray, "targets frames"]:
        """Return the mean of the targets, weighted by dominance and share of the window."""
        ahead, behind = window_s
        first = int(np.searchsorted(self._bounds, times[0] - behind))
        last = int(np.searchsorted(self._bounds, times[-1] + ahead))
        bounds = self._bounds[first:last]
        passed = np.ones((last - first + 2, len(times)))
        passed[-1] = 0.0
        passed[1:-1] = smoothstep((times - bounds[:, None] + ahead) / (ahead + behind))
        weight = (passed[:-1] - passed[1:]) * dominance[first : last + 1, None]
        blended: Float64[np.ndarray, "targets frames"] = targets[:, first : last + 1] @ weight
        blended /= weight.sum(axis=0)
        return blended


def _sounds(phones: Sequence[Phone], gains: Float64[np.ndarray, " phones"]) -> list[_Sound]:
    """Return the sounds of a line, letter by letter, without the pauses too short to rest in."""
    sounds = []
    ends = {0, len(phones) - 1}
    for index, (phone, gain) in enumerate(zip(phones, gains.tolist(), strict=True)):
        length = phone.end_s - phone.start_s
        if phone.label == "" and length < PAUSE_S and index not in ends:
            continue
        letters = postures(phone.label)
        is_diphthong = len(letters) == 2 and all(letter.is_vowel for letter in letters)
        nucleus = _NUCLEUS_SHARE if is_diphthong else 1.0 / len(letters)
        time = phone.start_s
        for number, posture in enumerate(letters):
            share = nucleus if number == 0 else (1.0 - nucleus) / (len(letters) - 1)
            sounds.append(_Sound(time, time + share * length, posture, gain))
            time += share * length
    return sounds


def _bounds(sounds: Sequence[_Sound]) -> Float64[np.ndarray, " bounds"]:
    """Return the times between sounds; a short pause is halved between its neighbours."""
    spans = np.array([(sound.start_s, sound.end_s) for sound in sounds])
    bounds: Float64[np.ndarray, " bounds"] = (spans[:-1, 1] + spans[1:, 0]) / 2
    return bounds


def _jaw_targets(sound: _Sound) -> tuple[float, float, float, float]:
    posture = sound.posture
    is_rest = float(posture.viseme == "rest")
    return posture.jaw * sound.gain, posture.forward, posture.tongue, is_rest


def _lip_targets(sound: _Sound) -> tuple[float, float, float, float, float]:
    posture, gain = sound.posture, sound.gain
    rounding = min(0.5 + 0.5 * gain, 1.2)
    return (
        posture.lower_lip * gain,
        posture.upper_lip * gain,
        posture.spread * rounding,
        posture.pucker * rounding,
        posture.funnel * rounding,
    )


def _firm(sound: _Sound, dominance: float) -> float:
    """Return a dominance by length: a short ruling consonant and a long yielding one have more."""
    length = sound.end_s - sound.start_s
    if sound.posture.is_vowel:
        return dominance
    if dominance > 1.0:
        return dominance * min(max(_FIRM_S / length, 1.0), 3.0)
    return max(dominance, min((length - _HELD_S) / _HELD_RISE_S, 1.0))


def _contact(sound: _Sound, height: float) -> tuple[float, float, float, float, float]:
    """Return the pulse of a contact: held over the sound, or about a sound shorter than it."""
    length = sound.end_s - sound.start_s
    middle = (sound.start_s + sound.end_s) / 2
    start = min(sound.start_s, middle - CONTACT_S / 2) - _CONTACT_LEAD_S
    end = max(start + CONTACT_S, sound.start_s + 0.8 * length)
    return start - _CLOSING_S, _CLOSING_S, end - start, _OPENING_S, height
