from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from tests.tts.indextts2 import tiny
from unitaf.tts.indextts2.decoding import TRAINED_POSITION
from unitaf.tts.indextts2.random import SeededNoise, normal_noise
from unitaf.tts.indextts2.search import Rules, Sampling
from unitaf.tts.indextts2.synthesis import (
    FlowSettings,
    Segment,
    Spoken,
    make_content,
    make_mels,
    make_waveforms,
    read_codes,
    write_codes,
)
from unitaf.tts.indextts2.voice import (
    Voice,
    blended_emotion,
    mixed_emotion,
    read_emotion,
    read_voice,
)

RULES = Rules(3, 10.0, Sampling())
SEEDS = [11, 12, 13, 14]
LENGTHS = [4, 30, 12, 7]
MANY_LENGTHS = [5, 120, 33, 8, 64, 17, 90, 5, 41, 12, 101, 26, 7, 55, 76, 19]


def clip(seconds: float, seed: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    return (0.1 * random.randn(int(seconds * 24000))).astype(np.float32)


@pytest.fixture(scope="module")
def voices() -> list[Voice]:
    return [read_voice(tiny.networks(), clip(0.6 + 0.2 * i, i), 24000) for i in range(2)]


def segments(voices: list[Voice], lengths: list[int] = LENGTHS) -> list[Segment]:
    random = torch.Generator().manual_seed(0)
    texts = [torch.randint(2, 60, (n,), generator=random).tolist() for n in lengths]
    return [
        Segment(tuple(ids), voices[i % 2], voices[i % 2].spoken, 20 + i)
        for i, ids in enumerate(texts)
    ]


def said(batch: list[Segment], seeds: list[int], second_position: int = 2) -> list[Spoken]:
    noise = SeededNoise(seeds, torch.device("cpu"))
    written = write_codes(tiny.networks(), batch, noise, RULES, second_position)
    return read_codes(tiny.networks(), batch, written)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A segment at every stage."""

    spoken: Spoken
    mel: torch.Tensor
    waveform: torch.Tensor


def make(batch: list[Segment], seeds: list[int]) -> list[Made]:
    networks, spoken = tiny.networks(), said(batch, seeds)
    contents = make_content(networks, spoken)
    voices = [segment.voice for segment in batch]
    noises = [
        normal_noise(seed, (80, len(voice.content) + len(content)))
        for seed, voice, content in zip(seeds, voices, contents, strict=True)
    ]
    mels = make_mels(networks, voices, contents, noises, FlowSettings(num_steps=3))
    return list(map(Made, spoken, mels, make_waveforms(networks, mels)))


@pytest.mark.parametrize("size", [4, 16])
def test_segments_of_a_batch_sound_as_they_do_alone(voices: list[Voice], size: int) -> None:
    every = segments(voices, MANY_LENGTHS)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(size)).tolist()
    for rows in (order[start : start + size] for start in range(0, 16, size)):
        for row, made in zip(rows, make([every[row] for row in rows], rows), strict=True):
            (alone,) = make([every[row]], [row])
            assert made.spoken.codes == alone.spoken.codes
            assert made.spoken.is_stopped == alone.spoken.is_stopped
            for one, other in (
                (made.spoken.latents, alone.spoken.latents),
                (made.spoken.features, alone.spoken.features),
                (made.mel, alone.mel),
                (made.waveform, alone.waveform),
            ):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
            assert len(made.waveform) == 256 * int(1.72 * len(made.spoken.codes))


def test_features_come_from_the_states_of_decoding_where_these_are_the_latents(
    voices: list[Voice],
) -> None:
    batch = segments(voices)
    for each in said(batch, SEEDS, TRAINED_POSITION):
        assert each.latents.shape == (len(each.codes), tiny.GPT.width)
        expected = tiny.networks().s2mel.gpt_layer(each.latents)
        torch.testing.assert_close(each.features, expected, atol=1e-5, rtol=1e-5)


def test_networks_may_have_types_of_their_own(voices: list[Voice]) -> None:
    networks = tiny.networks()
    mixed = replace(
        networks,
        gpt=deepcopy(networks.gpt).bfloat16(),
        s2mel=deepcopy(networks.s2mel).bfloat16(),
    )
    voice = read_voice(mixed, clip(0.5, 3), 24000)
    batch = [replace(segment, voice=voice) for segment in segments(voices)]
    noise = SeededNoise(SEEDS, torch.device("cpu"))
    spoken = read_codes(mixed, batch, write_codes(mixed, batch, noise, RULES))
    contents = make_content(mixed, spoken)
    noises = [normal_noise(0, (80, len(voice.content) + len(content))) for content in contents]
    settings = FlowSettings(num_steps=2)
    mels = make_mels(mixed, [voice] * len(batch), contents, noises, settings)
    for each, waveform in zip(spoken, make_waveforms(mixed, mels), strict=True):
        assert each.features.dtype == torch.bfloat16
        assert waveform.dtype == torch.float32
        assert waveform.isfinite().all()


def test_a_voice_is_as_long_as_its_clip(voices: list[Voice]) -> None:
    assert [voice.mel.shape[1] for voice in voices] == [51, 68]
    assert [len(voice.content) for voice in voices] == [51, 68]


def test_emotions_move_a_voice_from_what_it_is(voices: list[Voice]) -> None:
    networks = tiny.networks()
    angry = read_emotion(networks, clip(0.5, 9), 24000)
    torch.testing.assert_close(blended_emotion(voices[0], angry, 1.0), angry)
    torch.testing.assert_close(blended_emotion(voices[0], angry, 0.0), voices[0].neutral)
    none = mixed_emotion(networks, voices[0], (0.0,) * 8)
    torch.testing.assert_close(none, voices[0].spoken)
