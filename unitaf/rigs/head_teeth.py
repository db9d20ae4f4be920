"""Teeth, gums and tongue of our own head.

Conventions: as in `head_surface`; colours are linear RGB. The teeth stand along half an ellipse,
the dental arch, seven on each side; widths are those of adult teeth.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from unitaf.rigs.head_parts import Piece, grid, plain

_ENAMEL, _GUM, _TONGUE = (0.78, 0.73, 0.64), (0.36, 0.11, 0.11), (0.42, 0.14, 0.14)

_COLUMNS = np.array([-0.5, -0.34, 0.0, 0.34, 0.5])
"""Where the columns of points stand across a tooth, in its widths."""
_TOOTH_ROWS = ((0.0, -0.6, 0.0), (0.3, 0.1, 0.0), (0.75, -0.1, 0.0), (1.0, -0.9, 0.15),
               (1.0, -1.0, 0.85), (0.6, 0.0, 1.0))  # fmt: skip
"""Share of the way from gum to edge, millimetres outwards, share of the way through to the back."""
_GUM_ROWS = ((-7.0, -3.0), (-4.0, 0.0), (-1.0, 0.8), (1.2, 0.6), (1.8, -0.8))
"""Millimetres towards the edge and outwards."""

_TONGUE_REST = ((-66, 38), (-55, 46), (-49, 58), (-48.5, 72), (-50, 82), (-51, 86))
_TONGUE_OUT = ((-66, 40), (-56, 52), (-52, 68), (-53, 90), (-59, 112), (-66, 123))
"""Height and depth of the tongue's middle line, from root to tip."""


@dataclass(frozen=True, slots=True)
class _Jaw:
    """The teeth of one jaw."""

    half_width: float
    depth: float
    front: float
    gum: float
    edge: float
    widths: tuple[float, ...]
    shorter: tuple[float, ...]
    """By how much each tooth falls short of the edge."""


_UPPER = _Jaw(29.0, 46.0, 95.5, -31.0, -44.6, (8.4, 6.6, 7.6, 7.0, 6.8, 10.0, 9.5),
              (0.0, 0.9, 0.0, 0.8, 1.0, 1.6, 1.8))  # fmt: skip
_LOWER = _Jaw(27.0, 42.0, 89.5, -55.0, -45.0, (5.6, 6.0, 7.0, 7.0, 7.0, 10.5, 10.0),
              (0.0, 0.0, -0.4, 0.4, 0.8, 1.2, 1.4))  # fmt: skip
_THICKNESS = (2.2, 2.2, 3.5, 6.5, 7.0, 9.5, 9.5)


@dataclass(frozen=True, slots=True, eq=False)
class _Arch:
    """Columns of points along a dental arch, from the character's right to the left."""

    place: Float[np.ndarray, "columns 2"]
    """x and z."""
    outward: Float[np.ndarray, "columns 2"]
    across: Float[np.ndarray, " columns"]
    """-1 to 1 from one side of the tooth to the other."""
    shorter: Float[np.ndarray, " columns"]
    thickness: Float[np.ndarray, " columns"]

    def row(
        self, height: Float[np.ndarray, " columns"], out: Float[np.ndarray, " columns"]
    ) -> Float[np.ndarray, "columns 3"]:
        x, z = (self.place + self.outward * out[:, None]).T
        return np.stack([x, height, z], axis=1)


def teeth(*, upper: bool) -> Piece:
    """Return the teeth of one jaw."""
    jaw = _UPPER if upper else _LOWER
    arch = _arch(jaw)
    towards = np.sign(jaw.edge - jaw.gum)
    bulge = 0.9 * (1.0 - arch.across**2) - 0.5
    edge = jaw.edge - towards * (arch.shorter + 0.9 * arch.across**4)
    rows = [
        arch.row(jaw.gum + share * (edge - jaw.gum), out + bulge - through * arch.thickness)
        for share, out, through in _TOOTH_ROWS
    ]
    return plain(np.concatenate(rows), _facing_out(len(rows), len(edge), upper=upper), _ENAMEL)


def gums(*, upper: bool) -> Piece:
    """Return the gum of one jaw, in scallops around its teeth."""
    jaw = _UPPER if upper else _LOWER
    arch = _arch(jaw)
    towards = np.sign(jaw.edge - jaw.gum)
    scallop = 2.2 * (1.0 - arch.across**2)
    bulge = 0.36 * (1.0 - arch.across**2) - 0.2
    rows = [
        arch.row(jaw.gum + towards * (down - (down > -2.0) * scallop), out + bulge)
        for down, out in _GUM_ROWS
    ]
    flat = np.full(len(scallop), jaw.gum)
    rows.append(arch.row(flat + towards * 1.0, -1.0 - arch.thickness))
    rows.append(arch.row(flat - towards * 7.0, -3.0 - arch.thickness))
    return plain(np.concatenate(rows), _facing_out(len(rows), len(flat), upper=upper), _GUM)


def tongue_points(out: float = 0.0) -> Float[np.ndarray, "points 3"]:
    """Return the points of the tongue, from 0 at rest to 1 stuck out."""
    along = np.sin(np.linspace(0.0, np.pi / 2, 12))
    around = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)[None]
    rest, gone = np.array(_TONGUE_REST, float), np.array(_TONGUE_OUT, float)
    line = CubicSpline(np.linspace(0.0, 1.0, len(rest)), rest + (gone - rest) * out)
    slope = line(along, 1) / np.linalg.norm(line(along, 1), axis=1, keepdims=True)
    tip = np.sqrt(1.0 - np.clip((along - 0.5) / 0.5, 0.0, 1.0) ** 2.6)
    half_width = (18.0 - 2.0 * along - 3.0 * out * along) * tip
    thickness = ((8.5 - 3.5 * along - 1.2 * out * along) * np.sqrt(tip))[:, None]
    groove = 1.4 * (1.0 - np.abs(np.cos(around))) ** 2 * (np.sin(around) > 0) * tip[:, None]
    lift = thickness * np.sin(around) - groove
    height, depth = line(along).T[:, :, None] + np.array([slope[:, 1:], -slope[:, :1]]) * lift
    points = np.stack([half_width[:, None] * np.cos(around), height, depth], axis=2)
    return points.reshape(-1, 3)


def tongue() -> Piece:
    """Return the tongue at rest."""
    return plain(tongue_points(), grid(12, 14, closed=True), _TONGUE)


def _facing_out(rows: int, columns: int, *, upper: bool) -> np.ndarray:
    triangles = grid(rows, columns)
    return triangles[:, ::-1] if upper else triangles


def _arch(jaw: _Jaw) -> _Arch:
    widths = np.array(jaw.widths)
    middle = np.cumsum(widths) - widths / 2.0
    distance = (middle[:, None] + widths[:, None] * _COLUMNS).ravel()
    turns = np.linspace(0.0, np.pi / 2, 181)
    x, z = jaw.half_width * np.sin(turns), jaw.depth * np.cos(turns)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
    turn = np.interp(distance, length, turns)
    turn = np.concatenate([-turn[::-1], turn])
    outward = np.stack([np.sin(turn) / jaw.half_width, np.cos(turn) / jaw.depth], axis=1)
    place = np.stack(
        [jaw.half_width * np.sin(turn), jaw.front - jaw.depth * (1.0 - np.cos(turn))], axis=1
    )

    def both(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[::-1], values])

    per_tooth = len(_COLUMNS)
    return _Arch(
        place=place,
        outward=outward / np.linalg.norm(outward, axis=1, keepdims=True),
        across=both(np.tile(2.0 * _COLUMNS, len(widths))),
        shorter=both(np.repeat(np.array(jaw.shorter), per_tooth)),
        thickness=both(np.repeat(np.array(_THICKNESS), per_tooth)),
    )
