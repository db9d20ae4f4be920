"""Mesh metrics: how far a moving face is from the true one, and how calm it is.

Conventions: vertices in metres in the rig's neutral space, without head pose; frame i of both sides
is the same moment; results are float64. One sequence at a time: a corpus figure is the plain mean
over its sequences, as in UniTalker (Fan et al. 2024, arXiv 2408.00762), not the mean over all
frames. Figures compare only on one rig, vertex set and unit. This module knows nothing about models
or files.
"""

import numpy as np
from jaxtyping import Float, Int


def lip_vertex_error(
    predicted: Float[np.ndarray, "frames points 3"],
    target: Float[np.ndarray, "frames points 3"],
    lips: Int[np.ndarray, " lips"],
) -> float:
    """Return the largest squared lip-vertex distance of each frame, averaged over frames (LVE).

    As UniTalker's evaluation has it, after Richard et al. 2021 (MeshTalk).

    Args:
        predicted: Vertices in metres.
        target: Vertices in metres, same frames.
        lips: Indices of the lip vertices.

    Returns:
        Square metres; 0 is perfect.

    Raises:
        ValueError: If the shapes differ, a number is not finite, or a lip vertex does not exist.
    """
    return float(_squared_distances(predicted, target, lips).max(axis=1).mean())


def lip_vertex_distance(
    predicted: Float[np.ndarray, "frames points 3"],
    target: Float[np.ndarray, "frames points 3"],
    lips: Int[np.ndarray, " lips"],
) -> float:
    """Return the largest lip-vertex distance of each frame, averaged over frames (LVD).

    UniTalker's second lip figure; not the root of `lip_vertex_error`.

    Args:
        predicted: Vertices in metres.
        target: Vertices in metres, same frames.
        lips: Indices of the lip vertices.

    Returns:
        Metres; 0 is perfect.

    Raises:
        ValueError: If the shapes differ, a number is not finite, or a lip vertex does not exist.
    """
    return float(np.sqrt(_squared_distances(predicted, target, lips).max(axis=1)).mean())


def mean_vertex_error(
    predicted: Float[np.ndarray, "frames points 3"], target: Float[np.ndarray, "frames points 3"]
) -> float:
    """Return the distance of a vertex, averaged over all vertices and frames (MVE).

    Args:
        predicted: Vertices in metres.
        target: Vertices in metres, same frames.

    Returns:
        Metres; 0 is perfect (Fan et al. 2024).

    Raises:
        ValueError: If the shapes differ or a number is not finite.
    """
    every = np.arange(predicted.shape[1])
    return float(np.sqrt(_squared_distances(predicted, target, every)).mean())


def upper_face_dynamics_deviation(
    predicted: Float[np.ndarray, "frames points 3"],
    target: Float[np.ndarray, "frames points 3"],
    neutral: Float[np.ndarray, "points 3"],
    upper_face: Int[np.ndarray, " upper"],
) -> float:
    """Return how much less the upper face moves than it should (FDD).

    The standard deviation over time of each vertex's squared displacement from neutral, averaged
    over the upper face; target minus prediction (Xing et al. 2023, CodeTalker, as evaluated).

    Args:
        predicted: Vertices in metres.
        target: Vertices in metres, same frames.
        neutral: The face at rest.
        upper_face: Indices of the upper-face vertices.

    Returns:
        Square metres; 0 is perfect, above 0 is too still, below 0 is too lively.

    Raises:
        ValueError: If the shapes differ, a number is not finite, or a vertex does not exist.
    """
    _check(predicted, target, upper_face)
    rest = np.asarray(neutral, np.float64)
    _check(rest[None], np.asarray(predicted[:1], np.float64), upper_face)

    def dynamics(vertices: np.ndarray) -> float:
        motion = np.asarray(vertices, np.float64)[:, upper_face] - rest[upper_face]
        return float(np.square(motion).sum(axis=2).std(axis=0).mean())

    return dynamics(target) - dynamics(predicted)


def jitter(vertices: Float[np.ndarray, "frames points 3"], fps: float) -> float:
    """Return the mean magnitude of the vertices' jerk, the third derivative of their position.

    High-frequency noise shows here first (Yi et al. 2021, TransPose, for bodies). It grows with the
    frame rate and with lively speech, so compare it with the target's at the same rate.

    Args:
        vertices: Vertices in metres, at least four frames.
        fps: Frames a second.

    Returns:
        Metres a second cubed; 0 is a face that moves with constant acceleration, or not at all.

    Raises:
        ValueError: If there are fewer than four frames or a number is not finite.
    """
    _check(vertices, vertices, np.zeros(1, np.int64))
    if len(vertices) < 4:
        raise ValueError(f"jitter needs at least 4 frames, not {len(vertices)}")
    jerk = np.diff(np.asarray(vertices, np.float64), n=3, axis=0) * fps**3
    return float(np.linalg.norm(jerk, axis=2).mean())


def _squared_distances(
    predicted: Float[np.ndarray, "frames points 3"],
    target: Float[np.ndarray, "frames points 3"],
    points: Int[np.ndarray, " chosen"],
) -> Float[np.ndarray, "frames chosen"]:
    _check(predicted, target, points)
    difference = np.asarray(predicted, np.float64)[:, points] - target[:, points]
    squared: np.ndarray = np.square(difference).sum(axis=2)
    return squared


def _check(predicted: np.ndarray, target: np.ndarray, points: np.ndarray) -> None:
    if predicted.ndim != 3 or predicted.shape[2] != 3 or 0 in predicted.shape:
        raise ValueError(f"vertices must be (frames, points, 3), not {predicted.shape}")
    if predicted.shape != target.shape:
        raise ValueError(f"predicted is {predicted.shape} but target is {target.shape}")
    if not (np.isfinite(predicted).all() and np.isfinite(target).all()):
        raise ValueError("vertices must be finite numbers")
    if points.size == 0 or points.min() < 0 or points.max() >= predicted.shape[1]:
        raise ValueError(f"vertex indices must lie in 0 to {predicted.shape[1] - 1}, at least one")
