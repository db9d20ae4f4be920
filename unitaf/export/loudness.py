"""How loud a line is, and how it is brought to a loudness without exceeding a peak.

Loudness is integrated over the line with the gates of ITU-R BS.1770-4; a line shorter than a gate's
block of 0.4 s is one block. True peak is the highest value of the continuous signal, found by
oversampling (annex 2). Where the gain would lift peaks above the ceiling, a limiter that looks
ahead turns them down for some milliseconds, and the gain makes up for what that costs.
"""

import math

import numpy as np
import pyloudnorm
from jaxtyping import Float, Float32, Float64
from scipy.ndimage import convolve1d, minimum_filter1d
from scipy.signal import resample_poly

_BLOCK_S = 0.4
_OVERSAMPLED_HZ = 192_000
_REACH_S = 0.005
"""How long before and after a peak the limiter turns it down."""
_MARGIN_DB = 0.1
"""Kept below the ceiling: meters interpolate in different ways."""
_CLOSE_ENOUGH_LU = 0.05
_TRIES = 8


def integrated_loudness(waveform: Float[np.ndarray, " samples"], sample_rate: int) -> float:
    """Return the loudness of a line in LUFS; minus infinity for silence."""
    seconds = len(waveform) / sample_rate
    if not np.any(waveform):
        return -math.inf
    meter = pyloudnorm.Meter(sample_rate, block_size=min(_BLOCK_S, seconds))
    return float(meter.integrated_loudness(waveform.astype(np.float64)))


def true_peak(waveform: Float[np.ndarray, " samples"], sample_rate: int) -> float:
    """Return the true peak of a line in dBTP; minus infinity for silence."""
    highest = float(_peaks(waveform, sample_rate).max(initial=0.0))
    return 20.0 * math.log10(highest) if highest else -math.inf


def at_loudness(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int, target: float, ceiling: float
) -> Float32[np.ndarray, " samples"]:
    """Return a line at a loudness, as near as the ceiling lets it be; silence stays silence.

    Args:
        waveform: Mono.
        sample_rate: Hz.
        target: LUFS.
        ceiling: The highest true peak, dBTP.
    """
    gain = target - integrated_loudness(waveform, sample_rate)
    if not math.isfinite(gain):
        return waveform
    made = waveform.astype(np.float64)
    for _ in range(_TRIES):
        made = _limited(waveform * 10.0 ** (gain / 20.0), sample_rate, ceiling)
        missing = target - integrated_loudness(made, sample_rate)
        if abs(missing) < _CLOSE_ENOUGH_LU:
            break
        gain += missing
    return made.astype(np.float32)


def _limited(
    waveform: Float[np.ndarray, " samples"], sample_rate: int, ceiling: float
) -> Float64[np.ndarray, " samples"]:
    limit = 10.0 ** ((ceiling - _MARGIN_DB) / 20.0)
    needed = np.minimum(1.0, limit / np.maximum(_peaks(waveform, sample_rate), limit))
    if needed.min(initial=1.0) == 1.0:
        return waveform.astype(np.float64)
    size = 2 * max(1, round(_REACH_S * sample_rate)) + 1
    window = np.hanning(size + 2)[1:-1]
    # Every value of the minimum near a peak is at most what the peak needs, so is their average.
    lowest = minimum_filter1d(needed, size, mode="nearest")
    gain = convolve1d(lowest, window / window.sum(), mode="nearest")
    return np.asarray(waveform * gain, np.float64)


def _peaks(
    waveform: Float[np.ndarray, " samples"], sample_rate: int
) -> Float64[np.ndarray, " samples"]:
    """Return the highest absolute value of the continuous signal around each sample."""
    factor = max(1, -(-_OVERSAMPLED_HZ // sample_rate))
    fine = np.abs(resample_poly(waveform.astype(np.float64), factor, 1)).reshape(-1, factor)
    highest: Float64[np.ndarray, " samples"] = fine.max(axis=1)
    # The values between a sample and the next belong to both.
    highest[1:] = np.maximum(highest[1:], fine[:-1].max(axis=1))
    return highest
