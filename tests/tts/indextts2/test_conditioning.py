import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.tts.indextts2.tiny import GPT, randomised
from unitaf.tts.indextts2.conditioning import (
    Conditioner,
    EmotionTable,
    limit_emotion,
    scale_emotion,
)
from unitaf.types import NEUTRAL

HAPPY = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def conditioner() -> Conditioner:
    return randomised(Conditioner(GPT))


@torch.no_grad()
def test_padding_changes_nothing(conditioner: Conditioner) -> None:
    clips = [torch.randn(steps, 1024) for steps in (9, 31, 16)]
    lengths = torch.tensor([len(clip) for clip in clips])
    padded = pad_sequence(clips, batch_first=True, padding_value=100.0)
    latents = conditioner.speaker_latents(padded, lengths)
    vectors = conditioner.emotion_vector(padded, lengths)
    for row, clip in enumerate(clips):
        alone = conditioner.speaker_latents(clip[None], lengths[row : row + 1])
        torch.testing.assert_close(latents[row], alone[0], atol=1e-5, rtol=1e-5)
        vector = conditioner.emotion_vector(clip[None], lengths[row : row + 1])
        torch.testing.assert_close(vectors[row], vector[0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_frames_that_the_training_mask_drops_are_not_attended_to(conditioner: Conditioner) -> None:
    clip = torch.randn(1, 60, 1024)
    lengths, valid = torch.tensor([60]), torch.tensor([31])
    masked = conditioner.speaker_latents(clip, lengths, valid)
    clip[:, 31:] = 9.0
    torch.testing.assert_close(conditioner.speaker_latents(clip, lengths, valid), masked)
    assert not torch.allclose(conditioner.speaker_latents(clip, lengths), masked, atol=1e-3)


def table() -> EmotionTable:
    random = torch.Generator().manual_seed(0)
    styles, vectors = (torch.randn(73, width, generator=random) for width in (192, 8))
    return EmotionTable(styles, vectors)


def test_no_emotion_leaves_the_voice_and_a_whole_one_is_a_prototype() -> None:
    emotions, spoken = table(), torch.arange(8.0)
    style = emotions.styles[2] * 5
    torch.testing.assert_close(emotions.mix(NEUTRAL, style, spoken), spoken)
    assert emotions.nearest_rows(style)[0] == 2
    torch.testing.assert_close(emotions.mix(HAPPY, style, spoken), emotions.vectors[2])


def test_scaling_cuts_off_after_four_decimals() -> None:
    assert scale_emotion([0.33333, *[0.0] * 7], 0.5)[0] == 0.1666
    assert scale_emotion([0.33333, *[0.0] * 7], 3.0)[0] == 0.33333
    assert scale_emotion(HAPPY, -1.0) == NEUTRAL


def test_limited_emotions_sum_to_less_than_a_whole() -> None:
    assert sum(limit_emotion([1.0] * 8, calming=True)) == pytest.approx(0.8)
    assert limit_emotion(HAPPY, calming=True)[0] == pytest.approx(0.8)
    weak = [0.1, *[0.0] * 6, 0.2]
    assert limit_emotion(weak, calming=False) == tuple(weak)
    assert limit_emotion(weak, calming=True)[7] == pytest.approx(0.1125)
