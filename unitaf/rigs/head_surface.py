"""The skin of our own head as a distance field: rounded solids melted into each other.

Conventions: millimetres; x to the character's left, y up, z forward; the origin lies between the
ear canals. Proportions follow mean adult anthropometry (head 190 long, 150 wide, 225 high), with
larger eyes. The field is symmetric: it only sees the absolute value of x.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Number = float | int
Point = tuple[Number, Number, Number]
Values = Float[np.ndarray, " points"]

_STEPS = 10
"""Enough to find the skin to a micrometre."""


@dataclass(frozen=True, slots=True)
class _Solid:
    """An ellipsoid, or a tapered capsule from start to end."""

    start: Point
    radii: Point
    end: Point | None = None
    """The radii of a capsule are those of its two ends; the third is not used."""
    melt: Number = 10
    """Over how many millimetres it flows into what is there already."""
    carve: bool = False
    """Whether it is taken away instead of added."""

    def distance(
        self,
        x: Values,
        y: Values,
        z: Values,
    ) -> Values:
        """Return the distance to the surface: exact for a capsule, a bound for an ellipsoid."""
        x, y, z = x - self.start[0], y - self.start[1], z - self.start[2]
        if self.end is None:
            x, y, z = x / self.radii[0], y / self.radii[1], z / self.radii[2]
            near = np.sqrt(x * x + y * y + z * z)
            x, y, z = x / self.radii[0], y / self.radii[1], z / self.radii[2]
            slope = np.sqrt(x * x + y * y + z * z)
            return near * (near - 1.0) / np.maximum(slope, 1e-9)
        ax, ay, az = (end - start for start, end in zip(self.start, self.end, strict=True))
        along = np.clip((x * ax + y * ay + z * az) / (ax * ax + ay * ay + az * az), 0.0, 1.0)
        x, y, z = x - along * ax, y - along * ay, z - along * az
        radius = self.radii[0] + (self.radii[1] - self.radii[0]) * along
        return np.sqrt(x * x + y * y + z * z) - radius


_SOLIDS = (
    # Skull: vault, forehead, back of the head.
    _Solid((0, 48, -14), (73, 78, 86)),
    _Solid((0, 54, 18), (60, 58, 70), melt=30),
    _Solid((0, 30, -40), (68, 62, 58), melt=30),
    # Neck.
    _Solid((0, -50, -22), (44, 44, 0), end=(0, -150, -36), melt=36),
    _Solid((0, -170, -36), (44, 56, 0), end=(0, -230, -48), melt=20),
    # Face: mid-face, cheeks, jaw, chin, line of the jaw, cheek bones, lips and teeth.
    _Solid((0, -2, 32), (60, 62, 56), melt=30),
    _Solid((0, -34, 34), (50, 46, 51), melt=32),
    _Solid((0, -69, 77), (16, 13, 14), melt=26),
    _Solid((40, -46, 8), (8, 8, 0), end=(0, -72, 66), melt=34),
    _Solid((42, -5, 55), (19, 15, 16), melt=36),
    _Solid((0, -38, 68), (26, 23, 31), melt=20),
    # Brow ridge, then the hollows of the eyes.
    _Solid((0, 42, 80), (7, 5, 0), end=(44, 42, 58), melt=28),
    _Solid((32, 21, 94), (17, 11, 12.5), melt=24, carve=True),
    # Nose: bridge, tip, wings, the part between the nostrils.
    _Solid((0, 32, 84), (6, 6.5, 0), end=(0, -2, 102), melt=18),
    _Solid((0, -8, 107), (8, 7.5, 8.5), melt=10),
    _Solid((9.5, -13.5, 98), (5.2, 5.6, 8), melt=8),
    _Solid((0, -16, 102), (4, 4.5, 6.5), melt=6),
    # Groove under the nose, fold above the chin.
    _Solid((0, -30, 109.5), (3.2, 9, 5), melt=6, carve=True),
    _Solid((0, -60, 106), (16, 5, 10), melt=16, carve=True),
)


def distance(points: Float[np.ndarray, "points 3"]) -> Values:
    """Return about how far points lie outside the skin; negative inside."""
    x, y, z = np.abs(points[:, 0]), points[:, 1].copy(), points[:, 2].copy()
    field = np.full(len(points), 1e3)
    for solid in _SOLIDS:
        one = solid.distance(x, y, z)
        if solid.carve:
            field = -_melted(-field, one, solid.melt)
        else:
            field = _melted(field, one, solid.melt)
    return field


def project(points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
    """Move points along rays from the inside of the head onto the skin."""
    height = points[:, 1]
    low = np.minimum(height + 40.0 * np.clip((height + 150.0) / 50.0, 0.0, 1.0), 0.0)
    origin = np.stack([np.zeros(len(points)), low, -12.0 + 0.2 * low], axis=1)
    direction = points - origin
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return _crossing(origin, direction, 20.0, 160.0)


def on_front(places: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 3"]:
    """Return the frontmost points of the skin at given x and y."""
    origin = np.concatenate([places, np.full((len(places), 1), 20.0)], axis=1)
    return _crossing(origin, np.broadcast_to([0.0, 0.0, 1.0], origin.shape), 0.0, 120.0)


def _crossing(
    origin: Float[np.ndarray, "points 3"],
    direction: Float[np.ndarray, "points 3"],
    inside: float,
    outside: float,
) -> Float[np.ndarray, "points 3"]:
    """Return where rays cross the skin, by the Illinois form of false position."""
    near, far = np.full(len(origin), inside), np.full(len(origin), outside)
    below = distance(origin + direction * near[:, None])
    above = distance(origin + direction * far[:, None])
    was_out = np.zeros(len(origin), bool)
    for step in range(_STEPS):
        middle = (near * above - far * below) / (above - below)
        value = distance(origin + direction * middle[:, None])
        is_out = value > 0
        kept = np.where((is_out == was_out) & (step > 0), 0.5, 1.0)
        far, near = np.where(is_out, middle, far), np.where(is_out, near, middle)
        above = np.where(is_out, value, above * kept)
        below = np.where(is_out, below * kept, value)
        was_out = is_out
    crossing: Float[np.ndarray, "points 3"] = origin + direction * middle[:, None]
    return crossing


def _melted(first: Values, second: Values, melt: Number) -> Values:
    overlap = np.maximum(1.5 * melt - np.abs(first - second), 0.0) / (1.5 * melt)
    melted: Values = np.minimum(first, second) - overlap**3 * melt * 0.25
    return melted
