"""What a face does besides speaking: blinks, brows, head and gaze, timed by accents and phrases.

Events are drawn once for a line, in seconds, so no frame rate changes them. Sources: blink rate in
conversation (Bentivoglio et al. 1997) and blink shape, closing faster than opening (Trutoiu et al.
2011); saccade length by the main sequence, 21 ms and 2.2 ms a degree (Carpenter 1988), and gaze
that leaves the listener now and then (Lee, Badler and Badler 2002); brows and head on pitch accents
(Cave et al. 1996; Munhall et al. 2004). The eyes turn against the head, so they stay on the
listener.

Conventions: radians; yaw to the own left, pitch down and roll to the own right shoulder are
positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from unitaf.face.emotion_poses import Manner
from unitaf.face.envelopes import Drifts, Pulses, Steps, smoothstep
from unitaf.face.prosody import Prosody

_BLINK_S = (0.085, 0.045, 0.180)
"""Closing, shut and opening; shut for longer than a frame at 24 fps, so a frame shows it."""
_BLINK_SPACING_S = 0.45
_BLINK_PULL_S = 0.7
"""How far a blink is moved to the end of a phrase."""
_HEAD_EDGE_S = 0.40
"""How long the head takes to leave and to reach zero at the ends of a line."""
_HEAD_HOLD_S = 0.6
_GAZE_EDGE_S = 0.12
_DEGREE = np.pi / 180.0
_STEADIED = 0.7
"""The part of head movement that the eyes make good."""


@dataclass(frozen=True, slots=True, eq=False)
class EyesAndHead:
    """What eyes and head do at each of some times."""

    blink: Float64[np.ndarray, " frames"]
    head: Float64[np.ndarray, "3 frames"]
    """Yaw, pitch and roll."""
    gaze: Float64[np.ndarray, "2 frames"]
    """Yaw and pitch of the eyes in the head, without vergence."""


@dataclass(frozen=True, slots=True, eq=False)
class Brows:
    """What brows do at each of some times."""

    inner: Float64[np.ndarray, " frames"]
    outer: Float64[np.ndarray, " frames"]
    wander: Float64[np.ndarray, "2 frames"]
    """Two slow drifts, -1 to 1."""


class EyesAndHeadPlan:
    """The blinks, gaze and head of one line, at any time.

    Args:
        prosody: Of the line.
        duration_s: Of the line.
        manner: How large and how often the face moves.
        blinks_per_minute: Of an ordinary face.
        random: Generators for blinks, head, gaze and drift.
    """

    def __init__(
        self,
        prosody: Prosody,
        duration_s: float,
        manner: Manner,
        blinks_per_minute: float,
        random: Sequence[np.random.Generator],
    ) -> None:
        blinks, head, gaze, drift = random
        self._duration_s = duration_s
        self._blinks = _blinks(prosody, duration_s, blinks_per_minute * manner.blink_rate, blinks)
        self._turns = _head_turns(prosody, duration_s, manner.gestures, head)
        self._nods = _nods(prosody, manner.gestures, head)
        self._looks = _looks(prosody, duration_s, manner.gaze_rate, gaze)
        self._drifts = Drifts.draw(drift, 3)
        self._sway = 0.012 * manner.gestures

    def at(self, times: Float64[np.ndarray, " frames"]) -> EyesAndHead:
        """Return eyes and head at ascending times."""
        left_s = self._duration_s - times
        head = np.array([turn.at(times) for turn in self._turns])
        head += self._sway * self._drifts.at(times)
        head[1] += self._nods.total(times)
        head *= smoothstep(times / _HEAD_EDGE_S) * smoothstep(left_s / _HEAD_EDGE_S)
        gaze = np.array([look.at(times) for look in self._looks]) - _STEADIED * head[:2]
        gaze *= smoothstep(left_s / _GAZE_EDGE_S)
        return EyesAndHead(self._blinks.highest(times), head, gaze)


class BrowPlan:
    """The brows of one line, at any time.

    Args:
        prosody: Of the line.
        manner: How large the face moves.
        random: Generators for brows and drift.
    """

    def __init__(
        self, prosody: Prosody, manner: Manner, random: Sequence[np.random.Generator]
    ) -> None:
        brows, drift = random
        self._inner, self._outer = _brows(prosody, manner.brow_accents, brows)
        self._drifts = Drifts.draw(drift, 2)

    def at(self, times: Float64[np.ndarray, " frames"]) -> Brows:
        """Return the brows at ascending times."""
        inner, outer = self._inner.highest(times), self._outer.highest(times)
        return Brows(inner, outer, self._drifts.at(times))


def emphasis_of(prosody: Prosody) -> Pulses:
    """Return how much a line is stressed, 0 to 1: high on its accents."""
    return Pulses.of([(a.time_s - 0.16, 0.16, 0.06, 0.30, a.strength) for a in prosody.accents])


def _blinks(
    prosody: Prosody, duration_s: float, per_minute: float, random: np.random.Generator
) -> Pulses:
    """Draw blinks at log-normal intervals, most of them pulled to a near end of a phrase."""
    if per_minute <= 0.0:
        return Pulses.of([])
    interval_s = 60.0 / per_minute
    length_s = sum(_BLINK_S)
    ends = np.array([phrase.end_s for phrase in prosody.phrases])
    rows = []
    time = interval_s * random.uniform(0.1, 1.0)
    last = -_BLINK_SPACING_S
    while time < duration_s:
        start = time
        if len(ends) and random.random() < 0.7:
            end = float(ends[np.argmin(np.abs(ends - time))])
            start = end - 0.05 if abs(end - time) < _BLINK_PULL_S else time
        start = min(start, duration_s - length_s)
        if start >= max(last + _BLINK_SPACING_S, 0.0):
            rows.append((start, *_BLINK_S, float(random.uniform(0.93, 1.0))))
            last = start
        time += interval_s * max(0.15, float(random.lognormal(-0.18, 0.6)))
    return Pulses.of(rows)


def _brows(prosody: Prosody, amount: float, random: np.random.Generator) -> tuple[Pulses, Pulses]:
    """Raise the brows on some accents, the strong ones more often, and towards a question's end."""
    rows = []
    for accent in prosody.accents:
        chance, height, lead = random.random(), random.uniform(0.7, 1.3), random.uniform(0.02, 0.08)
        if chance < 0.25 + 0.6 * accent.strength:
            raised = amount * height * (0.08 + 0.22 * accent.strength)
            rows.append((accent.time_s - 0.17 - lead, 0.17, 0.08, 0.38, raised))
    for phrase in prosody.phrases:
        height = random.uniform(0.7, 1.2)
        if phrase.is_question:
            start = max(phrase.start_s, phrase.end_s - 0.55)
            rows.append((start, 0.25, phrase.end_s - start, 0.45, 0.26 * amount * height))
    outer = [(*row[:4], 0.75 * row[4]) for row in rows]
    return Pulses.of(rows), Pulses.of(outer)


def _head_turns(
    prosody: Prosody, duration_s: float, amount: float, random: np.random.Generator
) -> tuple[Steps, Steps, Steps]:
    """Turn the head to a new bearing with each phrase and about every other second within it."""
    yaw, pitch, roll = [], [], []
    for phrase in prosody.phrases:
        time = phrase.start_s - 0.15
        while time < phrase.end_s - _HEAD_HOLD_S or time < phrase.start_s:
            move = float(random.uniform(0.45, 0.8))
            bearing = np.clip(random.normal(size=3), -1.8, 1.8) * amount
            yaw.append((time, move, 0.055 * bearing[0]))
            pitch.append((time, move, 0.022 * bearing[1]))
            roll.append((time, move, 0.030 * bearing[2]))
            time += move + _HEAD_HOLD_S + float(random.exponential(0.8))
        tilt = 0.045 if phrase.is_question else 0.0
        lift = -0.030 if phrase.is_question else 0.018
        side = 1.0 if random.random() < 0.5 else -1.0
        settle = phrase.end_s - 0.25
        pitch.append((settle, 0.45, lift * amount))
        roll.append((settle, 0.45, side * tilt * amount))
    return Steps.of(yaw), Steps.of(pitch), Steps.of(roll)


def _nods(prosody: Prosody, amount: float, random: np.random.Generator) -> Pulses:
    """Dip the head on accents, after a small lift."""
    rows = []
    for accent in prosody.accents:
        depth = amount * accent.strength * float(random.uniform(0.3, 1.1)) * 0.050
        rows.append((accent.time_s - 0.30, 0.14, 0.02, 0.14, -0.25 * depth))
        rows.append((accent.time_s - 0.14, 0.16, 0.03, 0.30, depth))
    return Pulses.of(rows)


def _looks(
    prosody: Prosody, duration_s: float, rate: float, random: np.random.Generator
) -> tuple[Steps, Steps]:
    """Draw saccades: small ones about the listener's face, now and then a look away and back."""
    yaw, pitch = [], []
    starts = np.array([phrase.start_s for phrase in prosody.phrases])
    time, away = float(random.uniform(0.15, 0.9)), False
    here = np.zeros(2)
    while time < duration_s - 0.2:
        near_start = len(starts) > 0 and np.min(np.abs(starts - time)) < 0.5
        away = not away and random.random() < (0.30 if near_start else 0.10)
        if away:
            side = 1.0 if random.random() < 0.5 else -1.0
            there = np.array([side * random.uniform(5.0, 11.0), random.uniform(-4.0, 5.0)])
        else:
            there = np.clip(random.normal(size=2), -2.0, 2.0) * (1.3, 0.8)
        size = float(np.hypot(*(there - here)))
        length = 0.021 + 0.0022 * size
        yaw.append((time, length, there[0] * _DEGREE))
        pitch.append((time, length, there[1] * _DEGREE))
        here = there
        dwell = random.uniform(0.4, 0.9) if away else 0.3 + random.lognormal(-0.5, 0.6)
        time += length + float(dwell) / rate
    return Steps.of(yaw), Steps.of(pitch)
