"""The pitch of a recording: what the brows and the head follow where no engine tells it.

Conventions: Hz, 0 where there is no voice; value i is the pitch at i / `PITCH_RATE`. The method is
that of Boersma 1993 ("Accurate short-term analysis of the fundamental frequency", Praat's) without
its search for the best path: the highest peak of the autocorrelation of a windowed frame over that
of the window, with a small preference for high pitch, then a median of five.
"""

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import median_filter

from unitaf import timing

PITCH_RATE = 100.0

_LOWEST_HZ, _HIGHEST_HZ = 70.0, 500.0
_WINDOW_S = 3.0 / _LOWEST_HZ
"""Three periods of the lowest voice."""
_VOICED = 0.5
"""The least share of a voice that repeats after a period."""
_OCTAVE_COST = 0.02
_SILENT = 0.02
"""Of the recording's highest amplitude; below there is no voice."""
_FRAMES = 256
"""Analysed at once: bounds the memory of long recordings."""


def track_pitch(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int
) -> Float32[np.ndarray, " steps"]:
    """Return the pitch of a recording.

    Args:
        waveform: Mono, any level.
        sample_rate: Hz, at least 2000.
    """
    steps = timing.num_frames(len(waveform), sample_rate, PITCH_RATE)
    half = round(_WINDOW_S * sample_rate / 2)
    centres = np.rint(timing.frame_times(steps, PITCH_RATE) * sample_rate).astype(np.int64)
    silent = _SILENT * float(np.abs(waveform).max(initial=0.0))
    around = np.arange(-half, half)
    pitch = np.zeros(steps, np.float32)
    for first in range(0, steps, _FRAMES):
        at = centres[first : first + _FRAMES, None] + around
        is_inside = (at >= 0) & (at < len(waveform))
        frames = np.where(is_inside, waveform[np.clip(at, 0, len(waveform) - 1)], 0.0)
        found = _pitches(frames - frames.mean(axis=1, keepdims=True), sample_rate)
        is_loud = np.abs(frames).max(axis=1) > silent
        pitch[first : first + _FRAMES] = np.where(is_loud, found, 0.0)
    smooth: Float32[np.ndarray, " steps"] = median_filter(pitch, 5)
    return smooth


def _pitches(
    frames: Float[np.ndarray, "frames samples"], sample_rate: int
) -> Float[np.ndarray, " frames"]:
    taper = np.hanning(frames.shape[1])
    lags = np.arange(int(sample_rate / _HIGHEST_HZ), int(sample_rate / _LOWEST_HZ) + 2)
    heard, window = _autocorrelation(frames * taper), _autocorrelation(taper[None])
    strength = heard[:, lags] / np.maximum(heard[:, :1], 1e-20) * (window[0, 0] / window[0, lags])
    before, middle, after = strength[:, :-2], strength[:, 1:-1], strength[:, 2:]
    # A peak lies between samples: at the top of the parabola through three of them.
    is_peak = (middle >= before) & (middle > after)
    curvature = np.where(is_peak, before - 2.0 * middle + after, -1.0)
    shift = np.where(is_peak, 0.5 * (before - after) / curvature, 0.0)
    height = np.where(is_peak, middle - 0.25 * (before - after) * shift, -np.inf)
    best = (height - _OCTAVE_COST * np.log2(lags[1:-1])).argmax(axis=1)
    rows = np.arange(len(frames))
    found = sample_rate / (lags[1:-1][best] + shift[rows, best])
    return np.where(height[rows, best] > _VOICED, found, 0.0)


def _autocorrelation(
    frames: Float[np.ndarray, "frames samples"],
) -> Float[np.ndarray, "frames lags"]:
    length = frames.shape[1]
    spectrum = np.fft.rfft(frames, 1 << (2 * length - 1).bit_length())
    return np.fft.irfft(np.square(np.abs(spectrum)))[:, :length]
