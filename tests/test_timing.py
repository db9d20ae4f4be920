from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf import timing

RATES = st.sampled_from([24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 80.0, 86.1328125])
SAMPLE_RATES = st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000])


@given(st.integers(0, 10**9), SAMPLE_RATES, RATES)
def test_last_frame_lies_inside_and_the_next_would_not(samples: int, sample_rate: int, fps: float):
    frames = timing.num_frames(samples, sample_rate, fps)
    rate = Fraction(str(fps))
    assert frames / rate >= Fraction(samples, sample_rate)
    assert samples == 0 or (frames - 1) / rate < Fraction(samples, sample_rate)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "fps", "frames"),
    [
        (0, 24000, 60.0, 0),
        (1, 24000, 60.0, 1),
        (24000, 24000, 60.0, 60),
        (24001, 24000, 60.0, 61),
        (24000 * 100, 24000, 29.97, 2997),
        (24000 * 3600 * 24, 24000, 29.97, 2589408),
    ],
)
def test_frame_counts(samples: int, sample_rate: int, fps: float, frames: int):
    assert timing.num_frames(samples, sample_rate, fps) == frames


@given(st.integers(1, 10**6), RATES)
def test_every_frame_is_found_again_at_its_time(frame: int, fps: float):
    time_s = timing.frame_times(frame + 1, fps)[-1]
    assert timing.frame_at(float(time_s), fps) == frame


@given(st.integers(1, 10**7), SAMPLE_RATES, SAMPLE_RATES)
def test_resampling_back_and_forth_loses_no_sample(length: int, rate: int, new_rate: int):
    there = timing.resampled_length(length, rate, new_rate)
    assert timing.resampled_length(there, new_rate, rate) >= length
    assert abs(there / new_rate - length / rate) < 1 / new_rate


@given(st.integers(0, 10**8), SAMPLE_RATES)
def test_seconds_and_samples_round_trip(samples: int, sample_rate: int):
    assert timing.num_samples(samples / sample_rate, sample_rate) == samples


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_rates_that_are_none_are_refused(rate: float):
    with pytest.raises(ValueError, match="positive"):
        timing.exact_rate(rate)


def test_negative_length_is_refused():
    with pytest.raises(ValueError, match="-1"):
        timing.num_frames(-1, 24000, 30.0)


def test_linear_resampling_reads_a_line_exactly_and_holds_its_ends():
    line = np.arange(81, dtype=np.float32)[:, None] / 80.0
    times = np.array([-1.0, 0.0, 0.1234, 0.5, 1.0, 7.0])
    got = timing.resample_linear(line, 80.0, times)[:, 0]
    np.testing.assert_allclose(got, [0.0, 0.0, 0.1234, 0.5, 1.0, 1.0], atol=1e-6)


def test_linear_resampling_of_one_step_and_of_none():
    one = np.full((1, 3), 0.5, np.float32)
    assert (timing.resample_linear(one, 80.0, np.array([0.0, 9.0])) == 0.5).all()
    with pytest.raises(ValueError, match="without steps"):
        timing.resample_linear(np.zeros((0, 3), np.float32), 80.0, np.array([0.0]))


@pytest.mark.parametrize(
    ("frame", "fps", "start_s", "text"),
    [
        (0, 60.0, 0.0, "00:00:00:00.000"),
        (59, 60.0, 0.0, "00:00:00:59.000"),
        (60, 60.0, 0.0, "00:00:01:00.000"),
        (60 * 3661, 60.0, 0.0, "01:01:01:00.000"),
        (1, 30.0, 0.0, "00:00:00:01.000"),
        (30, 29.97, 0.0, "00:00:01:00.030"),
        # As a phone recorded it: thousandths of a frame, not of a second.
        (0, 60.0, 19 * 3600 + 16 * 60 + 29 + 35.273 / 60, "19:16:29:35.273"),
    ],
)
def test_timecode(frame: int, fps: float, start_s: float, text: str):
    assert timing.timecode(frame, fps, start_s) == text
