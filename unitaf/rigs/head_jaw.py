"""How the jaw of our own head moves: what hangs on it, and how it opens and slides.

Conventions: as in `head_surface`. Opening turns the jaw about the axis through its two joints in
front of the ears while they glide forward; sideways it turns about a vertical between them.
"""

import numpy as np
from jaxtyping import Float

from unitaf.rigs.head_face import smoothstep
from unitaf.rigs.head_skin import Skin

Values = Float[np.ndarray, " points"]
Points = Float[np.ndarray, "points 3"]

TONGUE_OUT_OPENING = 0.32
"""How far the jaw opens to let the tongue out."""

_JOINT_Z = 10.0
"""The joints are level with the ear canals."""
_OPENING_DEG, _GLIDE = 20.0, np.array([0.0, -2.0, 8.0])
_FORWARD, _SIDEWAYS = np.array([0.0, -0.5, 7.0]), 9.0
_CORNER_WEIGHT = 0.44
_LIPS_SIDEWAYS = 9.0


def bone_movement(name: str, points: Points) -> Points:
    """Return how far points of the jaw bone go in a shape; nothing if it does not move the jaw."""
    match name:
        case "jawOpen":
            return opening(points)
        case "tongueOut":
            return opening(points, TONGUE_OUT_OPENING)
        case "jawForward":
            return np.tile(_FORWARD, (len(points), 1))
        case "jawLeft":
            return _to_the_left(points)
        case "jawRight":
            return _mirrored(_to_the_left(_mirrored(points)))
        case _:
            return np.zeros_like(points)


def skin_movement(name: str, skin: Skin) -> Points:
    """Return how far the skin goes with the jaw in a shape, or the lips over it."""
    match name:
        case "mouthClose":
            return _closing(skin)
        case "mouthLeft":
            return _lips_to_the_left(skin.points)
        case "mouthRight":
            return _mirrored(_lips_to_the_left(_mirrored(skin.points)))
        case _:
            movement: Points = jaw_weight(skin)[:, None] * bone_movement(name, skin.points)
            return movement


def opening(points: Points, share: float = 1.0) -> Points:
    """Return how far points of the jaw bone go when it opens."""
    angle = np.radians(_OPENING_DEG * share)
    x, y, z = points[:, 0], points[:, 1], points[:, 2] - _JOINT_Z
    turned = np.stack(
        [x, y * np.cos(angle) - z * np.sin(angle), z * np.cos(angle) + y * np.sin(angle)], axis=1
    )
    movement: Points = turned + [0.0, 0.0, _JOINT_Z] + _GLIDE * share - points
    return movement


def jaw_weight(skin: Skin) -> Values:
    """Return how much of the jaw's movement every point of the skin takes part in."""
    y, z = skin.points[:, 1], skin.points[:, 2]
    below = np.degrees(np.arctan2(y, np.maximum(z - _JOINT_Z, 1e-3)))
    face = smoothstep(-19.0, -42.0, below) * smoothstep(2.0, 60.0, z)
    face *= smoothstep(-132.0, -92.0, y)
    side = np.where(skin.mouth_side > 0, -_CORNER_WEIGHT, 1.0 - _CORNER_WEIGHT)
    lip = _CORNER_WEIGHT + side * np.abs(skin.mouth_side) * _parting(skin.mouth_along)
    lip += (0.5 - lip) * smoothstep(-1.8, -3.0, skin.mouth_ring)
    weight: Values = lip + (face - lip) * smoothstep(0.8, 2.8, skin.mouth_ring)
    return weight


def _parting(along: Values) -> Values:
    """Return how much of the jaw's movement parts the lips: all in the middle, none at the end."""
    parting: Values = np.maximum(np.cos(np.pi / 2 * along), 0.0) ** 0.75
    return parting


def _mirrored(vectors: Points) -> Points:
    mirrored: Points = vectors * [-1.0, 1.0, 1.0]
    return mirrored


def _to_the_left(points: Points) -> Points:
    x, z = points[:, 0], points[:, 2] - _JOINT_Z
    turn = _SIDEWAYS / 85.0
    return np.stack([turn * z, np.zeros_like(x), -turn * x], axis=1)


def _lips_to_the_left(points: Points) -> Points:
    """Return the lips' way to the left around the teeth, whose arch falls back with x squared."""
    x, y, z = points.T
    near = np.exp(-((x / 34.0) ** 2) - ((y + 44.0) / 24.0) ** 2) * smoothstep(30.0, 70.0, z)
    back = np.clip(-0.017 * _LIPS_SIDEWAYS * (2.0 * x + _LIPS_SIDEWAYS), -6.0, 4.0)
    movement: Points = near[:, None] * np.stack([0.0 * x + _LIPS_SIDEWAYS, 0.06 * x, back], axis=1)
    return movement


def _closing(skin: Skin) -> Points:
    """Return what brings the lips together on the open jaw: most of the way the lower one."""
    ring, side = skin.mouth_ring, skin.mouth_side
    slit = np.flatnonzero((ring == 0) & (side >= 0) & (skin.points[:, 0] >= 0))
    slit = slit[np.argsort(skin.mouth_along[slit])]
    on_slit = np.stack(
        [
            np.interp(skin.mouth_along, skin.mouth_along[slit], skin.points[slit, axis])
            for axis in range(3)
        ],
        axis=1,
    )
    gap = opening(on_slit) * _parting(skin.mouth_along)[:, None]
    gap[:, 0] = 0.0
    gap[:, 1] -= 1.5 * np.cos(np.pi / 2 * skin.mouth_along)
    share = np.where(side < 0, -0.62, 0.38) * np.abs(side)
    near = smoothstep(3.0, 0.9, ring) * smoothstep(-2.0, -0.8, ring)
    closing: Points = gap * (share * near)[:, None]
    return closing
