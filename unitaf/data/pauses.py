"""Where a recording is silent, and where a long one may be cut.

Conventions: activity is judged every 10 ms against the recording's own level, so quiet and loud
recordings are cut alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from unitaf import timing

ACTIVITY_RATE = 100.0

_BELOW_SPEECH_DB = 35.0
"""What lies this far below the loud parts of a recording is silence, if its noise allows."""
_ABOVE_NOISE_DB = 6.0
_LEAST_RANGE_DB = 12.0
_FLOOR = 1e-10


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a recording."""

    start_s: float
    end_s: float
    is_whole: bool = True
    """Whether it begins and ends in pauses (or where the recording does) and is short enough."""

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


def levels_db(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int
) -> Float[np.ndarray, " hops"]:
    """Return the loudness of every 10 ms, in decibels of full scale."""
    hops = timing.num_frames(len(waveform), sample_rate, ACTIVITY_RATE)
    times = timing.frame_times(hops, ACTIVITY_RATE).tolist()
    last = len(waveform) - 1
    starts = np.array([min(timing.num_samples(time_s, sample_rate), last) for time_s in times])
    power = np.add.reduceat(np.square(waveform, dtype=np.float64), starts)
    lengths = np.diff(starts, append=len(waveform))
    levels: Float[np.ndarray, " hops"] = 10.0 * np.log10(power / lengths + _FLOOR)
    return levels


def is_active(levels: Float[np.ndarray, " hops"]) -> Bool[np.ndarray, " hops"]:
    """Return which hops of 10 ms hold sound, by their loudness."""
    speech, noise = np.percentile(levels, [95, 10])
    threshold = max(
        speech - _BELOW_SPEECH_DB, min(noise + _ABOVE_NOISE_DB, speech - _LEAST_RANGE_DB)
    )
    active: Bool[np.ndarray, " hops"] = levels > threshold
    return active


def find_pauses(active: Bool[np.ndarray, " hops"], shortest_s: float) -> list[Piece]:
    """Return the silent stretches of at least a length."""
    edges = np.diff(np.concatenate([[False], ~active, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    pauses = (
        Piece(start / ACTIVITY_RATE, end / ACTIVITY_RATE)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )
    return [pause for pause in pauses if pause.duration_s >= shortest_s]


def cut(
    duration_s: float, pauses: Sequence[Piece], shortest_s: float, longest_s: float
) -> list[Piece]:
    """Cut a recording in the middle of pauses into pieces of a length.

    Where no pause comes in time, the stretch up to the next one is a piece that is not whole.

    Args:
        duration_s: Of the recording.
        pauses: In order.
        shortest_s: No piece shall be shorter.
        longest_s: No piece shall be longer.
    """
    pieces: list[Piece] = []
    start = 0.0
    while duration_s - start > longest_s:
        ahead = [
            pause
            for pause in pauses
            if _middle(pause) >= start + shortest_s and _middle(pause) <= duration_s - shortest_s
        ]
        near = [pause for pause in ahead if _middle(pause) <= start + longest_s]
        late = [pause for pause in near if _middle(pause) >= start + longest_s / 2]
        if near:
            # The longest pause, but not so early that pieces become many and short.
            end = _middle(max(late or near, key=lambda pause: pause.duration_s))
        else:
            end = _middle(ahead[0]) if ahead else duration_s
        pieces.append(Piece(start, end, is_whole=bool(near)))
        start = end
    if duration_s > start:
        pieces.append(Piece(start, duration_s))
    return pieces


def _middle(pause: Piece) -> float:
    return (pause.start_s + pause.end_s) / 2
