"""Our own head, made by code: 52 ARKit shapes with eyes, teeth and tongue.

Conventions: metres, y up, the face looks along +z, the character's left is +x; the origin lies
between the ear canals, near where a head turns. Right shapes are mirror images of the left ones.
mouthClose brings the lips together that jawOpen parts, so alone it presses them into each other.
The eyes turn by the eyeLook shapes; the canonical eye angles tell the same movement again.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Int64

from unitaf.rigs import head_eyes, head_jaw, head_parts, head_teeth
from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.rigs.blendshape import BlendshapeRig, Part
from unitaf.rigs.head_colours import skin_colours
from unitaf.rigs.head_face import side_share, unfolded
from unitaf.rigs.head_parts import Piece
from unitaf.rigs.head_shapes import SHAPES, SIDE_SOFTNESS
from unitaf.rigs.head_skin import Skin, build_skin

Points = Float[np.ndarray, "points 3"]

_ACROSS = np.array([-1.0, 1.0, 1.0])
_MILLIMETRE = 1e-3
_STILL = 2e-5
"""Movements of less than this many metres are none."""
_WHOLE_MOUTH = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Here the side is where the whole mouth goes; in the other names it is a half of the face."""

_PARTS = (
    ("skin", 0.6), ("lips", 0.42), ("inside", 1.0), ("ears", 0.6), ("eyes", 0.12), ("lashes", 0.9),
    ("brows", 0.85), ("hair", 0.55), ("teeth", 0.25), ("gums", 0.4), ("tongue", 0.45),
)  # fmt: skip
"""Names and roughness, in the order of the triangles."""


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    skin: Skin
    pieces: dict[str, Piece]
    """In the order of the points; the skin comes first."""
    brow_weights: Float[np.ndarray, "brows sources"]
    brow_sources: Int64[np.ndarray, " sources"]
    """Every brow point moves as the weighted mean of these skin points."""


@cache
def procedural_head() -> BlendshapeRig:
    """Build the head, or return it if this process has built it before."""
    head = _build()
    movements = np.stack([_movement(head, name) for name in BLENDSHAPES])
    movements[np.abs(movements).max(axis=2) < _STILL / _MILLIMETRE] = 0.0
    triangles, parts = _triangles(head)
    ring = head.skin.mouth_ring
    return BlendshapeRig(
        channels=BLENDSHAPES,
        neutral=_joined([piece.points * _MILLIMETRE for piece in head.pieces.values()]),
        deltas=(movements * _MILLIMETRE).astype(np.float32),
        triangles=triangles,
        lips=np.flatnonzero((ring >= 0) & (ring <= 1)),
        colours=_joined([piece.colours for piece in head.pieces.values()]),
        parts=parts,
    )


def _joined(arrays: list[Float[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "points 3"]:
    return np.concatenate(arrays).astype(np.float32)


def _build() -> _Head:
    skin = build_skin()
    quads = skin.quads
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    pieces = {
        "skin": Piece(skin.points, faces, skin_colours(skin)),
        "ears": head_parts.ears(),
        "eyes": head_parts.eyes(),
        "lashes": head_parts.lashes(),
        "brows": head_parts.brows(),
        "hair": head_parts.hair(),
        "upper teeth": head_teeth.teeth(upper=True),
        "lower teeth": head_teeth.teeth(upper=False),
        "upper gums": head_teeth.gums(upper=True),
        "lower gums": head_teeth.gums(upper=False),
        "tongue": head_teeth.tongue(),
    }
    y, z = skin.points.T[1:]
    sources = np.flatnonzero((z > 40.0) & (y > 26.0) & (y < 66.0))
    apart = pieces["brows"].points[:, None] - skin.points[sources][None]
    weights = np.exp(-(apart**2).sum(axis=2) / 16.0)
    return _Head(skin, pieces, weights / weights.sum(axis=1, keepdims=True), sources)


def _movement(head: _Head, name: str) -> Points:
    """Return how far every point of the head goes in a shape, in millimetres."""
    skin = _skin_movement(head.skin, name)
    movements = {piece: np.zeros_like(mesh.points) for piece, mesh in head.pieces.items()}
    movements["skin"] = skin
    movements["brows"] = head.brow_weights @ skin[head.brow_sources]
    for piece in ("lower teeth", "lower gums", "tongue"):
        movements[piece] = head_jaw.bone_movement(name, head.pieces[piece].points)
    if name == "tongueOut":
        movements["tongue"] = head_teeth.tongue_points(1.0) - head_teeth.tongue_points()
    stem = _stem(name)
    if stem in head_eyes.EYE_SHAPES:
        shape = head_eyes.EYE_SHAPES[stem]
        is_left = name.endswith("Left")
        left_ball = np.split(head.pieces["eyes"].points, 2)[0]
        movements["eyes"] = _on_one_side(head_eyes.ball_movement(shape, left_ball), is_left)
        movements["lashes"] = _on_one_side(head_eyes.lash_movement(shape), is_left)
    return np.concatenate(list(movements.values()))


def _stem(name: str) -> str:
    """Return a shape's name without the half of the face that it is for."""
    if name in _WHOLE_MOUTH:
        return name
    return name.removesuffix("Left").removesuffix("Right")


def _skin_movement(skin: Skin, name: str) -> Points:
    stem = _stem(name)
    if stem != name and name.endswith("Right"):
        mirrored: Points = _skin_movement(skin, f"{stem}Left")[skin.mirror] * _ACROSS
        return mirrored
    movement: Points = np.zeros_like(skin.points)
    for move in SHAPES.get(stem, ()):
        movement += move.of(skin)
    if stem in head_eyes.EYE_SHAPES:
        movement += head_eyes.lid_movement(head_eyes.EYE_SHAPES[stem], skin)
    movement = unfolded(skin, movement)
    if stem != name:
        softness = next(soft for word, soft in SIDE_SOFTNESS.items() if name.startswith(word))
        movement *= side_share(skin, softness)[:, None]
    movement += head_jaw.skin_movement(name, skin)
    return movement


def _on_one_side(left: Points, is_left: bool) -> Float[np.ndarray, "both 3"]:
    """Return the movement of a mirrored pair, of which only one moves."""
    still = np.zeros_like(left)
    return np.concatenate([left, still] if is_left else [still, left * _ACROSS])


def _triangles(head: _Head) -> tuple[Int64[np.ndarray, "triangles 3"], tuple[Part, ...]]:
    """Return the triangles of all pieces, sorted into parts that look alike."""
    runs: dict[str, list[Int64[np.ndarray, "triangles 3"]]] = {name: [] for name, _ in _PARTS}
    first = 0
    for name, piece in head.pieces.items():
        triangles = piece.triangles + first
        first += len(piece.points)
        if name == "skin":
            is_lip = (head.skin.mouth_ring[triangles] <= 1.0).all(axis=1)
            is_inside = (head.skin.mouth_ring[triangles] <= -0.5).all(axis=1)
            is_inside |= (head.skin.nostril[triangles] > 0.2).all(axis=1)
            runs["inside"].append(triangles[is_inside])
            runs["lips"].append(triangles[is_lip & ~is_inside])
            runs["skin"].append(triangles[~is_lip & ~is_inside])
        else:
            runs[name.split()[-1]].append(triangles)
    ordered = [np.concatenate(run) for run in runs.values()]
    stops = np.cumsum([len(run) for run in ordered])
    parts = tuple(
        Part(name, int(stop) - len(run), int(stop), roughness)
        for (name, roughness), run, stop in zip(_PARTS, ordered, stops, strict=True)
    )
    return np.concatenate(ordered), parts
