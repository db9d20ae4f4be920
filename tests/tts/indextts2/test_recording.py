from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tests.tts.indextts2 import tiny
from unitaf.tts.indextts2.recording import Recording, hear, recording_features
from unitaf.tts.indextts2.voice import read_voice
from unitaf.types import NEUTRAL, Emotion

ANGRY: Emotion = (0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def noise(seconds: float, rate: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 0.1 * random.standard_normal(round(seconds * rate), np.float32)


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """Of all lengths and rates, in two voices; some are acted."""
    voices = [read_voice(tiny.networks(), noise(0.6, 24000, seed), 24000) for seed in (8, 9)]
    rates, seconds = (22050, 48000, 16000, 24000), (1.3, 0.31, 2.075, 0.7)
    return [
        Recording(
            noise(length, rate, number),
            rate,
            tuple(range(2, 9 + 11 * number)),
            voices[number % 2],
            ANGRY if number == 2 else NEUTRAL,
        )
        for number, (length, rate) in enumerate(zip(seconds, rates, strict=True))
    ]


def read(recordings: Sequence[Recording]) -> tuple[list[tuple[int, ...]], list[torch.Tensor]]:
    heard = hear(tiny.networks(), recordings)
    features = recording_features(tiny.networks(), recordings, heard)
    return [each.codes for each in heard], features


def test_recordings_of_a_batch_are_read_as_they_are_alone(recordings: list[Recording]) -> None:
    for order in ([0, 1, 2, 3], [3, 1, 2]):
        codes, features = read([recordings[index] for index in order])
        for row, index in enumerate(order):
            (alone_codes,), (alone,) = read([recordings[index]])
            assert codes[row] == alone_codes
            torch.testing.assert_close(features[row], alone, atol=1e-4, rtol=1e-4)
            assert features[row].shape == (len(alone_codes), 1024)


def test_a_half_frame_at_the_end_counts_as_a_code_but_not_as_a_whole_one() -> None:
    voice = read_voice(tiny.networks(), noise(0.6, 24000, 8), 24000)
    for seconds, num_codes, num_whole in ((1.0, 49, 49), (0.705, 35, 34)):
        recording = Recording(noise(seconds, 16000, 1), 16000, (5, 6), voice, NEUTRAL)
        (heard,) = hear(tiny.networks(), [recording])
        assert (len(heard.codes), heard.num_whole) == (num_codes, num_whole)
