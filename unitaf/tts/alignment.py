"""What an engine's features would have been, had it said a line exactly as a recording does.

For engines that cannot read audio: the engine says the words, both sounds become mel spectra, and
dynamic time warping finds which moment of the engine's speech each moment of the recording is.
Features, phones and pitch are carried along that path, so that they lie on the recording's clock.

Conventions: a spectrum frame is 10 ms; each band is normalised over the clip, which takes most of
the difference between two voices away, and its slope over 40 ms stands beside it. A cost is
relative to what the same recording costs scrambled (played backwards, its halves swapped, both):
near 0 for the same sound, 0.6 to 0.78 for another voice, 0.8 and more for other words.

Source: Sakoe and Chiba 1978; ground truth for a joint model, UniTAF (arXiv 2602.15651), 3.2.1.
"""

from dataclasses import dataclass, replace

import numpy as np
from dtaidistance.dtw import warping_path_fast
from jaxtyping import Float32, Float64

from unitaf import timing
from unitaf.audio import resample, torchaudio_functional
from unitaf.types import Phone, Speech, Word

FRAME_RATE = 100.0

_SAMPLE_RATE = 16000
_HOP = 160
_FFT_SAMPLES = 512
_BANDS = 26
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 7600.0
_RANGE = np.log(1e6)
"""60 dB below the loudest band of a clip counts as silence."""
_BAND_S = 3.0
"""How far the path may stray from an even stretch."""
_PENALTY = 2.0
"""Of a frame that is held or skipped, against a distance of about 5 between matching frames."""
_MIN_FRAMES = 10

Frames = Float64[np.ndarray, "frames numbers"]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where in one speech the moments of another lie."""

    times: Float64[np.ndarray, " frames"]
    """Seconds in the engine's speech for every 10 ms of the recording; never falling."""
    cost: float
    """The mean distance along the path over that of the recording scrambled."""


def warp_to_recording(spoken: Speech, waveform: Float32[np.ndarray, " samples"]) -> Speech:
    """Return an engine's speech bent to a recording of the same words.

    Args:
        spoken: What the engine makes of the words.
        waveform: The recording, at the engine's sample rate.

    Returns:
        The recording's waveform with the engine's features, phones, words and pitch on its clock,
        and the cost of the alignment.

    Raises:
        ValueError: If either is shorter than 100 ms.
    """
    return carry(spoken, waveform, align(spoken, waveform))


def align(spoken: Speech, waveform: Float32[np.ndarray, " samples"]) -> Alignment:
    """Find the moment of an engine's speech for every moment of a recording; see `Alignment`.

    Raises:
        ValueError: If either is shorter than 100 ms.
    """
    recorded = _spectrum(waveform, spoken.sample_rate)
    own = _spectrum(spoken.waveform, spoken.sample_rate)
    shortest = min(len(own), len(recorded))
    if shortest < _MIN_FRAMES:
        raise ValueError(f"only {shortest / FRAME_RATE:.2f} s to align; at least 0.1 s is needed")
    # Stretched to equal length first: the band then lies around the same tempo.
    position = np.linspace(0.0, len(own) - 1, len(recorded))
    even = timing.resample_linear(own, FRAME_RATE, position / FRAME_RATE).astype(np.float64)
    path, distance = _warp(even, recorded)
    half = len(recorded) // 2
    backwards, swapped = recorded[::-1], np.roll(recorded, half, axis=0)
    scrambled = (backwards, swapped, np.roll(backwards, half, axis=0))
    nonsense = float(np.mean([_warp(even, other)[1] for other in scrambled]))
    met = np.bincount(path[:, 1], weights=position[path[:, 0]]) / np.bincount(path[:, 1])
    cost = distance / nonsense if nonsense > 0 else 1.0
    return Alignment(met / FRAME_RATE, cost)


def carry(
    spoken: Speech, waveform: Float32[np.ndarray, " samples"], alignment: Alignment
) -> Speech:
    """Return a recording with an engine's features, phones, words and pitch, by an alignment."""
    duration_s = len(waveform) / spoken.sample_rate
    grid = timing.frame_times(len(alignment.times), FRAME_RATE)
    # Where the engine holds a moment that the recording lacks, any time will do, but one must win.
    rising = alignment.times + 1e-6 * grid

    def there(rate: float) -> Float64[np.ndarray, " steps"]:
        steps = timing.num_frames(len(waveform), spoken.sample_rate, rate)
        times: Float64[np.ndarray, " steps"] = np.interp(
            timing.frame_times(steps, rate), grid, alignment.times
        )
        return times

    def here(time_s: float) -> float:
        return min(float(np.interp(time_s, rising, grid)), duration_s)

    f0 = spoken.f0
    if len(f0):
        nearest = np.rint(there(spoken.f0_rate) * spoken.f0_rate).astype(int)
        f0 = f0[np.minimum(nearest, len(f0) - 1)]
    return replace(
        spoken,
        waveform=waveform,
        features=timing.resample_linear(
            spoken.features, spoken.feature_rate, there(spoken.feature_rate)
        ),
        phones=_phones(spoken, [here(phone.start_s) for phone in spoken.phones[1:]], duration_s),
        words=tuple(Word(w.text, here(w.start_s), here(w.end_s)) for w in spoken.words),
        f0=f0,
        alignment_cost=alignment.cost,
    )


def _phones(spoken: Speech, boundaries: list[float], duration_s: float) -> tuple[Phone, ...]:
    """Return the phones between boundaries, without those for which no time is left."""
    if not spoken.phones:
        return ()
    edges = [0.0, *boundaries, duration_s]
    return tuple(
        Phone(phone.label, start_s, end_s, phone.stress)
        for phone, start_s, end_s in zip(spoken.phones, edges[:-1], edges[1:], strict=True)
        if end_s > start_s
    )


def _warp(one: Frames, other: Frames) -> tuple[np.ndarray, float]:
    """Return the cheapest path through two sequences of one length, and its mean distance."""
    pairs = warping_path_fast(
        np.ascontiguousarray(one),
        np.ascontiguousarray(other),
        window=int(_BAND_S * FRAME_RATE),
        penalty=_PENALTY,
    )
    path = np.array(pairs)
    distances = np.linalg.norm(one[path[:, 0]] - other[path[:, 1]], axis=1)
    return path, float(distances.mean())


def _spectrum(waveform: Float32[np.ndarray, " samples"], sample_rate: int) -> Frames:
    """Return normalised log-mel bands and their slopes; frame i is centred at i / 100 s."""
    samples = resample(waveform, sample_rate, _SAMPLE_RATE)
    count = timing.num_frames(len(samples), _SAMPLE_RATE, FRAME_RATE)
    padded = np.pad(samples, (_FFT_SAMPLES // 2, _FFT_SAMPLES))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::_HOP][:count]
    power = np.abs(np.fft.rfft(pieces * np.hanning(_FFT_SAMPLES))) ** 2
    filters = torchaudio_functional().melscale_fbanks(
        _FFT_SAMPLES // 2 + 1, _LOWEST_HZ, _HIGHEST_HZ, _BANDS, _SAMPLE_RATE
    )
    bands = np.log(power @ filters.numpy() + 1e-10)
    bands = np.maximum(bands, bands.max(initial=-np.inf) - _RANGE)
    level = (bands - bands.mean(axis=0)) / (bands.std(axis=0) + 1e-6)
    slope = np.zeros_like(level)
    slope[2:-2] = level[4:] - level[:-4]
    return np.concatenate([level, slope], axis=1)
