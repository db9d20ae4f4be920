"""Lip metrics: how far the mouth opens, and whether it shuts where it must.

Conventions: vertices in metres in the rig's neutral space, y up, without head pose; curves by
channel name; phones and frames on the same clock, frame i at i / fps. One sequence at a time,
results in float64. This module knows nothing about models or files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from unitaf import timing
from unitaf.rigs.arkit import column_indices
from unitaf.types import Phone

BILABIALS = ("p", "b", "m", "ɓ")
"""How the labels of sounds begin that need closed lips."""


def mouth_opening(
    vertices: Float[np.ndarray, "frames points 3"], lips: Int[np.ndarray, " lips"]
) -> Float[np.ndarray, " frames"]:
    """Return the height of the lips of each frame: highest minus lowest y of the lip vertices.

    UniTAF's mouth openness (arXiv 2602.15651, eq. 2). Shut lips have a height too: subtract that of
    the neutral face to have an opening that is 0 when shut.

    Raises:
        ValueError: If the vertices are not finite (frames, points, 3) or a lip vertex is missing.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3 or not np.isfinite(vertices).all():
        raise ValueError(f"vertices must be finite (frames, points, 3), not {vertices.shape}")
    if lips.size == 0 or lips.min() < 0 or lips.max() >= vertices.shape[1]:
        raise ValueError(f"lips must be indices of the {vertices.shape[1]} vertices, at least one")
    heights = vertices[:, lips, 1].astype(np.float64)
    opening: np.ndarray = heights.max(axis=1) - heights.min(axis=1)
    return opening


def mouth_opening_difference(
    predicted: Float[np.ndarray, "frames points 3"],
    target: Float[np.ndarray, "frames points 3"],
    lips: Int[np.ndarray, " lips"],
) -> float:
    """Return the absolute difference of `mouth_opening`, averaged over frames (MOD).

    After Sun et al. 2024 (DiffPoseTalk, arXiv 2310.00434), who describe it in words.

    Args:
        predicted: Vertices in metres.
        target: Vertices in metres, same frames.
        lips: Indices of the lip vertices.

    Returns:
        Metres; 0 is perfect.

    Raises:
        ValueError: If the shapes differ, there is no frame, or `mouth_opening` refuses a side.
    """
    if predicted.shape != target.shape or len(predicted) == 0:
        raise ValueError(f"predicted is {predicted.shape} but target is {target.shape}")
    return float(np.abs(mouth_opening(predicted, lips) - mouth_opening(target, lips)).mean())


def lip_parting(
    curves: Float[np.ndarray, "frames channels"], channels: Sequence[str]
) -> Float[np.ndarray, " frames"]:
    """Return how far curves part the lips, without a rig: 0 is shut.

    The jaw as far as mouthClose does not close over it, plus what draws the lips apart: the sides'
    mean of mouthLowerDown and mouthUpperUp, and mouthFunnel.

    Raises:
        ValueError: If a channel is missing or a number is not finite.
    """
    wanted = (
        "jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight",
        "mouthUpperUpLeft", "mouthUpperUpRight",
    )  # fmt: skip
    if not np.isfinite(curves).all():
        raise ValueError("curves must be finite numbers")
    columns = curves[:, column_indices(channels, wanted)].astype(np.float64)
    jaw = np.maximum(columns[:, 0] - columns[:, 1], 0.0)
    parting: np.ndarray = jaw + columns[:, 2] + columns[:, 3:].sum(axis=1) / 2.0
    return parting


@dataclass(frozen=True, slots=True)
class Closures:
    """How many bilabial sounds there were, and in how many the lips met; sums over clips."""

    closed: int
    bilabials: int

    @property
    def rate(self) -> float:
        """The share that met.

        Raises:
            ValueError: If there was no bilabial.
        """
        if self.bilabials == 0:
            raise ValueError("no bilabial sound, so there is no closure rate")
        return self.closed / self.bilabials

    def __add__(self, other: "Closures") -> "Closures":
        return Closures(self.closed + other.closed, self.bilabials + other.bilabials)


def bilabial_closures(
    phones: Sequence[Phone], opening: Float[np.ndarray, " frames"], fps: float, threshold: float
) -> Closures:
    """Count the /p b m/ in which the lips meet: where the opening falls to a threshold.

    The motion between frames is linear, so a sound shorter than a frame counts too.

    Args:
        phones: Labels and times.
        opening: `lip_parting`, or `mouth_opening` less that of the neutral face.
        fps: Frames a second.
        threshold: The largest opening that looks shut, in the opening's unit.

    Raises:
        ValueError: If there is no frame or the opening is not finite.
    """
    if opening.ndim != 1 or opening.size == 0 or not np.isfinite(opening).all():
        raise ValueError(f"opening must be finite numbers, one a frame, not {opening.shape}")
    bilabials = [phone for phone in phones if phone.label.startswith(BILABIALS)]
    smallest = [_smallest(opening, phone, fps) for phone in bilabials]
    return Closures(sum(value <= threshold for value in smallest), len(bilabials))


def _smallest(opening: Float[np.ndarray, " frames"], phone: Phone, fps: float) -> float:
    """Return the smallest opening during a sound, its two ends included."""
    times = timing.frame_times(len(opening), fps)
    inside = opening[(times >= phone.start_s) & (times <= phone.end_s)]
    ends = np.interp([phone.start_s, phone.end_s], times, opening)
    return float(min(ends.min(), inside.min(initial=np.inf)))
