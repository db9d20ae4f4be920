"""What a face shape is made of: bells that push skin, and lips that turn.

Conventions: as in `head_surface`. Movements are written for the left half of the face and hold for
both: they are even across the midline, so nothing creases there. A shape for one side is a share of
the whole (`side_share`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

from unitaf.rigs.head_skin import Skin
from unitaf.rigs.head_surface import Number, Point

Values = Float[np.ndarray, " points"]
Movement = Float[np.ndarray, "points 3"]


class Move(Protocol):
    """One movement of the skin."""

    def of(self, skin: Skin) -> Movement:
        """Return how far every point goes, x towards its own side of the face."""
        ...


def smoothstep(low: float, high: float, value: Values) -> Values:
    """Return 0 up to low, 1 from high and a smooth ramp between; low may be the greater one."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    ramp: Values = share * share * (3.0 - 2.0 * share)
    return ramp


@dataclass(frozen=True, slots=True)
class Bell:
    """Pushes the skin around a place on the left, and around its mirror image."""

    centre: tuple[Number, Number]
    """x and y, seen from the front."""
    radius: tuple[Number, Number]
    push: Point

    def of(self, skin: Skin) -> Movement:
        """Return the push, fading as a Gaussian; sideways it is nothing at the midline."""
        x, y, z = np.abs(skin.points[:, 0]), skin.points[:, 1], skin.points[:, 2]
        (cx, cy), (rx, ry) = self.centre, self.radius
        here, there = np.exp(-(((x - cx) / rx) ** 2)), np.exp(-(((x + cx) / rx) ** 2))
        across = (here + there) / (1.0 + np.exp(-((2.0 * cx / rx) ** 2)))
        weight = across * np.exp(-(((y - cy) / ry) ** 2)) * smoothstep(0.0, 45.0, z)
        movement: Movement = weight[:, None] * np.array(self.push)
        movement[:, 0] *= smoothstep(0.0, 9.0, x)
        return movement


@dataclass(frozen=True, slots=True)
class Lip:
    """Moves one lip: most in the middle, nothing at the corner."""

    side: int
    """1 for the upper lip, -1 for the lower."""
    rings: Mapping[Number, tuple[Number, Number]]
    """How far up and forward, by mouth ring (`Skin.mouth_ring`); linear between."""
    spread: float = 0.6
    """How it fades towards the corner: less is flatter."""

    def of(self, skin: Skin) -> Movement:
        """Return the movement of the lip and the skin around it."""
        up, ahead = (
            np.interp(skin.mouth_ring, list(self.rings), column, left=0.0, right=0.0)
            for column in zip(*self.rings.values(), strict=True)
        )
        weight = np.maximum(np.cos(np.pi / 2 * skin.mouth_along), 0.0) ** self.spread
        weight = weight * (skin.mouth_side == self.side)
        return np.stack([np.zeros_like(up), up * weight, ahead * weight], axis=1)


@dataclass(frozen=True, slots=True)
class Narrow:
    """Draws the mouth together."""

    share: float
    """How much narrower the lips get."""

    def of(self, skin: Skin) -> Movement:
        """Return the movement towards the midline."""
        x, y, z = skin.points.T
        weight = np.exp(-((x / 38.0) ** 2) - ((y + 44.0) / 17.0) ** 2) * smoothstep(0.0, 45.0, z)
        inward = -self.share * np.abs(x) * weight
        return np.stack([inward, np.zeros_like(x), np.zeros_like(x)], axis=1)


def side_share(skin: Skin, softness: float) -> Values:
    """Return the left side's share of every point: 1 on the left, 0 on the right, 0.5 between."""
    return smoothstep(-softness, softness, skin.points[:, 0])


def unfolded(skin: Skin, movement: Movement) -> Movement:
    """Return a movement whose x went towards each point's own side as one in the head's frame."""
    outward, same = np.sign(skin.points[:, 0]), np.ones(len(movement))
    unfolded_movement: Movement = movement * np.stack([outward, same, same], axis=1)
    return unfolded_movement
