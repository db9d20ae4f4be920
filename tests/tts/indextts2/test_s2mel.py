import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from tests.tts.indextts2 import tiny
from unitaf.tts.indextts2.cfm import FlowInput
from unitaf.tts.indextts2.s2mel import (
    FeatureLayer,
    LineNorm,
    SemanticToMel,
    nearest_index,
    target_frames,
)


@pytest.fixture(scope="module")
def s2mel() -> SemanticToMel:
    return tiny.randomised(SemanticToMel(tiny.S2MEL))


def flow_input(frames: int, prompt: int, seed: int) -> FlowInput:
    random = torch.Generator().manual_seed(seed)
    shapes = ((frames, 16), (80, prompt), (192,), (80, frames))
    return FlowInput(*(torch.randn(shape, generator=random) for shape in shapes))


def test_the_index_is_torchs_own_nearest_neighbour() -> None:
    lengths = torch.tensor([1, 7, 50, 333, 1499])
    frames = torch.tensor([target_frames(int(length)) for length in lengths])
    index = nearest_index(lengths, frames)
    for row, (length, count) in enumerate(zip(lengths.tolist(), frames.tolist(), strict=True)):
        steps = torch.arange(float(length))[None, None]
        expected = nn.functional.interpolate(steps, size=count, mode="nearest")[0, 0].long()
        assert index[row, :count].tolist() == expected.tolist()
        assert not index[row, count:].any()


def test_line_norm_is_group_norm_over_the_line() -> None:
    ours, group = LineNorm(6), nn.GroupNorm(1, 6)
    signal = 3.0 + 2.0 * torch.randn(1, 6, 9)
    padded = nn.functional.pad(signal, (0, 4), value=99.0)
    mask = (torch.arange(13) < 9)[None, None]
    torch.testing.assert_close(ours(padded, mask)[..., :9], group(signal))


@torch.no_grad()
def test_content_of_a_batch_is_that_of_its_lines_alone(s2mel: SemanticToMel) -> None:
    lines = [torch.randn(steps, 1024) for steps in (12, 40, 1)]
    lengths = torch.tensor([len(line) for line in lines])
    frames = torch.tensor([target_frames(len(line)) for line in lines])
    padded = pad_sequence(lines, batch_first=True, padding_value=9.0)
    content = s2mel.length_regulator(padded, lengths, frames)
    for row, line in enumerate(lines):
        one = slice(row, row + 1)
        alone = s2mel.length_regulator(line[None], lengths[one], frames[one])[0]
        torch.testing.assert_close(content[row, : frames[row]], alone, atol=1e-5, rtol=1e-5)
        assert not content[row, frames[row] :].any()


@torch.no_grad()
def test_lines_flow_together_as_they_flow_alone(s2mel: SemanticToMel) -> None:
    inputs = [flow_input(30, 12, 1), flow_input(55, 3, 2), flow_input(41, 25, 3)]
    for mel, given in zip(s2mel.cfm(inputs, num_steps=4), inputs, strict=True):
        alone = s2mel.cfm([given], num_steps=4)[0]
        torch.testing.assert_close(mel, alone, atol=2e-5, rtol=1e-5)
        assert mel.shape == (80, len(given.content) - given.prompt.shape[1])


@torch.no_grad()
def test_guidance_goes_beyond_what_is_told(s2mel: SemanticToMel) -> None:
    given = flow_input(20, 5, 4)
    bare = FlowInput(
        torch.zeros_like(given.content),
        torch.zeros_like(given.prompt),
        torch.zeros_like(given.style),
        given.noise,
    )
    told = s2mel.cfm([given], num_steps=1, guidance=0.0)[0]
    untold = s2mel.cfm([bare], num_steps=1, guidance=0.0)[0]
    guided = s2mel.cfm([given], num_steps=1, guidance=0.7)[0]
    torch.testing.assert_close(guided, told + 0.7 * (told - untold), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_noise_in_the_prompt_is_not_used(s2mel: SemanticToMel) -> None:
    given = flow_input(20, 5, 4)
    noise: Tensor = given.noise.clone()
    noise[:, :5] = 100.0
    other = FlowInput(given.content, given.prompt, given.style, noise)
    first, second = (s2mel.cfm([each], num_steps=2)[0] for each in (given, other))
    assert torch.equal(first, second)


@torch.no_grad()
def test_half_precision_keeps_its_state_in_single(s2mel: SemanticToMel) -> None:
    given = flow_input(20, 5, 4)
    exact = s2mel.cfm([given], num_steps=4)[0]
    half = tiny.randomised(SemanticToMel(tiny.S2MEL)).bfloat16().cfm([given], num_steps=4)[0]
    assert half.dtype == torch.float32
    assert (half - exact).abs().mean() < 0.1 * exact.abs().mean()


def test_features_hold_no_more_than_128_numbers() -> None:
    layer = FeatureLayer(300)
    features = layer(torch.randn(400, 300))
    assert torch.linalg.matrix_rank(features - layer(torch.zeros(300))).item() <= 128
