from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from unitaf.face.decoder import (
    FrameGrid,
    PcaBasis,
    TcnDecoder,
    TransformerDecoder,
    length_mask,
    make_head,
)

DECODERS = {
    "tcn": lambda: TcnDecoder(12, 5, dim=16, style_dim=8),
    "transformer": lambda: TransformerDecoder(12, 5, dim=16, period=7),
}
decoders = pytest.mark.parametrize("build", DECODERS.values(), ids=DECODERS)


@given(
    steps=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    frames=st.lists(st.integers(1, 90), min_size=4, max_size=4),
)
def test_aligned_frames_run_from_the_first_to_the_last_step(
    steps: list[int], frames: list[int]
) -> None:
    frames = frames[: len(steps)]
    grid = FrameGrid.aligned(steps, frames)
    ramp = torch.arange(60.0)[None, :, None].expand(len(steps), -1, 1)
    read = grid.read(ramp)[..., 0]
    for row, t, f in zip(read, steps, frames, strict=True):
        assert row[0] == 0
        assert f == 1 or row[f - 1] == pytest.approx(t - 1, abs=1e-4)
        assert (row[:f].diff() >= 0).all()
    assert grid.mask.sum(1).tolist() == frames


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0])
def test_a_frame_on_the_clock_reads_its_own_time(fps: float) -> None:
    grid = FrameGrid.on_clock([99], [int(2 * fps)], 50.0, fps)
    times = grid.read(torch.arange(99.0)[None, :, None])[0, :, 0] / 50.0
    expected = torch.arange(int(2 * fps)) / fps
    assert torch.allclose(times, expected.clamp(max=98 / 50), atol=1e-5)


def test_a_clip_without_a_step_or_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a step and a frame"):
        FrameGrid.aligned([3, 0], [4, 4])


@decoders
def test_a_padded_batch_gives_what_each_clip_gives_alone(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    decoder = build().eval()
    lengths = [9, 1, 30, 17]
    mask = length_mask(lengths, 30)
    features = torch.randn(4, 30, 12).masked_fill(~mask[..., None], torch.nan)
    styles = torch.tensor([0, 4, 2, 2])
    together = decoder(features, mask, styles)
    for row, length in enumerate(lengths):
        alone = decoder(
            features[row : row + 1, :length], mask[row : row + 1, :length], styles[row : row + 1]
        )
        assert torch.allclose(together[row, :length], alone[0], atol=1e-6)


@decoders
def test_the_style_and_the_features_decide_the_motion(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    decoder = build().eval()
    features, mask = torch.randn(1, 20, 12), length_mask([20], 20)
    motion = decoder(features, mask, torch.tensor([1]))
    assert not torch.allclose(motion, decoder(features, mask, torch.tensor([2])), atol=1e-3)
    assert not torch.allclose(motion, decoder(features + 1, mask, torch.tensor([1])), atol=1e-3)


def reach(decoder: nn.Module) -> list[int]:
    """Return the frames that a change of features at frame 10 moves."""
    torch.manual_seed(0)
    features, mask, style = torch.randn(1, 21, 12), length_mask([21], 21), torch.tensor([0])
    changed = features.clone()
    changed[0, 10] += 1.0
    moved: Tensor = decoder.eval()(changed, mask, style) - decoder(features, mask, style)
    return moved[0].abs().amax(-1).gt(1e-7).nonzero()[:, 0].tolist()


def test_the_tcn_sees_seven_frames() -> None:
    assert reach(DECODERS["tcn"]()) == list(range(7, 14))


def test_the_transformer_decoder_never_looks_at_the_future_features() -> None:
    assert reach(DECODERS["transformer"]()) == [10]


def test_a_single_layer_head_starts_at_rest_and_a_deeper_one_does_not() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(1, 3, 8)
    assert make_head(8, 5)(hidden).abs().max() == 0
    deep = make_head(8, 5, num_layers=3)
    assert [type(layer) for layer in deep] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert deep(hidden).shape == (1, 3, 5)


def test_pca_decodes_around_the_mean_and_encodes_with_the_transpose() -> None:
    basis = PcaBasis(
        torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0], [5.0, 5.0, 5.0]]), torch.ones(3), 2
    )
    assert basis.num_components == 2
    decoded = basis.decode(torch.tensor([[[1.0, 3.0]]]))
    assert decoded.tolist() == [[[3.0, 4.0, 4.0]]]
    assert basis.encode(decoded).tolist() == [[[4.0, 6.0]]]


@decoders
def test_padded_frames_get_no_gradient(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    decoder = build().eval()
    mask = length_mask([4, 9], 9)
    features = torch.randn(2, 9, 12, requires_grad=True)
    motion = decoder(features, mask, torch.tensor([0, 1]))
    motion.masked_fill(~mask[..., None], 0.0).square().sum().backward()
    assert features.grad is not None
    assert features.grad[0, 4:].abs().max() == 0
    assert features.grad[0, :4].abs().min() > 0
