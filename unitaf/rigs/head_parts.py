"""Eyes, lashes, brows, ears and hair of our own head.

Conventions: as in `head_surface`; colours are linear RGB. Every piece is a grid of points. Paired
pieces are made on the left and mirrored: first all points of the left, then all of the right.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from scipy.interpolate import CubicSpline

from unitaf.rigs import head_surface
from unitaf.rigs.head_skin import (
    EYE_CENTRE,
    EYE_RADIUS,
    LID_THICKNESS,
    eye_point,
    lid_azimuth,
    lid_edge,
    lid_radius,
)

Colour = tuple[float, float, float]

_SCLERA, _IRIS, _PUPIL = (0.74, 0.71, 0.69), (0.13, 0.24, 0.30), (0.004, 0.004, 0.004)
_INNER_IRIS, _LIMBUS = (0.20, 0.36, 0.45), (0.03, 0.06, 0.08)
_HAIR, _LASH, _BROW = (0.075, 0.038, 0.020), (0.03, 0.016, 0.01), (0.098, 0.05, 0.026)
_EAR = (0.60, 0.33, 0.245)

_EYE_RINGS = (
    (0.0, _PUPIL), (12.5, _PUPIL), (13.1, _IRIS), (20.0, _INNER_IRIS), (26.5, _LIMBUS),
    (28.5, _SCLERA), (38.0, _SCLERA), (55.0, _SCLERA), (80.0, _SCLERA), (120.0, _SCLERA),
    (180.0, _SCLERA),
)  # fmt: skip
"""Degrees from the line of sight, and the colour there."""

_EAR_RINGS = (
    (0.0, -5.5), (0.22, -5.0), (0.42, -2.0), (0.56, 2.0), (0.68, 0.9), (0.80, 0.0), (0.92, 3.4),
    (1.0, 3.2), (1.03, 0.5), (0.93, -2.6), (0.6, -7.0),
)  # fmt: skip
"""Share of the way from the middle of the ear to its outline, and how high the relief is there."""

_HAIRLINE = (
    (0, 88, 78), (14, 87, 77), (30, 83, 72), (45, 74, 62), (55, 61, 54), (62, 46, 47),
    (67, 31, 38), (70, 16, 29), (71, 8, 20), (72, 16, 8), (73, 30, -4), (72, 28, -18),
    (69, 10, -30), (63, -12, -40), (54, -32, -52), (40, -46, -66), (22, -54, -76), (0, -57, -79),
)  # fmt: skip
"""From the forehead around the left ear to the nape."""
_WHORL, _SKULL = np.array([0.0, 132.0, -18.0]), np.array([0.0, 40.0, -12.0])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One mesh of the head."""

    points: Float[np.ndarray, "points 3"]
    triangles: Int64[np.ndarray, "triangles 3"]
    colours: Float[np.ndarray, "points 3"]


def grid(rows: int, columns: int, *, closed: bool = False) -> Int64[np.ndarray, "triangles 3"]:
    """Return the triangles of a grid of points; a closed one joins its last column to its first."""
    row = np.arange(rows - 1)[:, None]
    column = np.arange(columns if closed else columns - 1)[None]
    here = (row * columns + column).ravel()
    right = (row * columns + (column + 1) % columns).ravel()
    return np.concatenate(
        [
            np.stack([here, right, right + columns], axis=1),
            np.stack([here, right + columns, here + columns], axis=1),
        ]
    )


def mirrored(left: Piece) -> Piece:
    """Return a piece of the left together with its mirror image."""
    return Piece(
        points=np.concatenate([left.points, left.points * [-1.0, 1.0, 1.0]]),
        triangles=np.concatenate([left.triangles, left.triangles[:, ::-1] + len(left.points)]),
        colours=np.concatenate([left.colours, left.colours]),
    )


def plain(
    points: Float[np.ndarray, "points 3"],
    triangles: Int64[np.ndarray, "triangles 3"],
    colour: Colour,
) -> Piece:
    """Return a piece of one colour."""
    return Piece(points, triangles, np.tile(np.array(colour), (len(points), 1)))


def eyes() -> Piece:
    """Return both eyeballs, looking straight ahead."""
    steps = 24
    off = np.radians([ring for ring, _ in _EYE_RINGS])[:, None]
    around = np.linspace(0.0, 2.0 * np.pi, steps, endpoint=False)[None]
    ball = np.stack(
        [np.sin(off) * np.cos(around), np.sin(off) * np.sin(around), np.cos(off) + 0.0 * around],
        axis=2,
    )
    colours = np.repeat(np.array([colour for _, colour in _EYE_RINGS]), steps, axis=0)
    triangles = grid(len(_EYE_RINGS), steps, closed=True)[:, ::-1]
    return mirrored(Piece(EYE_CENTRE + EYE_RADIUS * ball.reshape(-1, 3), triangles, colours))


def lash_points(upper_deg: float = 0.0) -> Float[np.ndarray, "points 3"]:
    """Return the left upper lashes when the lid's edge is turned up, as in `place_lids`."""
    along = np.linspace(0.03, 1.0, 17)
    length = 3.0 * np.sin(np.pi * (0.05 + 0.8 * along)) ** 0.5 * (0.35 + 0.75 * along)
    turned = upper_deg * np.sin(np.pi * along)
    edge = lid_edge(along, np.ones(17)) + turned
    radius = lid_radius(along) + LID_THICKNESS + 0.25
    return np.concatenate(
        [
            eye_point(lid_azimuth(along), edge + 0.8, radius),
            eye_point(lid_azimuth(along), edge - 1.2, radius),
            eye_point(
                lid_azimuth(along) * (1.0 + 0.06 * along),
                edge + 1.5 + 0.25 * turned,
                radius + length,
            ),
        ]
    )


def lashes() -> Piece:
    """Return the lashes of both upper lids."""
    return mirrored(plain(lash_points(), grid(3, 17), _LASH))


def brows() -> Piece:
    """Return both eyebrows: low ridges on the skin."""
    along = np.linspace(0.0, 1.0, 13)
    x = 11.5 + 41.0 * along
    y = 40.8 + 6.0 * np.sin(0.85 * np.pi * along) - 1.5 * along
    half_width = np.interp(along, [0.0, 0.06, 0.3, 0.7, 1.0], [1.0, 2.5, 3.0, 2.2, 0.3])
    rows = []
    for across, lift in ((-1.0, -0.6), (-0.6, 0.7), (0.0, 1.2), (0.6, 0.7), (1.0, -0.6)):
        place = np.stack([x - 0.25 * across * half_width, y + across * half_width], axis=1)
        rows.append(head_surface.on_front(place) + np.array([0.1, 0.1, 1.0]) * lift)
    return mirrored(plain(np.concatenate(rows), grid(5, 13), _BROW))


def ears() -> Piece:
    """Return both ears: a relief of rim, ridge and bowl, tilted back and turned out."""
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    lobe = np.clip(-np.sin(turn), 0.0, 1.0) ** 2
    front = np.clip(-np.cos(turn), 0.0, 1.0)
    wide = np.cos(turn) * (17.0 + 1.5 * np.sin(turn)) * (1.0 - 0.2 * lobe)
    high = np.sin(turn) * np.where(np.sin(turn) > 0, 30.0, 28.0)
    back, up, out = [], [], []
    for share, height in _EAR_RINGS:
        fading = 1.0 - (0.85 if height > 0 else 0.8) * lobe
        back.append(share * wide)
        up.append(share * high)
        out.append(height * fading + (share > 0.4) * 1.5 * lobe - (share > 0.75) * 3.0 * front)
    tilt, flare = np.radians(14.0), np.radians(24.0)
    b, u, n = np.concatenate(back), np.concatenate(up), np.concatenate(out)
    b, u = b * np.cos(tilt) + u * np.sin(tilt), u * np.cos(tilt) - b * np.sin(tilt)
    away, behind = n * np.cos(flare) + b * np.sin(flare), b * np.cos(flare) - n * np.sin(flare)
    points = np.stack([76.0 + away, 3.0 + u, -6.0 - behind], axis=1)
    return mirrored(plain(points, grid(len(_EAR_RINGS), 24, closed=True)[:, ::-1], _EAR))


def hair() -> Piece:
    """Return a short cut, combed back: a shell over the skull, grown from the hairline upwards."""
    columns = 64
    left = np.array(_HAIRLINE, float)
    line = np.concatenate([left, left[-2::-1] * [-1.0, 1.0, 1.0]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    rim = CubicSpline(length, line, bc_type="periodic")(
        np.linspace(0.0, length[-1], columns, endpoint=False)
    )
    start, end = _unit(rim - _SKULL), _unit(_WHORL - _SKULL)
    angle = np.arccos(start @ end)[:, None]
    fold = np.minimum(np.arange(columns), columns - np.arange(columns))
    lock = 0.7 * np.cos(2.1 * fold) + 0.5 * np.cos(0.9 * fold + 1.0)
    shade = 1.0 + 0.22 * lock + 0.1 * np.cos(3.7 * fold)
    rows = []
    shares = (0.0, 0.03, 0.08, 0.15, 0.24, 0.34, 0.45, 0.56, 0.67, 0.78, 0.88, 0.96, 0.999)
    for share in shares:
        ray = _unit(np.sin((1.0 - share) * angle) * start + np.sin(share * angle) * end)
        scalp = head_surface.project(_SKULL + ray * 100.0)
        rows.append(scalp + ray * _hair_lift(scalp, share, lock)[:, None])
    return Piece(
        points=np.concatenate(rows),
        triangles=grid(len(shares), columns, closed=True),
        colours=np.tile(np.outer(shade, _HAIR), (len(shares), 1)),
    )


def _hair_lift(
    scalp: Float[np.ndarray, "points 3"], share: float, lock: Float[np.ndarray, " points"]
) -> Float[np.ndarray, " points"]:
    """Return how far the hair stands off the scalp; it starts below the skin."""
    x, y, z = scalp.T
    volume = 1.0 + 0.45 * np.clip((y - 40.0) / 60.0, 0, 1) - 0.4 * np.clip((20.0 - y) / 60.0, 0, 1)
    parting = 1.0 - 0.35 * np.exp(-((x / 5.0) ** 2)) * (z > _WHORL[2])
    grown = float(np.interp(share, [0.0, 0.04, 0.2, 0.6, 1.0], [-5.0, 2.5, 6.5, 9.0, 9.0]))
    relief = max(np.sin(np.pi * min(0.05 + 1.1 * share, 1.0)), 0.0) ** 0.7
    lift: Float[np.ndarray, " points"] = grown * volume * parting + relief * lock
    return lift


def _unit(vectors: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
    unit: Float[np.ndarray, "*points 3"] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
