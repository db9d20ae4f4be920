"""The smooth skin of our own head: the subdivided cage with sculpted lids and lips.

Conventions: as in `head_surface`. Lids are placed in angles seen from the middle of the eyeball, so
that they lie on it however far they close; lips are a profile swept along the slit of the mouth.
All is made for the left half and mirrored.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int64

from unitaf.rigs import head_surface
from unitaf.rigs.head_cage import build_cage
from unitaf.rigs.head_subdivision import subdivide

Values = Float[np.ndarray, " points"]
Points = Float[np.ndarray, "points 3"]

EYE_CENTRE = np.array([31.0, 21.0, 63.5])
"""The middle of the left eyeball."""
EYE_RADIUS = 14.5
LID_THICKNESS = 1.3

_SLIT_HEIGHT, _MOUTH_HALF_WIDTH = -43.0, 24.5
_COLLAR = -150.0

_LID_RINGS = (-1.0, -0.5, 0.0, 0.5, 0.75)
_LID_TURN = (9.0, 0.5, 0.0, 0.66, 1.0)
"""How far above the edge, by ring: degrees behind it, share of the way to the fold in front."""
_LID_LIFT = (-0.8, 0.2, LID_THICKNESS, LID_THICKNESS + 0.3, 1.6)
"""How far outside the eyeball, by ring."""

_LIP_RINGS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0)
_UPPER_FULLNESS = (0.0, 1.2, 2.2, 1.8, 0.6, 0.0)
_LOWER_FULLNESS = (0.0, 1.8, 3.2, 2.3, 0.3, 0.0)
_INNER_RINGS = (-1.0, -0.75, -0.5, -0.25, 0.0)
_INNER_RISE = (9.0, 5.5, 2.5, 0.4, 0.0)
_UPPER_DEPTH = (-4.2, -3.7, -2.9, -1.6, 0.0)
_LOWER_DEPTH = (-9.0, -6.5, -4.2, -1.8, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """The skin mesh, and where each of its points lies around mouth and eyes."""

    points: Points
    quads: Int64[np.ndarray, "quads 4"]
    mirror: Int64[np.ndarray, " points"]
    """The index of every point's mirror image."""
    mouth_ring: Values
    """-3 in the throat, 0 where the lips meet, 1 at their border; far away: `head_cage.FAR`."""
    mouth_along: Values
    """0 in the middle of the mouth, 1 at the corner."""
    mouth_side: Values
    """1 on the upper lip, -1 on the lower, 0 at the corner."""
    eye_ring: Values
    """-1 behind the lid, 0 at its edge, 1 in its fold; far away: `head_cage.FAR`."""
    lid_along: Values
    """0 at the inner corner of the eye, 1 at the outer."""
    lid_side: Values
    """1 on the upper lid, -1 on the lower, 0 at the corners."""
    nostril: Values
    """1 deep inside a nostril, 0 outside."""


def build_skin() -> Skin:
    """Build the skin at rest."""
    cage = subdivide(subdivide(build_cage()))
    mouth_ring, mouth_cos, mouth_sin, eye_ring, eye_cos, eye_sin, nostril = cage.marks.T
    mouth_turn = np.arctan2(mouth_sin, mouth_cos)
    skin = Skin(
        points=np.abs(cage.points) * np.where(cage.points < 0, [1.0, -1.0, -1.0], 1.0),
        quads=cage.corners.reshape(-1, 4),
        mirror=cage.point_mirror,
        mouth_ring=mouth_ring,
        mouth_along=1.0 - np.abs(1.0 - mouth_turn / (np.pi / 2)),
        mouth_side=np.sign(np.round(np.pi / 2 - mouth_turn, 6)),
        eye_ring=eye_ring,
        lid_along=1.0 - np.abs(np.arctan2(eye_sin, eye_cos)) / np.pi,
        lid_side=np.sign(np.round(eye_sin, 6)),
        nostril=nostril,
    )
    numbers = np.arange(len(skin.points))
    one_of_two = np.flatnonzero(numbers <= skin.mirror)
    placed = _placed(_subset(skin, one_of_two))
    points = skin.points.copy()
    points[one_of_two] = points[skin.mirror[one_of_two]] = placed
    points[:, 0] *= np.where(skin.mirror == numbers, 0.0, np.sign(cage.points[:, 0]))
    return replace(skin, points=points)


def eye_point(azimuth_deg: Values, elevation_deg: Values, radius: Values) -> Points:
    """Return points around the left eye: azimuth to the left, elevation up, from straight ahead."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    across, ahead = np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation)
    ray = np.stack([across, np.sin(elevation), ahead], axis=1)
    point: Points = EYE_CENTRE + ray * radius[:, None]
    return point


def lid_azimuth(along: Values) -> Values:
    """Return how far to the left a place along the left eye's lids lies, in degrees."""
    return -61.0 + 124.0 * (1.0 - np.cos(np.pi * along)) / 2.0


def lid_edge(along: Values, side: Values) -> Values:
    """Return how high the edge of an open lid lies, in degrees."""
    arch = np.sin(np.pi * along)
    corner = -5.0 + 7.0 * along
    upper = 23.0 * arch**0.9 * (1.0 + 0.1 * np.cos(np.pi * along))
    lower = -17.0 * arch * (1.0 - 0.12 * np.cos(np.pi * along))
    edge: Values = corner + np.where(side > 0, upper, lower) * np.abs(side)
    return edge


def lid_radius(along: Values) -> Values:
    """Return the radius on which the lids lie: more than the eyeball's at the corners."""
    return EYE_RADIUS + 3.2 * (1.0 - along) ** 5 + 1.2 * along**6


def place_lids(skin: Skin, upper_deg: float = 0.0, lower_deg: float = 0.0) -> Points:
    """Return the points of the left half with the lids placed on the eyeball.

    Args:
        skin: Its points away from the lids stay.
        upper_deg: How far the edge of the upper lid turns up, in the middle.
        lower_deg: How far the edge of the lower lid turns up.
    """
    ring, along, side = skin.eye_ring, skin.lid_along, skin.lid_side
    arch = np.sin(np.pi * along)
    fold = np.where(side > 0, 8.0 + 12.0 * arch, 10.0 + 6.0 * arch)
    turn = np.interp(ring, _LID_RINGS, _LID_TURN) * np.where(ring < 0, 1.0, fold)
    moved = np.where(side > 0, upper_deg, lower_deg) * arch * np.abs(side)
    elevation = lid_edge(along, side) + side * turn + moved * np.clip(1.0 - ring, 0.0, 1.0) ** 0.8
    lift = np.interp(ring, _LID_RINGS, _LID_LIFT) + 0.15 * side * (ring > -0.75)
    radius = np.where(ring < -0.25, EYE_RADIUS, lid_radius(along)) + lift
    azimuth = lid_azimuth(along) * (1.0 + 0.12 * np.clip(ring, 0.0, 1.0))
    plate = eye_point(azimuth, elevation, radius)
    to_face = (np.clip((ring - 0.4) / 0.6, 0.0, 1.0) ** 1.5)[:, None]
    placed: Points = plate + (skin.points - plate) * to_face
    return placed


def _subset(skin: Skin, chosen: Int64[np.ndarray, " chosen"]) -> Skin:
    """Return some points of a skin, which is no mesh any more."""
    return Skin(
        points=skin.points[chosen],
        quads=skin.quads[:0],
        mirror=np.arange(len(chosen)),
        mouth_ring=skin.mouth_ring[chosen],
        mouth_along=skin.mouth_along[chosen],
        mouth_side=skin.mouth_side[chosen],
        eye_ring=skin.eye_ring[chosen],
        lid_along=skin.lid_along[chosen],
        lid_side=skin.lid_side[chosen],
        nostril=skin.nostril[chosen],
    )


def _placed(skin: Skin) -> Points:
    points = skin.points.copy()
    on_surface = (skin.mouth_ring > 0) & (skin.eye_ring > 0)
    is_collar = points[:, 1] < _COLLAR + 1.0
    bound = (1.0 - skin.nostril[on_surface])[:, None]
    points[on_surface] += bound * (head_surface.project(points[on_surface]) - points[on_surface])
    points[is_collar, 1] = _COLLAR
    on_lid = np.flatnonzero(skin.eye_ring < 1.5)
    points[on_lid] = place_lids(_subset(replace(skin, points=points), on_lid))
    on_lip = np.flatnonzero(skin.mouth_ring < 2.0)
    points[on_lip] = _place_lips(_subset(replace(skin, points=points), on_lip))
    return points


def _place_lips(skin: Skin) -> Points:
    ring, along = skin.mouth_ring, skin.mouth_along
    outer = _outer_lip(skin)
    quarter = along * np.pi / 2
    taper = np.cos(quarter) ** 0.9
    rise = np.interp(ring, _INNER_RINGS, _INNER_RISE) * (0.25 + 0.75 * taper) * skin.mouth_side
    upper, lower = (np.interp(ring, _INNER_RINGS, depth) for depth in (_UPPER_DEPTH, _LOWER_DEPTH))
    depth = np.where(skin.mouth_side > 0, upper, lower) * (1.0 + along**2)
    inner = outer + np.stack([0.04 * outer[:, 0] * -ring, rise, depth], axis=1)
    turn = np.where(skin.mouth_side >= 0, quarter, np.pi - quarter)
    cheek = np.stack([30.0 * np.sin(turn), -43.0 + 21.0 * np.cos(turn), 0 * turn + 60.0], axis=1)
    inner += (cheek - inner) * np.clip(-1.0 - ring, 0.0, 1.0)[:, None]
    throat = np.array([0.0, -43.0, 34.0])
    inner += (throat - inner) * np.clip(-2.0 - ring, 0.0, 1.0)[:, None]
    return np.where((ring < 0)[:, None], inner, outer)


def _outer_lip(skin: Skin) -> Points:
    """Return the visible lip and the skin around it; the slit itself for points inside."""
    ring, along, side = np.maximum(skin.mouth_ring, 0.0), skin.mouth_along, skin.mouth_side
    quarter = along * np.pi / 2
    taper = np.maximum(np.cos(quarter), 0.0) ** 0.9
    slit = _SLIT_HEIGHT + 0.9 * np.cos(2 * quarter) + 0.9 * along**2
    bow = 7.2 + 2.6 * np.exp(-(((along - 0.27) / 0.16) ** 2)) - along
    height = np.where(side > 0, bow, 9.6 - along) * taper
    red = np.minimum(ring, 1.0)
    across = (_MOUTH_HALF_WIDTH + 1.8 * red) * np.sin(quarter)
    place = np.stack([across, slit + side * height * red**0.9], axis=1)
    beyond = np.clip(ring - 1.0, 0.0, 1.0)[:, None]
    place += (skin.points[:, :2] - place) * beyond**2 * (3.0 - 2.0 * beyond)
    surface = head_surface.on_front(place)
    upper, lower = (np.interp(ring, _LIP_RINGS, v) for v in (_UPPER_FULLNESS, _LOWER_FULLNESS))
    surface[:, 2] += np.where(side > 0, upper, lower) * taper
    surface[:, 2] -= 1.2 * np.clip(1.0 - 2.0 * red, 0.0, 1.0) ** 1.5
    return surface
