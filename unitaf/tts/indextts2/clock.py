"""The one clock of a line: segments, the silence between them, and features for the face.

Samples rule. A segment of n codes is as long as its mel frames, a little less than n / 50 s, and
between segments there is silence without codes. The reference moves the face on by codes alone and
so drifts 200 ms for every segment; here each code keeps its place in the sound, and features are
read from there at exactly 50 a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.tts.indextts2.frontend import MEL_RATE

FEATURE_RATE = 50.0
SILENCE_S = 0.2
"""Between segments, as in the reference."""


@dataclass(frozen=True, slots=True, eq=False)
class SpokenSegment:
    """A segment as sound and as features."""

    waveform: Float32[np.ndarray, " _"]
    features: Float32[np.ndarray, "codes dim"]
    """One row for each code."""


def join_waveforms(segments: Sequence[SpokenSegment]) -> Float32[np.ndarray, " samples"]:
    """Return segments one after the other with silence between them."""
    silence = np.zeros(timing.num_samples(SILENCE_S, MEL_RATE), np.float32)
    parts = [part for segment in segments for part in (silence, segment.waveform)]
    return np.concatenate(parts[1:])


def join_features(segments: Sequence[SpokenSegment]) -> Float32[np.ndarray, "steps dim"]:
    """Return the features of joined segments at 50 a second, as many as the samples ask for.

    Between two codes they are linear, across silence too; after the last code they are held.
    """
    silence = timing.num_samples(SILENCE_S, MEL_RATE)
    places, start = [], 0
    for segment in segments:
        num_samples, num_codes = len(segment.waveform), len(segment.features)
        places.append(start + num_samples * np.arange(num_codes) / num_codes)
        start += num_samples + silence
    steps = timing.num_frames(start - silence, MEL_RATE, FEATURE_RATE)
    wanted = timing.frame_times(steps, FEATURE_RATE) * MEL_RATE
    values = np.concatenate([segment.features for segment in segments])
    return _between(np.concatenate(places), values, wanted)


def fit_features(
    features: Float32[np.ndarray, "codes dim"], num_samples: int
) -> Float32[np.ndarray, "steps dim"]:
    """Return features of a recording, a row for every 20 ms, as many as its samples ask for.

    Args:
        features: The codec leaves out what does not fill a frame; the last row is held there.
        num_samples: At 22.05 kHz.
    """
    steps = timing.num_frames(num_samples, MEL_RATE, FEATURE_RATE)
    missing = max(0, steps - len(features))
    return np.pad(features[:steps], ((0, missing), (0, 0)), mode="edge")


def _between(
    places: np.ndarray, values: Float32[np.ndarray, "codes dim"], wanted: np.ndarray
) -> Float32[np.ndarray, "steps dim"]:
    right = np.searchsorted(places, wanted, side="right").clip(max=len(places) - 1)
    left = np.maximum(right - 1, 0)
    distance = np.where(right > left, places[right] - places[left], 1.0)
    share = ((wanted - places[left]) / distance).clip(0.0, 1.0)[:, None].astype(np.float32)
    mixed: Float32[np.ndarray, "steps dim"] = values[left] * (1 - share) + values[right] * share
    return mixed
