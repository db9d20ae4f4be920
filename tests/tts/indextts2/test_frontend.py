import numpy as np
import pytest
import torch

from tests.tts.indextts2.tiny import SPEECH_ENCODER, randomised
from unitaf.tts.indextts2.frontend import (
    MEL_RATE,
    Waveform,
    emotion_audio,
    log_mel,
    recording_audio,
    speaker_audio,
    style_fbank,
)
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder, num_steps, speech_inputs


def tone(samples: int, sample_rate: int, hz: float = 440.0) -> Waveform:
    seconds = np.arange(samples) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * seconds)).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 96000])
def test_voices_come_at_the_rates_of_the_networks_and_are_cut(sample_rate: int) -> None:
    clip = speaker_audio(tone(16 * sample_rate, sample_rate), sample_rate)
    assert len(clip.at_mel_rate) == 15 * MEL_RATE
    assert len(clip.at_speech_rate) == 15 * 16000
    assert len(emotion_audio(tone(16 * sample_rate, sample_rate), sample_rate)) == 15 * 16000
    recording = recording_audio(tone(16 * sample_rate, sample_rate), sample_rate)
    assert len(recording) == 16 * 16000
    middle = slice(16000, 32000)
    np.testing.assert_allclose(recording[middle], tone(48000, 16000)[middle], atol=2e-3)


def test_a_tone_stands_in_its_band() -> None:
    low, high = (log_mel(tone(MEL_RATE, MEL_RATE, hz))[:, 40].argmax() for hz in (300.0, 3000.0))
    assert 0 < low < high < 79
    assert log_mel(np.zeros(MEL_RATE, np.float32)).unique().tolist() == [
        pytest.approx(np.log(1e-5), abs=1e-5)
    ]


def test_the_style_fbank_has_no_mean() -> None:
    fbank = style_fbank(tone(16000, 16000) + 0.01 * np.float32(1.0))
    assert fbank.shape == (98, 80)
    assert fbank.mean(dim=0).abs().max() < 1e-4


@pytest.mark.parametrize(("samples", "steps", "valid"), [(16000, 49, 49), (51360, 160, 159)])
def test_an_odd_last_frame_is_kept_but_not_valid(samples: int, steps: int, valid: int) -> None:
    inputs = speech_inputs([tone(samples, 16000)])
    assert num_steps(samples) == steps
    assert inputs.values.shape == (1, steps, 160)
    assert (inputs.lengths.tolist(), inputs.valid.tolist()) == ([steps], [valid])


@torch.no_grad()
def test_clips_are_heard_together_as_alone() -> None:
    encoder = randomised(SpeechEncoder(SPEECH_ENCODER))
    random = np.random.RandomState(0)
    clips = [random.randn(samples).astype(np.float32) * 0.1 for samples in (9000, 20000, 12560)]
    heard = encoder.read(clips)
    for row, clip in enumerate(clips):
        alone = encoder.read([clip])
        count = int(alone.lengths[0])
        assert (heard.lengths[row], heard.valid[row]) == (count, alone.valid[0])
        torch.testing.assert_close(heard.values[row, :count], alone.values[0], atol=1e-4, rtol=1e-4)
