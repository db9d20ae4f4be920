import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unitaf.losses import (
    FaceGeometry,
    MouthWeighting,
    coefficient_loss,
    decoupled_mouth_state_loss,
    face_geometry,
    feature_alignment_loss,
    mesh_loss,
    mouth_openness,
    mouth_state_loss,
    mouth_state_weight,
    search_openness_interval,
    velocity_loss,
    vertex_loss,
)

BATCH, FRAMES, CHANNELS, POINTS = 3, 9, 6, 11
LIPS = torch.tensor([2, 5, 7, 8])
WEIGHTING = MouthWeighting(0.06, 0.14, alpha=3.0, gamma=2.0, base=0.1)


@pytest.fixture
def rig() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    neutral = 0.05 * torch.randn(POINTS, 3, generator=random, dtype=torch.float64)
    deltas = 0.02 * torch.randn(CHANNELS, POINTS, 3, generator=random, dtype=torch.float64)
    return neutral, deltas


@pytest.fixture
def geometry(rig: tuple[Tensor, Tensor]) -> FaceGeometry:
    return face_geometry(*rig, LIPS)


def curves(seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(BATCH, FRAMES, CHANNELS, generator=random, dtype=torch.float64)


def ragged_mask() -> Tensor:
    return torch.arange(FRAMES) < torch.tensor([9, 4, 1])[:, None]


def vertices(of: Tensor, rig: tuple[Tensor, Tensor]) -> Tensor:
    neutral, deltas = rig
    return neutral + torch.einsum("bfc,cpx->bfpx", of, deltas)


def all_losses(predicted: Tensor, target: Tensor, mask: Tensor, geometry: FaceGeometry) -> Tensor:
    return torch.stack(
        [
            coefficient_loss(predicted, target, mask),
            feature_alignment_loss(predicted, target, mask),
            mesh_loss(predicted.unflatten(2, (-1, 3)), target.unflatten(2, (-1, 3)), mask),
            vertex_loss(predicted, target, mask, geometry),
            mouth_state_loss(predicted, target, mask, geometry, WEIGHTING),
            decoupled_mouth_state_loss(predicted, target, mask, geometry, WEIGHTING, 1.0),
        ]
    )


def test_equal_sides_have_no_loss_and_no_gradient(geometry: FaceGeometry) -> None:
    predicted = curves(1).requires_grad_()
    losses = all_losses(predicted, curves(1), ragged_mask(), geometry)
    assert losses.tolist() == [0.0] * 6
    losses.sum().backward()
    assert predicted.grad is not None
    assert not predicted.grad.any()


def test_masked_frames_change_nothing_even_if_they_are_not_numbers(geometry: FaceGeometry) -> None:
    mask = ragged_mask()
    predicted, target = curves(1), curves(2)
    for side in (predicted, target):
        side[~mask] = torch.nan
    predicted.requires_grad_()
    losses = all_losses(predicted, target, mask, geometry)
    losses.sum().backward()
    assert predicted.grad is not None
    assert torch.equal(predicted.grad != 0.0, mask[..., None].expand_as(predicted))
    frames = [side[mask][None].detach() for side in (predicted, target)]
    alone = all_losses(*frames, torch.ones(1, 14, dtype=torch.bool), geometry)
    torch.testing.assert_close(losses, alone, rtol=1e-12, atol=0.0)


def test_the_velocity_loss_hears_trembling_and_no_offset() -> None:
    target, mask = curves(1), ragged_mask()
    trembling = target + 0.1 * (-1.0) ** torch.arange(FRAMES)[:, None]
    assert velocity_loss(target + 0.3, target, mask).item() == pytest.approx(0.0, abs=1e-30)
    assert velocity_loss(trembling, target, mask).item() == pytest.approx(0.2**2)


def test_changes_at_masked_frames_do_not_count() -> None:
    mask, target = ragged_mask(), curves(2)
    predicted = curves(1)
    expected = [
        (predicted[row, :real] - target[row, :real]).diff(dim=0).square().mean(-1)
        for row, real in enumerate((9, 4))
    ]
    predicted[~mask] = torch.nan
    predicted.requires_grad_()
    loss = velocity_loss(predicted, target, mask)
    torch.testing.assert_close(loss, torch.cat(expected).mean())
    loss.backward()
    assert predicted.grad is not None
    assert not predicted.grad[~mask].any()
    with pytest.raises(ValueError, match="no frame"):
        velocity_loss(target, target, mask & (torch.arange(FRAMES) < 1))


def test_vertex_losses_are_those_of_the_vertices(
    rig: tuple[Tensor, Tensor], geometry: FaceGeometry
) -> None:
    """The quadratic forms against the same losses written with vertices, gradients included."""
    mask = ragged_mask()
    predicted, target = curves(1).requires_grad_(), curves(2)
    moved, true = vertices(predicted, rig), vertices(target, rig)
    squared = (moved - true).square()
    heights = true[:, :, LIPS, 1]
    openness = heights.amax(-1) - heights.amin(-1)
    torch.testing.assert_close(mouth_openness(target, geometry), openness)
    weight = mouth_state_weight(openness, WEIGHTING)[..., None, None]
    assert weight.min() < 0.4 < weight.max()
    on_lips = torch.zeros(POINTS, 1, dtype=torch.float64)
    on_lips[LIPS] = 1.0
    expected = {
        vertex_loss(predicted, target, mask, geometry): squared,
        mouth_state_loss(predicted, target, mask, geometry, WEIGHTING): weight * squared,
        decoupled_mouth_state_loss(predicted, target, mask, geometry, WEIGHTING, 3.0): squared
        + 3.0 * weight * on_lips * squared,
    }
    for loss, field in expected.items():
        reference = field[mask].mean()
        torch.testing.assert_close(loss, reference, rtol=1e-10, atol=0.0)
        (gradient,) = torch.autograd.grad(loss, predicted, retain_graph=True)
        (wanted,) = torch.autograd.grad(reference, predicted, retain_graph=True)
        torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(
        mesh_loss(moved, true, mask), vertex_loss(predicted, target, mask, geometry)
    )


def test_a_channel_without_geometry_gets_no_gradient_from_vertices(
    rig: tuple[Tensor, Tensor],
) -> None:
    neutral, deltas = rig
    geometry = face_geometry(neutral, torch.cat([deltas[:-1], 0.0 * deltas[-1:]]), LIPS)
    predicted = curves(1).requires_grad_()
    mouth_state_loss(predicted, curves(2), ragged_mask(), geometry, WEIGHTING).backward()
    assert predicted.grad is not None
    assert not predicted.grad[..., -1].any()
    assert predicted.grad[0, :, :-1].all()


def test_the_target_decides_the_weight_and_gets_no_gradient_through_it(
    geometry: FaceGeometry,
) -> None:
    predicted, target = curves(1).requires_grad_(), curves(2).requires_grad_()
    loss = mouth_state_loss(predicted, target, ragged_mask(), geometry, WEIGHTING)
    mine, theirs = torch.autograd.grad(loss, (predicted, target))
    torch.testing.assert_close(theirs, -mine)


def test_a_shut_and_a_wide_open_mouth_weigh_most() -> None:
    weighting = MouthWeighting(0.03, 0.05, alpha=3.0, gamma=2.0, base=0.1)
    openness = torch.tensor([0.0, 0.03, 0.035, 0.04, 0.045, 0.05, 0.9], dtype=torch.float64)
    weight = mouth_state_weight(openness, weighting)
    expected = torch.tensor([0.85, 0.85, 0.2875, 0.1, 0.2875, 0.85, 0.85], dtype=torch.float64)
    torch.testing.assert_close(weight, expected)


def test_misuse_is_refused(rig: tuple[Tensor, Tensor], geometry: FaceGeometry) -> None:
    nobody = torch.zeros(BATCH, FRAMES, dtype=torch.bool)
    with pytest.raises(ValueError, match="no frame to learn from"):
        vertex_loss(curves(1), curves(2), nobody, geometry)
    with pytest.raises(ValueError, match="indices of the 11 vertices"):
        face_geometry(*rig, torch.tensor([3, 11]))
    with pytest.raises(ValueError, match="low must be below high"):
        MouthWeighting(0.05, 0.05)
    with pytest.raises(ValueError, match="gamma must be positive"):
        MouthWeighting(0.03, 0.05, gamma=0.0)


def speech_openness(opened_m: float) -> np.ndarray:
    """Openness with a broad closed side, and a few frames that are far more open than the rest."""
    random = np.random.default_rng(3)
    closed = 0.036 - np.abs(random.normal(0.0, 0.003, 4000))
    opened = 0.036 + np.abs(random.normal(0.0, opened_m, 4000))
    opened[:80] = 0.066
    return np.concatenate([closed, opened])


def test_interval_balances_both_sides_where_it_can() -> None:
    openness = speech_openness(opened_m=0.001)
    found = search_openness_interval(openness)
    low, high = found.weighting.low, found.weighting.high
    assert abs(found.imbalance) < 1e-6 * found.open_weight
    assert ((openness >= low) & (openness <= high)).mean() >= 0.95
    assert low + high == pytest.approx(2.0 * found.median)
    assert found.radius_range[0] < (high - low) / 2.0 < found.radius_range[1]


def test_interval_reports_an_imbalance_that_no_width_can_mend() -> None:
    openness = speech_openness(opened_m=0.006)
    found = search_openness_interval(openness)
    radius = (found.weighting.high - found.weighting.low) / 2.0
    assert radius == pytest.approx(found.radius_range[0])
    assert found.imbalance < -0.1 * found.open_weight


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 1000.0), st.floats(-1.0, 1.0))
def test_interval_does_not_depend_on_unit_or_origin(scale: float, origin: float) -> None:
    openness = speech_openness(opened_m=0.001)[::40]
    found = search_openness_interval(openness)
    moved = search_openness_interval(openness * scale + origin)
    ends = [found.weighting.low * scale + origin, found.weighting.high * scale + origin]
    # The weights jump where frames leave the interval, so rounding may end a few frames away.
    assert [moved.weighting.low, moved.weighting.high] == pytest.approx(ends, abs=1e-4 * scale)


@pytest.mark.parametrize(
    ("openness", "coverage", "problem"),
    [
        ([], 0.95, "not all the same"),
        ([0.1, 0.1], 0.95, "not all the same"),
        ([0.1, np.nan], 0.95, "finite"),
        ([0.1, 0.2], 1.0, "coverage"),
    ],
)
def test_interval_refuses_what_it_cannot_measure(
    openness: list[float], coverage: float, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        search_openness_interval(np.array(openness), coverage)
