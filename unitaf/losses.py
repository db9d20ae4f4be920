"""What training minimises: how far predicted curves, meshes and features are from their targets.

Conventions: batches are padded and ``mask`` is true on real frames; only those count, and a masked
frame gets exactly zero gradient, whatever stands in it. Curves are compared in one agreed channel
order, so map by name first. Lengths are in the rig's unit (metres), y is up. Equation numbers are
those of UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651). This module knows nothing about rig
files, models or training stages; the factors between terms are the caller's.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FaceGeometry:
    """What the vertex losses need of a blendshape rig; made by `face_geometry`.

    A face is linear in its curves, so the squared error of all vertices is a quadratic form of the
    curves' error. The losses use its small matrix and never make a vertex.
    """

    face_form: Float[Tensor, "channels channels"]
    """Curve error to the squared error of all vertices, averaged over all coordinates."""
    lip_form: Float[Tensor, "channels channels"]
    """The lip vertices' part of it: summed over the lips, over the same number of coordinates."""
    lip_heights: Float[Tensor, " lips"]
    """The lip vertices' y in the neutral face."""
    lip_rises: Float[Tensor, "channels lips"]
    """How far each channel moves them up."""


def face_geometry(
    neutral: Float[Tensor, "points 3"],
    deltas: Float[Tensor, "channels points 3"],
    lips: Int[Tensor, " lips"],
) -> FaceGeometry:
    """Prepare a blendshape rig for the vertex losses.

    Args:
        neutral: The face at zero curves.
        deltas: What each channel adds at 1; zeros for a channel without geometry.
        lips: Indices of the lip vertices.

    Raises:
        ValueError: If there is no lip vertex or one does not exist.
    """
    if lips.numel() == 0 or int(lips.min()) < 0 or int(lips.max()) >= len(neutral):
        raise ValueError(f"lips must be indices of the {len(neutral)} vertices, at least one")
    basis = deltas.double().flatten(1)
    lip_basis = deltas[:, lips].double().flatten(1)
    coordinates = neutral.numel()
    return FaceGeometry(
        face_form=(basis @ basis.T / coordinates).to(deltas.dtype),
        lip_form=(lip_basis @ lip_basis.T / coordinates).to(deltas.dtype),
        lip_heights=neutral[lips, 1],
        lip_rises=deltas[:, lips, 1],
    )


@dataclass(frozen=True, slots=True)
class MouthWeighting:
    """How much a frame counts by how open the mouth is: most when shut or wide open (eq. 4-5)."""

    low: float
    """The openness, in metres, that counts as shut."""
    high: float
    """The openness that counts as wide open."""
    alpha: float = 3.0
    gamma: float = 2.0
    base: float = 0.0
    """The weight of a half open mouth; 0 in the paper, 0.1 in the published training code."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.alpha < 0 or self.gamma <= 0 or self.base < 0:
            raise ValueError("alpha and base must not be negative and gamma must be positive")


def coefficient_loss(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of coefficients: curves, or components of a PCA basis.

    Args:
        predicted: Coefficients, any unit.
        target: Coefficients, same unit and order.
        mask: True on frames that count.

    Raises:
        ValueError: If no frame counts.
    """
    return _masked_mean(_difference(predicted, target, mask).square().mean(-1), mask)


def velocity_loss(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of coefficients' change from frame to frame.

    A face that is right on average but trembles costs little in `coefficient_loss` and much here
    (VOCA, Cudeiro et al. 2019, arXiv 1905.03079, section 5).

    Args:
        predicted: Coefficients, any unit.
        target: Coefficients, same unit and order.
        mask: True on frames that count; a change counts if both its frames do.

    Raises:
        ValueError: If no change counts.
    """
    change = _difference(predicted, target, mask).diff(dim=1)
    return _masked_mean(change.square().mean(-1), mask[:, 1:] & mask[:, :-1])


def feature_alignment_loss(
    predicted: Float[Tensor, "batch frames dim"],
    target: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of adapted features to an audio encoder's (eq. 1).

    Args:
        predicted: The adapter's output.
        target: The audio encoder's features of the recording at the same frames.
        mask: True on frames that count.

    Raises:
        ValueError: If no frame counts.
    """
    return coefficient_loss(predicted, target, mask)


def mesh_loss(
    predicted: Float[Tensor, "batch frames points 3"],
    target: Float[Tensor, "batch frames points 3"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of vertex coordinates, for meshes that no linear rig moves.

    For heads that predict vertices or FLAME parameters; `vertex_loss` is the same for curves.

    Args:
        predicted: Vertices in any unit.
        target: Vertices in the same unit.
        mask: True on frames that count.

    Raises:
        ValueError: If no frame counts.
    """
    return coefficient_loss(predicted.flatten(2), target.flatten(2), mask)


def vertex_loss(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
    geometry: FaceGeometry,
) -> Float[Tensor, ""]:
    """Return the mean squared error of the vertex coordinates that curves move.

    Args:
        predicted: Curves in the geometry's channel order.
        target: Curves in the same order.
        mask: True on frames that count.
        geometry: The rig, as `face_geometry` prepared it.

    Returns:
        Square metres, averaged over coordinates and frames.

    Raises:
        ValueError: If no frame counts.
    """
    return _masked_mean(vertex_error(predicted, target, mask, geometry.face_form), mask)


def mouth_state_loss(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
    geometry: FaceGeometry,
    weighting: MouthWeighting,
) -> Float[Tensor, ""]:
    """Return the vertex loss with every frame weighted by its mouth state (eq. 4-5).

    The paper adds it to `coefficient_loss` with a factor lambda of about 1e5.

    Args:
        predicted: Curves in the geometry's channel order.
        target: Curves in the same order; they alone decide the weight.
        mask: True on frames that count.
        geometry: The rig, as `face_geometry` prepared it.
        weighting: Interval, alpha, gamma and base.

    Raises:
        ValueError: If no frame counts.
    """
    weight = mouth_state_weight(mouth_openness(target, geometry), weighting)
    return _masked_mean(weight * vertex_error(predicted, target, mask, geometry.face_form), mask)


def decoupled_mouth_state_loss(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
    geometry: FaceGeometry,
    weighting: MouthWeighting,
    scale: float,
) -> Float[Tensor, ""]:
    """Return the plain vertex loss of the face plus the weighted loss of the lips alone (eq. 6).

    Weighting the whole face makes the rest of it jitter; here only the lips feel the weight, on top
    of what they count in the face. Both terms are means over the coordinates of the whole face.

    Args:
        predicted: Curves in the geometry's channel order.
        target: Curves in the same order; they alone decide the weight.
        mask: True on frames that count.
        geometry: The rig, as `face_geometry` prepared it.
        weighting: Interval, alpha, gamma and base.
        scale: The factor lambda of the lip term.

    Raises:
        ValueError: If no frame counts.
    """
    weight = scale * mouth_state_weight(mouth_openness(target, geometry), weighting)
    face = vertex_error(predicted, target, mask, geometry.face_form)
    lips = vertex_error(predicted, target, mask, geometry.lip_form)
    return _masked_mean(face + weight * lips, mask)


def mouth_openness(
    curves: Float[Tensor, "batch frames channels"], geometry: FaceGeometry
) -> Float[Tensor, "batch frames"]:
    """Return the height of the lips: highest minus lowest y of the lip vertices (eq. 2).

    It is not the gap between the lips: a shut mouth has the height of its lips. Metres.
    """
    heights = geometry.lip_heights + curves @ geometry.lip_rises
    return heights.amax(-1) - heights.amin(-1)


def mouth_state_weight(
    openness: Float[Tensor, "*shape"], weighting: MouthWeighting
) -> Float[Tensor, "*shape"]:
    """Return ``base + alpha * abs(n - 0.5) ** gamma``, n the normalised openness (eq. 4-5).

    Without gradient: the target's mouth decides the weight.
    """
    share = normalized_openness(openness.detach(), weighting)
    return weighting.base + weighting.alpha * (share - 0.5).abs() ** weighting.gamma


def normalized_openness(
    openness: Float[Tensor, "*shape"], weighting: MouthWeighting
) -> Float[Tensor, "*shape"]:
    """Return where an openness lies between low (0) and high (1), held beyond them."""
    return ((openness - weighting.low) / (weighting.high - weighting.low)).clamp(0.0, 1.0)


def vertex_error(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    mask: Bool[Tensor, "batch frames"],
    form: Float[Tensor, "channels channels"],
) -> Float[Tensor, "batch frames"]:
    """Return the mean squared vertex error of every frame; 0 where masked.

    Args:
        predicted: Curves in the form's channel order.
        target: Curves in the same order.
        mask: True on frames that count.
        form: `FaceGeometry.face_form` or `FaceGeometry.lip_form`.
    """
    difference = _difference(predicted, target, mask)
    return ((difference @ form) * difference).sum(-1)


@dataclass(frozen=True, slots=True)
class OpennessInterval:
    """What `search_openness_interval` found."""

    weighting: MouthWeighting
    """The interval, with the shape of the weight that it was searched for."""
    median: float
    radius_range: tuple[float, float]
    """Where half the width was searched: the least that covers enough, and the most."""
    closed_weight: float
    """Summed weight of the frames below the median."""
    open_weight: float
    """Summed weight of the frames above it."""

    @property
    def imbalance(self) -> float:
        """Closed minus open weight: 0, unless no interval balances the two sides.

        For openness with a long open tail, the usual shape, the open side always weighs more, and
        the interval is the narrowest symmetric one that covers enough.
        """
        return self.closed_weight - self.open_weight


def search_openness_interval(
    openness: Float[np.ndarray, " frames"],
    coverage: float = 0.95,
    alpha: float = 3.0,
    gamma: float = 2.0,
    base: float = 0.0,
    bisections: int = 50,
) -> OpennessInterval:
    """Find the interval around the median whose closed and open frames weigh the same in sum.

    Half its width is bisected, between the least that covers enough on both sides and twice the
    largest distance from the median.

    Args:
        openness: `mouth_openness` of every frame of a corpus, in metres.
        coverage: Share of the frames that must lie inside.
        alpha: As in `MouthWeighting`.
        gamma: As in `MouthWeighting`.
        base: As in `MouthWeighting`.
        bisections: 50 go past the digits of a double.

    Raises:
        ValueError: If the openness is empty, not finite or constant, or the coverage is no share.
    """
    values = np.asarray(openness, np.float64)
    _check_openness(values, coverage)
    median = float(np.median(values))
    ends = np.quantile(values, [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0])
    narrow = least = float(np.abs(ends - median).max())
    wide = most = 2.0 * float(np.abs(values - median).max())

    def at(radius: float) -> OpennessInterval:
        weighting = MouthWeighting(median - radius, median + radius, alpha, gamma, base)
        weight = mouth_state_weight(torch.from_numpy(values), weighting).numpy()
        closed, opened = weight[values < median].sum(), weight[values > median].sum()
        return OpennessInterval(weighting, median, (least, most), float(closed), float(opened))

    for _ in range(bisections):
        radius = (narrow + wide) / 2.0
        narrow, wide = (radius, wide) if at(radius).imbalance > 0.0 else (narrow, radius)
    return at((narrow + wide) / 2.0)


def _check_openness(values: Float64[np.ndarray, " frames"], coverage: float) -> None:
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage must be between 0 and 1, not {coverage}")
    if values.size == 0 or not np.isfinite(values).all() or np.ptp(values) == 0.0:
        raise ValueError("openness must be finite numbers that are not all the same")


def _difference(
    predicted: Float[Tensor, "batch frames dim"],
    target: Float[Tensor, "batch frames dim"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, "batch frames dim"]:
    """Return predicted minus target, 0 where masked: not even a NaN gets through there."""
    return torch.where(mask[..., None], predicted - target, 0.0)


def _masked_mean(
    values: Float[Tensor, "batch frames"], mask: Bool[Tensor, "batch frames"]
) -> Float[Tensor, ""]:
    count = mask.sum()
    if count == 0:
        raise ValueError("the mask leaves no frame to learn from")
    return torch.where(mask, values, 0.0).sum() / count
