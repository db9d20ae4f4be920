"""How samples, seconds, feature steps and animation frames convert: the only rate arithmetic.

Conventions: the sample clock rules. Sample i is at i / sample_rate, step i at i / feature_rate,
frame i at i / fps. A clip of n samples has ``ceil(n * fps / sample_rate)`` frames, so the last
frame lies inside the audio and the next would not. Rates are read as the decimal that the user
wrote (29.97 is 2997/100), and counts are computed in integers, so nothing drifts however long the
clip is.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32, Float64


@lru_cache(maxsize=256)
def exact_rate(rate: float) -> Fraction:
    """Return a rate as the exact fraction that its shortest decimal spells.

    Raises:
        ValueError: If the rate is not a positive, finite number.
    """
    if not (0 < rate < float("inf")):
        raise ValueError(f"rate must be a positive number, not {rate!r}")
    return Fraction(repr(float(rate)))


def num_frames(num_samples: int, sample_rate: int, fps: float) -> int:
    """Return how many frames (or feature steps) a clip of samples has: ``ceil(n * fps / rate)``."""
    if num_samples < 0:
        raise ValueError(f"num_samples must not be negative, not {num_samples}")
    exact = num_samples * exact_rate(fps) / sample_rate
    return -(-exact.numerator // exact.denominator)


def num_samples(duration_s: float, sample_rate: int) -> int:
    """Return the number of samples nearest to a duration, halves up."""
    return int(np.floor(duration_s * sample_rate + 0.5))


def resampled_length(length: int, rate: int, new_rate: int) -> int:
    """Return how many samples a clip has after resampling: ``ceil(n * new / old)``."""
    return -(-length * new_rate // rate)


def frame_times(frames: int, fps: float) -> Float64[np.ndarray, " frames"]:
    """Return the time of every frame in seconds."""
    exact = exact_rate(fps)
    index = np.arange(frames, dtype=np.float64)
    times: Float64[np.ndarray, " frames"] = index * exact.denominator / exact.numerator
    return times


def frame_at(time_s: float, fps: float) -> int:
    """Return the frame shown at a time: the last one that does not lie after it."""
    return int(np.floor(time_s * float(exact_rate(fps)) + 1e-9))


def resample_linear(
    values: Float[np.ndarray, "steps channels"], rate: float, times: Float[np.ndarray, " frames"]
) -> Float32[np.ndarray, "frames channels"]:
    """Return a sequence at other times, linear between its steps and held beyond its ends.

    Args:
        values: Step i is at i / rate.
        rate: Steps a second.
        times: Seconds.

    Raises:
        ValueError: If there is no step to read from.
    """
    if len(values) == 0:
        raise ValueError("cannot resample a sequence without steps")
    exact = exact_rate(rate)
    position = np.clip(np.asarray(times, np.float64) * float(exact), 0.0, len(values) - 1)
    left = np.minimum(position.astype(np.int64), max(len(values) - 2, 0))
    right = np.minimum(left + 1, len(values) - 1)
    share = (position - left)[:, None]
    mixed = values[left] * (1.0 - share) + values[right] * share
    resampled: Float32[np.ndarray, "frames channels"] = mixed.astype(np.float32)
    return resampled


def timecode(frame: int, fps: float, start_s: float = 0.0) -> str:
    """Return the Live Link Face timecode of a frame: ``HH:MM:SS:FF.sss``.

    FF counts frames of the whole rate above fps (60 for 59.94) and sss is thousandths of a FRAME.
    """
    rate = exact_rate(fps)
    nominal = -(-rate.numerator // rate.denominator)
    exact = frame / rate + Fraction(repr(float(start_s)))
    thousandths = int(exact * nominal * 1000 + Fraction(1, 2))
    frames, part = divmod(thousandths, 1000)
    seconds, whole = divmod(frames, nominal)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}:{whole:02d}.{part:03d}"
