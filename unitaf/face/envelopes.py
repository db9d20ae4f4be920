"""The continuous-time curves that gestures are made of: pulses, steps and drift.

Each is a function of time in seconds, evaluated at any frame times, so that every frame rate
samples the same motion. Transitions are smoothsteps: they start and end at rest, and one of height
h and length d never moves faster than 1.5 h / d. Only events near the asked times are computed, so
a long clip can be evaluated piece by piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64


def smoothstep(position: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Return ``3 x^2 - 2 x^3`` of positions, held at 0 below 0 and at 1 above 1."""
    x = np.minimum(np.maximum(position, 0.0), 1.0)
    smooth: Float64[np.ndarray, "*shape"] = x * x * (3.0 - 2.0 * x)
    return smooth


@dataclass(frozen=True, slots=True, eq=False)
class Pulses:
    """Events that rise from zero, hold, and fall back to zero.

    Args:
        events: Each row is start, rise, hold and fall in seconds, and height.
    """

    events: Float64[np.ndarray, "events 5"]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float, float, float]]) -> "Pulses":
        """Make pulses of (start_s, rise_s, hold_s, fall_s, height) rows."""
        return cls(np.array(rows, np.float64).reshape(-1, 5))

    def each(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, "near frames"]:
        """Return every pulse that is not zero throughout the times, which must ascend."""
        start, rise, hold, fall, _ = self.events.T
        near = (start < times[-1]) & (start + rise + hold + fall > times[0])
        start, rise, hold, fall, height = self.events[near].T[:, :, None]
        since = times - start
        level = smoothstep(since / rise) - smoothstep((since - rise - hold) / fall)
        pulses: Float64[np.ndarray, "near frames"] = level * height
        return pulses

    def total(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, " frames"]:
        """Return the sum of the pulses."""
        total: Float64[np.ndarray, " frames"] = self.each(times).sum(axis=0)
        return total

    def highest(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, " frames"]:
        """Return the highest pulse at each time, or zero."""
        highest: Float64[np.ndarray, " frames"] = self.each(times).max(axis=0, initial=0.0)
        return highest


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A value that moves from target to target and stays there in between; it begins at zero.

    Args:
        start_s: Of each move, in order of time.
        move_s: Length of each.
        change: How much each adds to the value.
    """

    start_s: Float64[np.ndarray, " moves"]
    move_s: Float64[np.ndarray, " moves"]
    change: Float64[np.ndarray, " moves"]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float]]) -> "Steps":
        """Make steps of (start_s, move_s, value moved to) rows in order of time."""
        start_s, move_s, value = np.array(rows, np.float64).reshape(-1, 3).T
        return cls(start_s, move_s, np.diff(value, prepend=0.0))

    def at(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, " frames"]:
        """Return the value at ascending times."""
        done = self.start_s + self.move_s <= times[0]
        near = ~done & (self.start_s < times[-1])
        moved = smoothstep((times - self.start_s[near, None]) / self.move_s[near, None])
        value_now: Float64[np.ndarray, " frames"] = self.change[near] @ moved
        return value_now + float(self.change[done].sum())


@dataclass(frozen=True, slots=True, eq=False)
class Drifts:
    """Slow wanders about zero: each the mean of a few sine waves of unlike frequency.

    Args:
        frequency_hz: Of each wave.
        phase: Of each wave, in radians.
    """

    frequency_hz: Float64[np.ndarray, "drifts waves"]
    phase: Float64[np.ndarray, "drifts waves"]

    @classmethod
    def draw(cls, random: np.random.Generator, count: int) -> "Drifts":
        """Draw drifts of 0.1 to 0.7 Hz."""
        drawn = [
            (random.uniform((0.1, 0.25, 0.45), (0.2, 0.4, 0.7)), random.uniform(0, 2 * np.pi, 3))
            for _ in range(count)
        ]
        frequency_hz, phase = np.array(drawn).swapaxes(0, 1)
        return cls(frequency_hz, phase)

    def at(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, "drifts frames"]:
        """Return the drifts, -1 to 1."""
        angle = 2 * np.pi * self.frequency_hz[..., None] * times + self.phase[..., None]
        mean: Float64[np.ndarray, "drifts frames"] = np.sin(angle).mean(axis=1)
        return mean
