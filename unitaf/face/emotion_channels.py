"""Which channels an emotion may move, and how slowly: brows that follow every sound tremble."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

LIP_PREFIXES = ("jaw", "mouth", "tongue")
"""How the names of the channels begin that shape speech, except `CORNER_PREFIXES`."""

CORNER_PREFIXES = ("mouthsmile", "mouthfrown", "mouthdimple")
"""The corners of the mouth: they show a mood, and part no lips."""

CALMING_S = 0.3
"""Length of the Hann window that the channels of emotion are averaged over."""


def emotion_channels(channels: Sequence[str]) -> list[bool]:
    """Say of each channel whether an emotion may move it and leave speech as it is."""
    names = [name.lower() for name in channels]
    return [n.startswith(CORNER_PREFIXES) or not n.startswith(LIP_PREFIXES) for n in names]


def calming_window(fps: float) -> Float32[np.ndarray, " window"]:
    """Return the weights of a frame and as many frames before it as after it; their sum is 1."""
    around = round(0.5 * CALMING_S * fps)
    window = np.hanning(2 * around + 3)[1:-1]
    weights: Float32[np.ndarray, " window"] = (window / window.sum()).astype(np.float32)
    return weights
