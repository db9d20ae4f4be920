"""Catmull-Clark subdivision of a symmetric cage with named coordinates along for the ride.

The smooth scheme places the points (Catmull and Clark 1978, with the usual cubic B-spline rule at
open edges); `Cage.marks`, such as the ring of a lip that a point lies on, are only averaged, so a
point halfway between rings 1 and 2 is exactly on ring 1.5. The mirror image of every point and face
is tracked, so symmetry never depends on rounding.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Cage:
    """A polygon mesh that equals its mirror image."""

    points: Float[np.ndarray, "points 3"]
    marks: Float[np.ndarray, "points marks"]
    corners: Int64[np.ndarray, " corners"]
    """The points of every face in turn, counter-clockwise from outside, one face after another."""
    sizes: Int64[np.ndarray, " faces"]
    """How many corners each face has."""
    point_mirror: Int64[np.ndarray, " points"]
    face_mirror: Int64[np.ndarray, " faces"]


def subdivide(cage: Cage) -> Cage:
    """Return the cage with every n-sided face split into n quads and its points smoothed."""
    num_points, num_faces = len(cage.points), len(cage.sizes)
    face = np.repeat(np.arange(num_faces), cage.sizes)
    edges, edge = _edges(cage, face)
    num_edges = len(edges)
    is_open = np.bincount(edge, minlength=num_edges) == 1
    centre = _mean_by(cage.points[cage.corners], face, num_faces)
    middle = cage.points[edges].mean(axis=1)
    joined = 0.5 * (middle + _mean_by(centre[face], edge, num_edges))
    moved = _smoothed(cage, centre[face], edges, is_open)
    marks = _mean_by(cage.marks[cage.corners], face, num_faces)
    before = np.arange(len(face)) - 1
    last = np.cumsum(cage.sizes) - 1
    before[last - cage.sizes + 1] = last
    on_edge, in_face = num_points + edge, num_points + num_edges + face
    quads = np.stack([cage.corners, on_edge, in_face, on_edge[before]], axis=1)
    return Cage(
        points=np.concatenate([moved, np.where(is_open[:, None], middle, joined), centre]),
        marks=np.concatenate([cage.marks, cage.marks[edges].mean(axis=1), marks]),
        corners=quads.ravel(),
        sizes=np.full(len(quads), 4),
        point_mirror=_point_mirror(cage, edges),
        face_mirror=_corner_mirror(cage, face),
    )


def _edges(
    cage: Cage, face: Int64[np.ndarray, " corners"]
) -> tuple[Int64[np.ndarray, "edges 2"], Int64[np.ndarray, " corners"]]:
    """Return the edges, in ascending order, and which one leaves each corner."""
    last = np.cumsum(cage.sizes) - 1
    after = np.arange(len(face)) + 1
    after[last] = last - cage.sizes + 1
    ends = np.sort(np.stack([cage.corners, cage.corners[after]], axis=1), axis=1)
    keys = ends[:, 0] * len(cage.points) + ends[:, 1]
    unique, edge = np.unique(keys, return_inverse=True)
    return np.stack(np.divmod(unique, len(cage.points)), axis=1), edge


def _point_mirror(cage: Cage, edges: Int64[np.ndarray, "edges 2"]) -> Int64[np.ndarray, " points"]:
    """Return the mirror image of every old point, edge and face, in the order of the new points."""
    num_points = len(cage.points)
    ends = np.sort(cage.point_mirror[edges], axis=1)
    keys, mirrored = edges @ [num_points, 1], ends @ [num_points, 1]
    edge_mirror = num_points + np.searchsorted(keys, mirrored)
    face_mirror = num_points + len(edges) + cage.face_mirror
    return np.concatenate([cage.point_mirror, edge_mirror, face_mirror])


def _corner_mirror(
    cage: Cage, face: Int64[np.ndarray, " corners"]
) -> Int64[np.ndarray, " corners"]:
    """Return the mirror image of every corner, which is the quad that it becomes."""
    keys = face * len(cage.points) + cage.corners
    order = np.argsort(keys)
    mirrored = cage.face_mirror[face] * len(cage.points) + cage.point_mirror[cage.corners]
    at: Int64[np.ndarray, " corners"] = order[np.searchsorted(keys, mirrored, sorter=order)]
    return at


def _smoothed(
    cage: Cage,
    centre: Float[np.ndarray, "corners 3"],
    edges: Int64[np.ndarray, "edges 2"],
    is_open: Bool[np.ndarray, " edges"],
) -> Float[np.ndarray, "points 3"]:
    count = len(cage.points)
    middle = np.repeat(cage.points[edges].mean(axis=1), 2, axis=0)
    valence = np.bincount(edges.ravel(), minlength=count)[:, None]
    faces_mean = _mean_by(centre, cage.corners, count)
    edges_mean = _mean_by(middle, edges.ravel(), count)
    smooth: Float[np.ndarray, "points 3"] = (
        faces_mean + 2.0 * edges_mean + (valence - 3.0) * cage.points
    ) / valence
    rim = edges[is_open].ravel()
    rim_mean = _mean_by(middle[np.repeat(is_open, 2)], rim, count)
    smooth[rim] = 0.5 * (rim_mean + cage.points)[rim]
    return smooth


def _mean_by(
    values: Float[np.ndarray, "values width"], group: Int64[np.ndarray, " values"], groups: int
) -> Float[np.ndarray, "groups width"]:
    total = np.stack([np.bincount(group, column, minlength=groups) for column in values.T], axis=1)
    return total / np.maximum(np.bincount(group, minlength=groups), 1)[:, None]
