"""The coarse cage of our own head: which edges flow where, before anything is smooth.

Conventions: as in `head_surface`. Only the character's left half is written down. Rings of edges
circle the mouth and the eye, as animators lay them, and the rest joins them. Marks of every point,
kept through subdivision: its ring and angle around the mouth and around the eye.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from unitaf.rigs import head_surface
from unitaf.rigs.head_subdivision import Cage
from unitaf.rigs.head_surface import Number, Point

FAR = 9.0
"""The ring of a point that lies on no ring."""

_EYE_STEPS, _MOUTH_STEPS = 12, 8
_RELAXATIONS = 12

_FRONT = {
    "n0": (0, 42), "n1": (0, 30), "n2": (0, 17), "n3": (0, 5), "n4": (0, -7), "n5": (0, -16),
    "b0": (9, 42), "b1": (8, 30), "b2": (8, 17), "b3": (9, 5),
    "a4": (7, -8), "b4": (15.5, -8.5), "b5": (14.5, -19),
    "p0": (3.2, -18.2), "p1": (6.2, -16.2), "p2": (10.5, -18.0), "p3": (7.0, -21.0),
    "c0": (22, -8), "c1": (29, -10), "c2": (38, -11), "c3": (47.5, -8), "c4": (57, -2),
    "f0": (0, 58), "f1": (11, 58), "f2": (23, 58.5), "f3": (35, 58), "f4": (46, 55),
    "f5": (56, 49),
    "h0": (0, 84), "h1": (13, 84), "h2": (26, 82), "h3": (39, 78), "h4": (51, 71),
    "g3": (52, -25), "g4": (54, -44), "g5": (48, -62),
    "m43": (41.5, -26), "m44": (46.5, -45), "m45": (42, -62), "m46": (31, -76), "m47": (16, -83.5),
    "m48": (0, -85.5),
}  # fmt: skip
"""x and y, seen from the front; the surface gives z."""

_SIDE = {
    "h5": (63, 58, 46), "s1": (69, 37, 46), "s2": (70, 22, 44), "s3": (70, 7, 43),
    "s4": (67, -9, 42), "s5": (64, -26, 38), "s6": (57, -45, 32), "s7": (48, -63, 30),
    "s8": (32, -82, 36), "s9": (16, -90, 44), "s10": (0, -91, 46),
    "g6": (35, -80, 56), "g7": (18, -88, 66), "g8": (0, -89, 68),
}  # fmt: skip
"""Roughly where; moved onto the surface."""

_EYE_RINGS = {
    1: ((17, 21.5), (18.5, 27.5), (23.5, 32.5), (31, 34.5), (39.5, 33), (46.5, 28.5),
        (50, 22), (47.5, 15.5), (40.5, 11), (32, 9.5), (24, 11), (19, 15.5)),
    2: ((13.5, 22), (16, 35), (23, 42.5), (33, 45), (44, 43), (52.5, 36),
        (56, 22), (53.5, 9), (44, 1), (33, -1.5), (24, 0.5), (16.5, 8)),
}  # fmt: skip
"""From the inner corner over the top."""

_MOUTH_RINGS = {
    1: ((0, -36), (7, -35), (14.5, -36.5), (21.5, -39.5), (26.5, -43.5), (21, -48), (14, -51.5),
        (7, -53), (0, -53)),
    2: ((0, -30.5), (8.5, -30.5), (17, -32), (26, -36), (31.5, -44), (26, -54), (18, -59.5),
        (9, -62), (0, -62)),
    3: ((0, -24), (8, -25), (17, -26), (30, -31), (38, -44), (34, -58), (24, -69), (12, -75),
        (0, -76)),
}  # fmt: skip
"""From the middle of the upper lip to the middle of the lower."""

_FACES = """
n0 b0 b1 n1 | n1 b1 b2 n2 | n2 b2 b3 n3 | n3 b3 b4 a4 n4 | n4 a4 p1 p0 n5 | a4 b4 b5 p2 p1
n5 p0 p3 m31 m30 | p3 p2 b5 m32 m31 |
p0 p1 q1 q0 | p1 p2 q2 q1 | p2 p3 q3 q2 | p3 p0 q0 q3 | q0 q1 q2 q3 | b4 c0 m32 b5 | c0 c1 m33 m32
b1 e21 e20 b2 | b2 e20 e2b b3 | b3 e2b c0 b4 | e2b e2a c1 c0 | e2a e29 c2 c1 | e29 e28 c3 c2
e28 e27 c4 c3 | f0 f1 b0 n0 | f1 f2 e22 b0 | b0 e22 e21 b1 | f2 f3 e23 e22 | f3 f4 e24 e23
f4 f5 e25 e24 | h0 h1 f1 f0 | h1 h2 f2 f1 | h2 h3 f3 f2 | h3 h4 f4 f3 | h4 h5 f5 f4
f5 h5 s1 e25 | e25 s1 s2 e26 | e26 s2 s3 e27 | e27 s3 s4 c4 | c4 s4 s5 g3 | c3 c4 g3
c1 c2 m43 m33 | c2 c3 g3 m43 | m33 m43 m44 m34 | m34 m44 m45 m35 | m35 m45 m46 m36
m36 m46 m47 m37 | m37 m47 m48 m38 | m43 g3 g4 m44 | m44 g4 g5 m45 | m45 g5 g6 m46
m46 g6 g7 m47 | m47 g7 g8 m48 | g3 s5 s6 g4 | g4 s6 s7 g5 | g5 s7 s8 g6 | g6 s8 s9 g7
g7 s9 s10 g8
"""
"""Corners of the faces, clockwise from outside. Besides the names above: e21 is point 1 (of 0 to b)
of eye ring 2, m43 is point 3 of mouth ring 4, and q0 to q3 lie in the nostril."""

_SEAM = (
    "h0", "h1", "h2", "h3", "h4", "h5", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",
)  # fmt: skip
"""Where the face meets the back of the head, from the top to the throat."""
_CROWN = ((0, 108, 68), (0, 126, 34), (0, 131, -6), (0, 122, -46), (0, 104, -74))
_NAPE = (
    (0, 92, -86), (0, 78, -93), (0, 64, -97), (0, 50, -100), (0, 36, -100), (0, 22, -99),
    (0, 8, -95), (0, -8, -89), (0, -24, -82), (0, -42, -78), (0, -60, -77), (0, -80, -78),
    (0, -104, -80), (0, -127, -84), (0, -150, -88),
)  # fmt: skip
_COLLAR = ((0, -112, 24), (0, -150, 12), (34, -150, -4), (46, -150, -42), (0, -150, -88))


def build_cage() -> Cage:
    """Return the cage of the whole skin, lips and lids included, on the sculpted surface."""
    half = _Half()
    for name, place in zip(_FRONT, _on_front(_FRONT.values()), strict=True):
        half.add(name, place)
    sides = head_surface.project(np.array(list(_SIDE.values()), float))
    for name, place in zip(_SIDE, sides, strict=True):
        half.add(name, place)
    _add_nostril(half)
    _add_eye(half)
    _add_mouth(half)
    for face in _FACES.replace("\n", "|").split("|"):
        if face.strip():
            half.add_face(face.split()[::-1])
    _add_back(half)
    return half.whole()


class _Half:
    """The character's left half while it is being built."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.points: list[Float[np.ndarray, "3"]] = []
        self.marks: list[tuple[float, ...]] = []
        self.faces: list[list[int]] = []

    def add(
        self,
        name: str,
        point: Float[np.ndarray, "3"],
        mouth: Point = (FAR, 0.0, 0.0),
        eye: Point = (FAR, 0.0, 0.0),
        nostril: float = 0.0,
    ) -> None:
        self.index[name] = len(self.points)
        self.points.append(point)
        self.marks.append((*mouth, *eye, nostril))

    def add_face(self, names: Sequence[str]) -> None:
        self.faces.append([self.index[name] for name in names])

    def whole(self) -> Cage:
        points, marks = np.array(self.points), np.array(self.marks)
        middle = np.abs(points[:, 0]) < 1e-6
        points[middle, 0] = 0.0
        twin = np.arange(len(points))
        twin[~middle] = len(points) + np.arange((~middle).sum())
        mirror = np.concatenate([twin, np.flatnonzero(~middle)])
        other = points[~middle] * np.array([-1.0, 1.0, 1.0])
        faces = self.faces + [[int(twin[p]) for p in reversed(face)] for face in self.faces]
        count = len(self.faces)
        return Cage(
            points=np.concatenate([points, other]),
            marks=np.concatenate([marks, marks[~middle]]),
            corners=np.concatenate(faces),
            sizes=np.array([len(face) for face in faces]),
            point_mirror=mirror,
            face_mirror=np.roll(np.arange(2 * count), count),
        )


def _on_front(places: Iterable[tuple[Number, Number]]) -> Float[np.ndarray, "places 3"]:
    return head_surface.on_front(np.array(list(places), float))


def _add_nostril(half: _Half) -> None:
    rim = np.array([half.points[half.index[f"p{corner}"]] for corner in range(4)])
    centre = rim.mean(axis=0)
    for corner, point in enumerate(rim):
        inside = centre + 0.8 * (point - centre) + np.array([0.0, 7.0, -4.0])
        half.add(f"q{corner}", inside, nostril=1.0)


def _add_eye(half: _Half) -> None:
    turns = np.pi - 2.0 * np.pi * np.arange(_EYE_STEPS) / _EYE_STEPS
    for ring in (-1, 0, 1, 2):
        if ring > 0:
            places = _on_front(_EYE_RINGS[ring])
        else:
            x, y = 31.5 + 14.0 * np.cos(turns), 22.0 + 6.0 * np.sin(turns)
            places = np.stack([x, y, np.full(_EYE_STEPS, 78.0 + 4.0 * ring)], axis=1)
        for step, (turn, place) in enumerate(zip(turns, places, strict=True)):
            half.add(f"e{ring}{step:x}", place, eye=(ring, np.cos(turn), np.sin(turn)))
    for ring in (-1, 0, 1):
        for step in range(_EYE_STEPS):
            inner, outer, after = f"e{ring}", f"e{ring + 1}", (step + 1) % _EYE_STEPS
            half.add_face(
                [f"{inner}{step:x}", f"{inner}{after:x}", f"{outer}{after:x}", f"{outer}{step:x}"]
            )


def _add_mouth(half: _Half) -> None:
    turns = np.pi * np.arange(_MOUTH_STEPS + 1) / _MOUTH_STEPS
    for ring in (-2, -1, 0, 1, 2, 3):
        if ring > 0:
            places = _on_front(_MOUTH_RINGS[ring])
        else:
            x, y = 25.0 * np.sin(turns), -43.0 + 2.0 * np.cos(turns)
            places = np.stack([x, y, np.full(len(turns), 95.0 + 8.0 * ring)], axis=1)
        for step, (turn, place) in enumerate(zip(turns, places, strict=True)):
            half.add(f"m{ring}{step}", place, mouth=(ring, np.cos(turn), np.sin(turn)))
    half.add("throat", np.array([0.0, -43.0, 34.0]), mouth=(-3, 0.0, 0.0))
    for step in range(_MOUTH_STEPS):
        half.add_face(["throat", f"m-2{step + 1}", f"m-2{step}"][::-1])
        for ring in (-2, -1, 0, 1, 2):
            inner, outer, after = f"m{ring}", f"m{ring + 1}", step + 1
            half.add_face(
                [f"{inner}{step}", f"{inner}{after}", f"{outer}{after}", f"{outer}{step}"]
            )


def _add_back(half: _Half) -> None:
    """Close the head behind the seam: a patch between seam, crown, nape and collar (Coons 1967).

    Its points are then spread evenly over the skin. From its second column on the patch has half
    the rows, joined by five-sided faces.
    """
    seam = np.array([half.points[half.index[name]] for name in _SEAM])
    crown = np.concatenate([seam[:1], np.array(_CROWN, float)])
    nape = np.concatenate([crown[-1:], np.array(_NAPE, float)])
    collar = np.concatenate([seam[-1:], np.array(_COLLAR, float)])
    down = np.linspace(0.0, 1.0, len(seam))[:, None, None]
    back = np.linspace(0.0, 1.0, len(crown))[None, :, None]
    sides = (1 - back) * seam[:, None] + back * nape[:, None]
    sides = sides + (1 - down) * crown[None] + down * collar[None]
    top = (1 - back) * crown[0] + back * crown[-1]
    bottom = (1 - back) * collar[0] + back * collar[-1]
    patch = sides - (1 - down) * top - down * bottom
    places = _on_skin(patch)
    for _ in range(_RELAXATIONS):
        across, along = places[1:-1, :-2] + places[1:-1, 2:], places[:-2, 1:-1] + places[2:, 1:-1]
        places[1:-1, 1:-1] = _on_skin(0.25 * (across + along))
    places[0, :, 0] = places[:, -1, 0] = 0.0
    rows, sparse = range(len(seam)), [0, *range(1, len(seam), 2)]
    for row in rows:
        half.index[f"k{row}_0"] = half.index[_SEAM[row]]
        half.add(f"k{row}_1", places[row, 1])
    for row in sparse:
        for column in range(2, len(crown)):
            half.add(f"k{row}_{column}", places[row, column])
    _add_strip(half, rows, 0)
    for above, below in pairwise(sparse):
        joined = [f"k{row}_1" for row in range(above, below + 1)]
        half.add_face([f"k{below}_2", f"k{above}_2", *joined])
    for column in range(2, len(crown) - 1):
        _add_strip(half, sparse, column)


def _on_skin(places: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns 3"]:
    return head_surface.project(places.reshape(-1, 3)).reshape(places.shape)


def _add_strip(half: _Half, rows: Sequence[int], column: int) -> None:
    for above, below in pairwise(rows):
        front, back = f"_{column}", f"_{column + 1}"
        half.add_face(
            [f"k{below}{front}", f"k{below}{back}", f"k{above}{back}", f"k{above}{front}"]
        )
