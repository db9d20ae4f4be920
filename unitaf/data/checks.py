"""What makes a clip unusable: silence, clipping, frozen or impossible curves.

Every check raises `InputError` with a cause (the error's column, the same word for the same fault)
and a sentence. Nothing is repaired but values that lie beyond their range by the tolerance of a
capture, which are clipped.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32

from unitaf.data.pauses import ACTIVITY_RATE
from unitaf.errors import InputError
from unitaf.rigs.arkit import ANGLES, BLENDSHAPES, CHANNELS
from unitaf.timing import frame_at
from unitaf.types import FaceMotion

_SILENT_DB = -55.0
_FULL_SCALE = 0.999
_STILL = 1e-6
_MOUTH = tuple(i for i, name in enumerate(CHANNELS) if name.startswith(("jaw", "mouth")))


def check_sound(
    name: str,
    waveform: Float32[np.ndarray, " samples"],
    levels: Float[np.ndarray, " hops"],
    max_clipped_fraction: float,
) -> None:
    """Refuse sound that is silent or clipped.

    Args:
        name: What the error calls the clip.
        waveform: The clip.
        levels: Its loudness in decibels, every 10 ms.
        max_clipped_fraction: The most samples that may stand at full scale.
    """
    loudest = float(np.percentile(levels, 95))
    if loudest < _SILENT_DB:
        reason = f"its loud parts are at {loudest:.0f} dB of full scale: there is no speech"
        raise InputError(name, reason, column="silent audio")
    clipped = float(np.mean(np.abs(waveform) >= _FULL_SCALE))
    if clipped > max_clipped_fraction:
        reason = f"{clipped:.2%} of the samples stand at full scale"
        raise InputError(name, reason, column="clipped audio")


def canonical(name: str, motion: FaceMotion) -> tuple[Float32[np.ndarray, "frames 61"], list[str]]:
    """Return curves on the canonical channels, and which of these the capture has.

    Raises:
        InputError: If a channel is unknown or stands twice.
    """
    known = {channel.lower(): index for index, channel in enumerate(CHANNELS)}
    unknown = [channel for channel in motion.channels if channel.lower() not in known]
    if unknown:
        reason = f"there are no channels {', '.join(unknown[:5])}"
        raise InputError(name, reason, column="unknown channels")
    columns = [known[channel.lower()] for channel in motion.channels]
    if len(set(columns)) < len(columns):
        raise InputError(name, "a channel stands twice", column="unknown channels")
    curves = np.zeros((len(motion.curves), len(CHANNELS)), np.float32)
    curves[:, columns] = motion.curves
    return curves, [CHANNELS[column] for column in sorted(columns)]


def check_curves(
    name: str, curves: Float32[np.ndarray, "frames 61"], tolerance: float
) -> Float32[np.ndarray, "frames 61"]:
    """Return curves with blendshapes within 0 to 1; refuse what no face can do.

    Args:
        name: What the error calls the clip.
        curves: On the canonical channels.
        tolerance: How far a blendshape may lie beyond its range.
    """
    if not np.isfinite(curves).all():
        channel = CHANNELS[int(np.argmin(np.isfinite(curves).all(axis=0)))]
        raise InputError(name, f"{channel} is not a number everywhere", column="not a number")
    beyond = np.maximum(-curves, curves - 1.0).max(axis=0)
    beyond[len(BLENDSHAPES) :] = np.abs(curves[:, len(BLENDSHAPES) :]).max(axis=0) - np.pi
    limits = np.where(np.arange(len(CHANNELS)) < len(BLENDSHAPES), tolerance, 0.0)
    worst = int(np.argmax(beyond - limits))
    if beyond[worst] > limits[worst]:
        middle, unit = (0.0, " radians") if CHANNELS[worst] in ANGLES else (0.5, "")
        value = curves[int(np.argmax(np.abs(curves[:, worst] - middle))), worst]
        reason = f"{CHANNELS[worst]} reaches {value:.3g}{unit}"
        raise InputError(name, reason, column="out of range")
    clipped = curves[:, : len(BLENDSHAPES)].clip(0.0, 1.0)
    return np.concatenate([clipped, curves[:, len(BLENDSHAPES) :]], axis=1)


def check_movement(
    name: str,
    curves: Float32[np.ndarray, "frames 61"],
    fps: float,
    active: Bool[np.ndarray, " hops"],
    longest_s: float,
) -> None:
    """Refuse a mouth that stands still for too long while somebody speaks.

    Args:
        name: What the error calls the clip.
        curves: On the canonical channels.
        fps: Of the curves.
        active: Which hops of 10 ms hold sound.
        longest_s: How long it may.
    """
    moves = np.abs(np.diff(curves[:, _MOUTH], axis=0)).max(axis=1, initial=0.0) > _STILL
    hops = np.arange(len(active))
    frames = [min(frame_at(hop / ACTIVITY_RATE, fps), len(moves) - 1) for hop in hops.tolist()]
    still = active & ~moves[frames] if len(moves) else active
    longest = _longest_run(still.tolist()) / ACTIVITY_RATE
    if longest > longest_s:
        reason = f"the mouth stands still for {longest:.1f} s of speech"
        raise InputError(name, reason, column="frozen curves")


def _longest_run(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
