"""How eyes and lids of our own head move.

Conventions: as in `head_surface`. A look turns the eyeball; the lids follow a look up or down as
they do in life, and lie on the eyeball in every shape.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unitaf.rigs.head_parts import lash_points
from unitaf.rigs.head_skin import EYE_CENTRE, Skin, place_lids

Points = Float[np.ndarray, "points 3"]


@dataclass(frozen=True, slots=True)
class EyeShape:
    """What one eye does in a shape, in degrees."""

    upper_lid: float = 0.0
    """How far the edge of the upper lid turns up."""
    lower_lid: float = 0.0
    to_the_left: float = 0.0
    """How far the left eye looks out."""
    down: float = 0.0


EYE_SHAPES = {
    "eyeBlink": EyeShape(upper_lid=-33.0, lower_lid=5.0),
    "eyeWide": EyeShape(upper_lid=8.0, lower_lid=-2.5),
    "eyeSquint": EyeShape(upper_lid=-6.0, lower_lid=9.0),
    "eyeLookUp": EyeShape(upper_lid=10.0, lower_lid=3.5, down=-27.5),
    "eyeLookDown": EyeShape(upper_lid=-14.0, lower_lid=-6.0, down=27.5),
    "eyeLookIn": EyeShape(upper_lid=-1.5, lower_lid=0.5, to_the_left=-31.5),
    "eyeLookOut": EyeShape(upper_lid=-1.5, lower_lid=0.5, to_the_left=31.5),
}
"""By ARKit's name without the side. 31.5 degrees are the 0.55 radians of recorded extreme looks."""


def lid_movement(shape: EyeShape, skin: Skin) -> Points:
    """Return how far the skin of both eyes' lids goes, x towards each point's own side."""
    moved = place_lids(skin, shape.upper_lid, shape.lower_lid) - place_lids(skin)
    movement: Points = moved * (skin.eye_ring < 1.0)[:, None]
    return movement


def lash_movement(shape: EyeShape) -> Points:
    """Return how far the left lashes go."""
    movement: Points = lash_points(shape.upper_lid) - lash_points()
    return movement


def ball_movement(shape: EyeShape, points: Points) -> Points:
    """Return how far points of the left eyeball go."""
    yaw, pitch = np.radians(shape.to_the_left), np.radians(shape.down)
    x, y, z = (points - EYE_CENTRE).T
    y, z = y * np.cos(pitch) - z * np.sin(pitch), z * np.cos(pitch) + y * np.sin(pitch)
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    movement: Points = np.stack([x, y, z], axis=1) + EYE_CENTRE - points
    return movement
