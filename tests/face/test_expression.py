import pytest
import torch
from torch import Tensor

from unitaf.face.adapter import AdapterSizes, FeatureAdapter
from unitaf.face.decoder import FrameGrid
from unitaf.face.emotion_channels import emotion_channels
from unitaf.face.expression import (
    CrossAttentionResidual,
    EmotionResidual,
    FilmResidual,
)
from unitaf.face.model import Residual
from unitaf.rigs.arkit import CHANNELS

DIM, EMOTIONS = 12, 8
STEPS, FRAMES = [30, 8, 19], [12, 3, 8]
KINDS = ["emotion", "film", "cross_attention"]


def make(kind: str) -> Residual:
    torch.manual_seed(0)
    residual: Residual
    if kind == "emotion":
        residual = EmotionResidual(DIM, emotion_channels(CHANNELS), EMOTIONS, dim=16)
        torch.nn.init.normal_(residual.out.weight)
        torch.nn.init.normal_(residual.out.bias)
    else:
        published = {"film": FilmResidual, "cross_attention": CrossAttentionResidual}[kind]
        residual = published(DIM, len(CHANNELS), EMOTIONS, dim=16, num_layers=2, num_heads=4)
    return residual.eval()


def prefix(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def grid_of(steps: list[int], frames: list[int]) -> FrameGrid:
    return FeatureAdapter(DIM, 80.0, 8, 30.0, AdapterSizes(groups=1)).grid(
        prefix(steps), prefix(frames)
    )


def batch() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    mouth = torch.rand(3, 12, len(CHANNELS), generator=random)
    features = torch.randn(3, 30, DIM, generator=random)
    return mouth, features, torch.rand(3, EMOTIONS, generator=random)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_in_a_padded_batch_is_what_it_is_alone(kind: str) -> None:
    residual = make(kind)
    mouth, features, emotion = batch()
    together = residual(mouth, features, emotion, prefix(STEPS), grid_of(STEPS, FRAMES))
    for row, (steps, frames) in enumerate(zip(STEPS, FRAMES, strict=True)):
        one = slice(row, row + 1)
        clip = mouth[one, :frames], features[one, :steps], emotion[one]
        alone = residual(*clip, prefix([steps]), grid_of([steps], [frames]))
        torch.testing.assert_close(together[row, :frames], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_emotion_mouth_and_features_all_matter(kind: str) -> None:
    residual = make(kind)
    inputs = [value.requires_grad_() for value in batch()]
    delta = residual(*inputs, prefix(STEPS), grid_of(STEPS, FRAMES))
    for gradient in torch.autograd.grad(delta.square().sum(), inputs):
        assert gradient.abs().sum() > 0.0


def test_emotion_leaves_the_lips_alone_and_moves_the_rest() -> None:
    residual = make("emotion")
    mouth, features, emotion = batch()
    delta = residual(mouth, features, emotion, prefix(STEPS), grid_of(STEPS, FRAMES))
    other = residual(mouth, features, 1.0 - emotion, prefix(STEPS), grid_of(STEPS, FRAMES))
    free = torch.tensor(emotion_channels(CHANNELS))
    assert not delta[..., ~free].any()
    assert (delta[0] != other[0])[..., free].all()


def test_lip_channels_are_those_that_shape_speech() -> None:
    free = dict(zip(CHANNELS, emotion_channels(CHANNELS), strict=True))
    assert not any(
        free[name] for name in ("jawOpen", "mouthClose", "mouthUpperUpLeft", "tongueOut")
    )
    moods = ("browInnerUp", "cheekPuff", "noseSneerLeft", "headYaw", "mouthSmileLeft")
    assert all(free[name] for name in moods)
    assert emotion_channels(["JawOpen", "BrowInnerUp"]) == [False, True]


def test_an_untrained_residual_is_none() -> None:
    residual = EmotionResidual(DIM, emotion_channels(CHANNELS), EMOTIONS, dim=16)
    mouth, features, emotion = batch()
    assert not residual(mouth, features, emotion, prefix(STEPS), grid_of(STEPS, FRAMES)).any()
