import math

import numpy as np
import pyebur128
import pytest

from unitaf.export.loudness import at_loudness, integrated_loudness, true_peak

RATE = 24_000


def speechlike(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise in syllables with pauses, and a few thumps that stand out by 20 dB."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 2.0 * time), 0.0, None) * (np.sin(0.9 * time) > -0.5)
    noise = np.convolve(random.normal(size=len(time)), np.hanning(9) / 2.0, "same")
    wave = 0.05 * noise * syllables
    for start in random.integers(0, len(time) - 48, 6):
        wave[start : start + 48] += 0.5 * np.hanning(48)
    return wave.astype(np.float32)


def by_libebur128(waveform: np.ndarray) -> tuple[float, float]:
    modes = pyebur128.MeasurementMode.MODE_I | pyebur128.MeasurementMode.MODE_TRUE_PEAK
    state = pyebur128.R128State(1, RATE, modes)
    state.add_frames(waveform, len(waveform))
    peak = pyebur128.get_true_peak(state, 0)
    return pyebur128.get_loudness_global(state), 20.0 * math.log10(peak)


def test_a_sine_measures_as_the_standard_says() -> None:
    """BS.1770-4: 997 Hz at full scale in one channel is -3.01 LKFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000)
    assert integrated_loudness(sine, 48_000) == pytest.approx(-3.01, abs=0.05)
    assert true_peak(sine, 48_000) == pytest.approx(0.0, abs=0.01)


def test_a_peak_between_samples_is_seen() -> None:
    """A sine of a quarter of the rate, sampled 45 degrees from its peaks: 3 dB are hidden."""
    sine = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4)
    assert np.abs(sine).max() == pytest.approx(math.sqrt(0.5))
    assert true_peak(sine[1000:-1000], RATE) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize(("target", "ceiling"), [(-23.0, -1.0), (-16.0, -1.0), (-18.0, -6.0)])
@pytest.mark.parametrize("seconds", [3.1, 12.0])
def test_lines_are_at_the_target_and_under_the_ceiling_by_another_meter(
    target: float, ceiling: float, seconds: float
) -> None:
    made = at_loudness(speechlike(seconds), RATE, target, ceiling)
    loudness, peak = by_libebur128(made)
    assert loudness == pytest.approx(target, abs=0.5)
    assert peak <= ceiling
    assert true_peak(made, RATE) <= ceiling


def test_only_peaks_are_turned_down() -> None:
    wave = speechlike(6.0)
    made = at_loudness(wave, RATE, -18.0, -1.0)
    heard = np.abs(wave) > 1e-3
    gain = made[heard] / wave[heard]
    assert np.mean(np.isclose(gain, gain.max(), rtol=1e-4)) > 0.9
    assert gain.min() < 0.5 * gain.max()


def test_a_bark_shorter_than_a_block_is_one_block() -> None:
    bark = speechlike(0.3)
    made = at_loudness(bark, RATE, -20.0, -1.0)
    assert integrated_loudness(made, RATE) == pytest.approx(-20.0, abs=0.1)


def test_silence_stays_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    assert integrated_loudness(silence, RATE) == true_peak(silence, RATE) == -math.inf
    assert not at_loudness(silence, RATE, -23.0, -1.0).any()
