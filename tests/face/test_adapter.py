import pytest
import torch
from torch import Tensor, nn

from unitaf.face.adapter import AdapterSizes, FeatureAdapter, ReferenceAdapter
from unitaf.face.bottleneck import Bottleneck, MaskedBatchNorm
from unitaf.face.model import Adapter

DIM, OUT = 32, 24
LIGHT = AdapterSizes(groups=1, waist=6, reads_first=True)


def lively(module: nn.Module, seed: int = 0) -> None:
    """Give every parameter and running statistic a value that shows."""
    random = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=random)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0.0, 0.3, generator=random)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0, generator=random)


def make(kind: str, feature_rate: float = 80.0, fps: float = 30.0) -> Adapter:
    torch.manual_seed(0)
    if kind == "reference":
        adapter: Adapter = ReferenceAdapter(DIM, feature_rate, OUT)
    elif kind == "light":
        adapter = FeatureAdapter(DIM, feature_rate, 300, fps, LIGHT)
    else:
        adapter = FeatureAdapter(DIM, feature_rate, OUT, fps)
    lively(adapter)
    return adapter


def prefix(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def adapt(adapter: Adapter, features: Tensor, steps: list[int], frames: list[int]) -> Tensor:
    mask = prefix(steps)
    output: Tensor = adapter(features, mask, adapter.grid(mask, prefix(frames)))
    return output


STEPS, FRAMES = [61, 20, 1, 44], [23, 7, 1, 16]


@pytest.mark.parametrize("kind", ["general", "light", "reference"])
def test_a_clip_in_a_padded_batch_is_what_it_is_alone(kind: str) -> None:
    adapter = make(kind).eval()
    features = torch.randn(4, 61, DIM)
    features[~prefix(STEPS)] = torch.nan
    together = adapt(adapter, features, STEPS, FRAMES)
    for row, (steps, frames) in enumerate(zip(STEPS, FRAMES, strict=True)):
        alone = adapt(adapter, features[row : row + 1, :steps], [steps], [frames])
        torch.testing.assert_close(together[row, :frames], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["general", "light", "reference"])
def test_padding_changes_no_output_gradient_or_statistic_in_training(kind: str) -> None:
    features = torch.randn(2, 40, DIM)
    padded = torch.cat([features, torch.full((2, 25, DIM), 7.0)], dim=1)
    results = []
    for given, steps in ((features, 40), (padded, 65)):
        adapter = make(kind).train()
        mask = torch.arange(steps) < torch.tensor([[40], [40]])
        frame_mask = torch.arange(15 + steps - 40) < torch.tensor([[15], [15]])
        output = adapter(given, mask, adapter.grid(mask, frame_mask))[:, :15]
        output.square().mean().backward()
        gradients = [parameter.grad for parameter in adapter.parameters()]
        results.append([output, *gradients, *adapter.buffers()])
    for bare, with_padding in zip(*results, strict=True):
        torch.testing.assert_close(bare, with_padding, rtol=1e-4, atol=1e-5)


def test_training_in_bfloat16_keeps_exact_statistics() -> None:
    features = torch.randn(3, 40, DIM)
    adapters = make("general").train(), make("general").train()
    whole = adapt(adapters[0], features, [40] * 3, [15] * 3)
    with torch.autocast("cpu", torch.bfloat16):
        half = adapt(adapters[1], features, [40] * 3, [15] * 3)
    half.float().square().mean().backward()
    torch.testing.assert_close(half.float(), whole, rtol=0.1, atol=0.1)
    for exact, rounded in zip(*(adapter.buffers() for adapter in adapters), strict=True):
        assert exact.dtype == rounded.dtype
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    ("feature_rate", "fps"), [(80.0, 30.0), (80.0, 29.97), (50.0, 60.0), (22050 / 256, 25.0)]
)
def test_frames_are_read_at_their_own_time(feature_rate: float, fps: float) -> None:
    """A ramp over time stays a ramp: its value at frame i is i / fps, after an hour too."""
    adapter = make("general", feature_rate, fps)
    first = 30 * 60 * 60
    mask, frame_mask = torch.ones(1, 400, dtype=torch.bool), torch.ones(1, 20, dtype=torch.bool)
    grid = adapter.grid(mask, frame_mask, first)
    times = (adapter.step_at(first) + torch.arange(400.0, dtype=torch.float64)) / feature_rate
    read = grid.read(times[None, :, None])[0, :, 0]
    expected = (first + torch.arange(20, dtype=torch.float64)) / fps
    torch.testing.assert_close(read, expected, rtol=0.0, atol=1e-7)


def test_frames_after_the_last_step_hold_it() -> None:
    adapter = make("general")
    grid = adapter.grid(prefix([10, 4]), prefix([5, 5]))
    read = grid.read(torch.arange(10.0).expand(2, 10)[..., None])[..., 0]
    torch.testing.assert_close(read[0], torch.tensor([0.0, 8.0 / 3.0, 16.0 / 3.0, 8.0, 9.0]))
    torch.testing.assert_close(read[1], torch.tensor([0.0, 8.0 / 3.0, 3.0, 3.0, 3.0]))


def test_reference_adapter_has_the_published_size() -> None:
    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(ReferenceAdapter()) == 918_017
    assert count(ReferenceAdapter(out_dim=1024)) == 1_000_961


@pytest.mark.parametrize("training", [False, True])
def test_normalisation_without_padding_is_that_of_torch(training: bool) -> None:
    ours, theirs = MaskedBatchNorm(DIM), nn.BatchNorm1d(DIM)
    lively(ours)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(3, 17, DIM)
    if training:
        result = ours.train()(inputs, torch.ones(3, 17, dtype=torch.bool))
    else:
        scale, shift = ours.running_affine()
        result = inputs * scale + shift
    expected = theirs.train(training)(inputs.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    for mine, its in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, its)


def test_every_frame_depends_on_exactly_the_steps_it_claims() -> None:
    for kind in ("general", "reference"):
        adapter = make(kind).eval()
        features = torch.randn(16, 60, DIM, requires_grad=True)
        adapted = adapt(adapter, features, [60] * 16, [20] * 16)
        (gradient,) = torch.autograd.grad(adapted[:, 10].sum(), features)
        touched = gradient.abs().sum((0, 2)).nonzero()[:, 0]
        reach = int(adapter.frame_context)
        assert touched.min() == adapter.step_span(10 - reach)[0]
        assert touched.max() == adapter.step_span(10 + reach)[1]


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="a waist of 6 channels cannot be split into 4 groups"):
        Bottleneck(24, 32, groups=4)
    adapter = make("general").train()
    with pytest.raises(ValueError, match="at least 2 real steps"):
        adapt(adapter, torch.randn(1, 1, DIM), [1], [1])
