import numpy as np
import pytest

from unitaf import timing
from unitaf.face.pitch import PITCH_RATE, track_pitch
from unitaf.tts.hibari import Hibari
from unitaf.types import Utterance


def voice(hz: float, seconds: float, rate: int) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * k * hz * times + k) / k for k in range(1, 9) if k * hz < rate / 2]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("hz", [80.0, 131.0, 262.0, 440.0])
def test_the_pitch_of_a_voice_is_found(hz: float, rate: int) -> None:
    waveform = voice(hz, 0.73, rate)
    pitch = track_pitch(waveform, rate)
    assert len(pitch) == timing.num_frames(len(waveform), rate, PITCH_RATE)
    assert pitch[3:-3] == pytest.approx(hz, rel=0.01)


def test_a_glide_is_followed_in_time() -> None:
    times = np.arange(32_000) / 16_000
    phase = 2 * np.pi * (120 * times + 30 * times**2)
    pitch = track_pitch((np.sin(phase) + 0.5 * np.sin(2 * phase)).astype(np.float32), 16_000)
    expected = 120 + 60 * timing.frame_times(len(pitch), PITCH_RATE)
    assert pitch[5:-5] == pytest.approx(expected[5:-5], rel=0.02)


def test_where_there_is_no_voice_there_is_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    assert (track_pitch(noise.astype(np.float32), 16_000) > 0).mean() < 0.05
    assert not track_pitch(np.zeros(1_600, np.float32), 16_000).any()
    assert track_pitch(np.zeros(1, np.float32), 16_000).tolist() == [0.0]
    assert track_pitch(np.zeros(0, np.float32), 16_000).tolist() == []


def test_it_agrees_with_an_engine_that_knows() -> None:
    said = [Utterance("a", "Did my brother really bump into the mayor?"), Utterance("b", "Never.")]
    for speech in Hibari().synthesize(said):
        pitch = track_pitch(speech.waveform, speech.sample_rate)
        steps = np.rint(timing.frame_times(len(pitch), PITCH_RATE) * speech.f0_rate)
        known = speech.f0[np.minimum(steps.astype(int), len(speech.f0) - 1)]
        both = (pitch > 0) & (known > 0)
        apart = np.abs(12 * np.log2(pitch[both] / known[both]))
        assert both.sum() > 0.6 * (known > 0).sum()
        assert ((pitch > 0) & (known == 0)).sum() < 0.1 * (known == 0).sum()
        assert np.median(apart) < 0.4
        assert (apart > 2).mean() < 0.12
