"""Timing metrics: how early or late a mouth moves.

Conventions: both sides are mouth openings (`lips.mouth_opening`, `lips.lip_parting`) on the same
frames, in any unit; times are seconds. This module knows nothing about audio.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy import signal

EXTREMUM_PROMINENCE = 0.1
"""How far a peak or valley must stand out to be one, as a share of the whole range."""


def sync_offset(
    predicted: Float[np.ndarray, " frames"],
    target: Float[np.ndarray, " frames"],
    fps: float,
    max_offset_s: float = 0.5,
) -> float:
    """Return by how much the prediction is late, by cross-correlation.

    The shift with the highest correlation coefficient over the frames that overlap, refined between
    frames by a parabola through its neighbours.

    Args:
        predicted: Mouth opening.
        target: Mouth opening, same frames.
        fps: Frames a second.
        max_offset_s: The largest shift to look for; at least half the frames must overlap.

    Returns:
        Seconds; 0 is in sync, above 0 is late.

    Raises:
        ValueError: If the lengths differ, a side is not finite or constant, or the shift is too
            large for the clip.
    """
    _check(predicted, target)
    most = int(max_offset_s * fps)
    if not 1 <= most <= len(target) // 2:
        raise ValueError(f"a shift of {max_offset_s} s does not fit {len(target)} frames at {fps}")
    shifts = sorted(range(-most, most + 1), key=abs)
    scores = {shift: _correlation(predicted, target, shift) for shift in shifts}
    best = max(shifts, key=lambda shift: scores[shift])
    if abs(best) == most:
        return best / fps
    before, peak, after = (scores[best + step] for step in (-1, 0, 1))
    bend = before - 2.0 * peak + after
    between = 0.0 if bend == 0.0 else 0.5 * (before - after) / bend
    return (best + between) / fps


def temporal_misalignment(
    predicted: Float[np.ndarray, " frames"],
    target: Float[np.ndarray, " frames"],
    fps: float,
    max_offset_s: float = 0.5,
) -> float:
    """Return how far apart in time the two mouths open and shut, on average (MTM).

    Derivative dynamic time warping (Keogh and Pazzani 2001) pairs the frames; the time between the
    target's peaks and valleys and their partners is averaged (Chae-Yeon et al. 2025, arXiv
    2503.20308, without their smoothing).

    Args:
        predicted: Mouth opening.
        target: Mouth opening, same frames.
        fps: Frames a second.
        max_offset_s: No frame is paired with one farther away.

    Returns:
        Seconds; 0 is in sync.

    Raises:
        ValueError: If the lengths differ, a side is not finite or constant, there are fewer than
            three frames, or the target has neither peak nor valley.
    """
    _check(predicted, target)
    turns = extrema(target)
    if turns.size == 0:
        raise ValueError("the target opening has neither peak nor valley to time")
    path = _warping_path(_slope(predicted), _slope(target), int(max_offset_s * fps))
    late = [path[path[:, 1] == frame, 0].mean() - frame for frame in turns]
    return float(np.abs(late).mean() / fps)


def extrema(opening: Float[np.ndarray, " frames"]) -> Int[np.ndarray, " extrema"]:
    """Return the frames of a mouth's peaks and valleys that stand out; there may be none."""
    exact = np.asarray(opening, np.float64)
    prominence = EXTREMUM_PROMINENCE * np.ptp(exact)
    peaks, _ = signal.find_peaks(exact, prominence=prominence)
    valleys, _ = signal.find_peaks(-exact, prominence=prominence)
    found: np.ndarray = np.concatenate([peaks, valleys])
    return found


def _check(predicted: np.ndarray, target: np.ndarray) -> None:
    if predicted.ndim != 1 or predicted.shape != target.shape:
        raise ValueError(f"predicted is {predicted.shape} but target is {target.shape}")
    if len(target) < 3:
        raise ValueError(f"timing needs at least 3 frames, not {len(target)}")
    for side in (predicted, target):
        if not np.isfinite(side).all() or np.ptp(side) == 0.0:
            raise ValueError("a mouth opening must be finite numbers that are not all the same")


def _correlation(predicted: np.ndarray, target: np.ndarray, late: int) -> float:
    """Return the correlation with the target delayed by `late` frames; -1 for a constant part."""
    shifted = predicted[max(late, 0) : len(predicted) + min(late, 0)].astype(np.float64)
    still = target[max(-late, 0) : len(target) + min(-late, 0)].astype(np.float64)
    shifted, still = shifted - shifted.mean(), still - still.mean()
    power = float(np.sqrt((shifted @ shifted) * (still @ still)))
    return float(shifted @ still) / power if power > 0.0 else -1.0


def _slope(values: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """Return Keogh and Pazzani's derivative: the mean of the slope before and that across."""
    exact = np.asarray(values, np.float64)
    before, across = exact[1:-1] - exact[:-2], (exact[2:] - exact[:-2]) / 2.0
    slope: np.ndarray = np.pad((before + across) / 2.0, 1, mode="edge")
    return slope


def _warping_path(
    predicted: Float[np.ndarray, " frames"], target: Float[np.ndarray, " frames"], band: int
) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs of frames of the cheapest warping, within a band, diagonal steps first."""
    count = len(target)
    total = np.full((count + 1, count + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(2 * count - 1):
        rows = np.arange(max(0, diagonal - count + 1), min(count, diagonal + 1))
        rows = rows[np.abs(2 * rows - diagonal) <= band]
        columns = diagonal - rows
        straight = np.minimum(total[rows, columns + 1], total[rows + 1, columns])
        cheapest = np.minimum(straight, total[rows, columns])
        cost = (predicted[rows] - target[columns]) ** 2
        total[rows + 1, columns + 1] = cost + cheapest
    pairs = [(count - 1, count - 1)]
    while pairs[-1] != (0, 0):
        row, column = pairs[-1]
        steps = ((row - 1, column - 1), (row - 1, column), (row, column - 1))
        pairs.append(min(steps, key=lambda step: total[step[0] + 1, step[1] + 1]))
    return np.array(pairs)
