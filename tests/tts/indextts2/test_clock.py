import numpy as np
import pytest

from unitaf.timing import num_frames
from unitaf.tts.indextts2.clock import (
    FEATURE_RATE,
    SpokenSegment,
    fit_features,
    join_features,
    join_waveforms,
)
from unitaf.tts.indextts2.frontend import MEL_RATE


def segment(num_codes: int, first: float) -> SpokenSegment:
    """A segment whose features say at which second of it they are, from `first` on."""
    samples = 256 * int(1.72 * num_codes)
    seconds = first + np.arange(num_codes) * samples / num_codes / MEL_RATE
    return SpokenSegment(np.ones(samples, np.float32), seconds[:, None].astype(np.float32))


def test_codes_keep_their_place_in_the_sound_over_many_segments() -> None:
    segments: list[SpokenSegment] = []
    start_s = 0.0
    for num_codes in (40, 3, 77, 120, 9):
        segments.append(segment(num_codes, start_s))
        start_s += len(segments[-1].waveform) / MEL_RATE + 0.2
    waveform, features = join_waveforms(segments), join_features(segments)
    assert len(waveform) == sum(len(each.waveform) for each in segments) + 4 * 4410
    assert len(features) == num_frames(len(waveform), MEL_RATE, FEATURE_RATE)
    seconds = np.arange(len(features)) / FEATURE_RATE
    last_code = segments[-1].features[-1, 0]
    np.testing.assert_allclose(features[:, 0], np.minimum(seconds, last_code), atol=1e-4)


def test_a_line_of_one_code_is_held() -> None:
    one = SpokenSegment(np.ones(256, np.float32), np.full((1, 3), 7.0, np.float32))
    np.testing.assert_array_equal(join_features([one]), np.full((1, 3), 7.0))


@pytest.mark.parametrize("samples", [441, 442, 22050, 22051])
def test_a_recording_has_a_row_for_every_20_ms(samples: int) -> None:
    rows = np.arange(samples // 441 + 1, dtype=np.float32)[:, None]
    expected = num_frames(samples, MEL_RATE, FEATURE_RATE)
    assert len(fit_features(rows, samples)) == expected
    fitted = fit_features(rows[:-1], samples)
    assert len(fitted) == expected
    assert fitted[-1] == rows[-2]
