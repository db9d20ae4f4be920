"""How long recordings are cut into windows, batched by length, and joined again.

Conventions: windows of 25 s begin every 20 s; the 5 s that two of them share are cross-faded. Both
are UniTalker's choice. A step of 20 s is a whole number of frames at every whole frame rate, so no
window begins between two frames.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float32

WINDOW_S = 25
OVERLAP_S = 5
STEP_S = WINDOW_S - OVERLAP_S
BATCH_S = 60.0
"""The most audio that goes through a network at once, padding included."""
CPU_SLACK_S = 0.5
"""The padding that costs a processor core as much as one more call of a network."""

Waveform = Float32[np.ndarray, " _"]
Sequences = list[Float32[np.ndarray, "_ dim"]]


def plan_windows(num_samples: int, sample_rate: int) -> list[tuple[int, int]]:
    """Return the first and one past the last sample of every window; the last may be shorter."""
    beyond_first = max(num_samples - WINDOW_S * sample_rate, 0)
    count = -(-beyond_first // (STEP_S * sample_rate)) + 1
    starts = [index * STEP_S * sample_rate for index in range(count)]
    return [(start, min(start + WINDOW_S * sample_rate, num_samples)) for start in starts]


def join_windows(
    windows: Sequence[Float32[np.ndarray, "_ dim"]], rate: float
) -> Float32[np.ndarray, "frames dim"]:
    """Return one sequence from those of consecutive windows.

    Where two overlap, the older fades out linearly from 1 to 0, both included, and the newer in.

    Args:
        windows: All but the last 25 s long, the last longer than the overlap.
        rate: Frames or steps a second, a whole number.

    Raises:
        ValueError: If a window does not begin on a frame.
    """
    if rate != round(rate):
        raise ValueError(f"windows can be joined at a whole rate only, not at {rate!r}")
    step, overlap = STEP_S * round(rate), OVERLAP_S * round(rate)
    fade = np.linspace(1.0, 0.0, overlap)[:, None]
    joined = np.array(windows[0])
    for index, window in enumerate(windows[1:], start=1):
        shared = joined[index * step :] * fade + window[:overlap] * (1.0 - fade)
        joined = np.concatenate(
            [joined[: index * step], shared.astype(np.float32), window[overlap:]]
        )
    return joined


def group_by_length(lengths: Sequence[int], budget: int, slack: int) -> list[list[int]]:
    """Return the indices of clips in batches of similar length, the longest first.

    Args:
        lengths: Samples of every clip.
        budget: The most samples a batch may have after padding; a longer clip is a batch alone.
        slack: The most padding of a clip that costs less than a batch of its own. On a processor
            core that is little, because a second of speech already fills it.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batches[-1][0]] if batches else 0
        fits = longest * (len(batches[-1]) + 1) <= budget if batches else False
        if fits and longest - lengths[index] <= slack:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def in_batches(
    clips: Sequence[Waveform],
    run: Callable[[list[Waveform]], Sequences],
    sample_rate: int,
    device: torch.device,
) -> Sequences:
    """Return what a network makes of each clip, in order, computed in batches of similar length.

    Args:
        clips: Audio.
        run: Takes a batch and returns a sequence for each of its clips.
        sample_rate: Hz.
        device: Where the network is. Other devices than a core gain from any larger batch.
    """
    slack_s = CPU_SLACK_S if device.type == "cpu" else BATCH_S
    lengths = [len(clip) for clip in clips]
    results: dict[int, Float32[np.ndarray, "_ dim"]] = {}
    for batch in group_by_length(lengths, int(BATCH_S * sample_rate), int(slack_s * sample_rate)):
        results |= zip(batch, run([clips[index] for index in batch]), strict=True)
    return [results[index] for index in range(len(clips))]


def upstream_frames(num_samples: int, fps: float) -> int:
    """Return UniTalker's own frame count of a clip at 16 kHz: to the nearest, halves to even.

    Only for comparing with its numbers; everywhere else `timing.num_frames` counts.
    """
    return round(num_samples / 16_000 * fps)
