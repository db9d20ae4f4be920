"""Faces of lines whose emotion changes: each emotion's motion, one turning into the next.

A line is animated once for each of its emotions, on the whole of its speech, so that lips, blinks
and head are timed alike in all of them; then the motions are mixed over time.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from unitaf.face.envelopes import smoothstep
from unitaf.timing import frame_times
from unitaf.types import Emotion, FaceAnimator, FaceMotion, Mood, Speech, Utterance

_TURN_S = 0.4
"""How long a face takes from one emotion to the next; it begins half of it before the words."""


def animate_moods(
    face: FaceAnimator, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
) -> list[FaceMotion]:
    """Animate every speech, in order, those with moods in each of them.

    Raises:
        InputError: As `face.animate`.
    """
    motions = face.animate(utterances, speeches, fps)
    for index, (said, speech) in enumerate(zip(utterances, speeches, strict=True)):
        if speech.moods:
            motions[index] = _mixed(face, said, speech, motions[index])
    return motions


def _mixed(face: FaceAnimator, said: Utterance, speech: Speech, own: FaceMotion) -> FaceMotion:
    times = frame_times(len(own.curves), own.fps)
    curves = np.zeros(own.curves.shape, np.float64)
    for emotion in dict.fromkeys(mood.emotion for mood in speech.moods):
        felt = replace(said, emotion=emotion), replace(speech, emotion=emotion, moods=())
        (motion,) = face.animate([felt[0]], [felt[1]], own.fps)
        curves += _share(speech.moods, emotion, times)[:, None] * motion.curves
    return replace(own, curves=curves.astype(np.float32))


def _share(
    moods: Sequence[Mood], emotion: Emotion, times: Float64[np.ndarray, " frames"]
) -> Float64[np.ndarray, " frames"]:
    """Return how much of an emotion shows at each time; all emotions together are 1."""
    share = np.zeros(len(times))
    for index, mood in enumerate(moods):
        begun = np.ones(len(times))
        if index:
            begun = smoothstep((times - mood.start_s) / _TURN_S + 0.5)
        ended = np.zeros(len(times))
        if index + 1 < len(moods):
            ended = smoothstep((times - moods[index + 1].start_s) / _TURN_S + 0.5)
        if mood.emotion == emotion:
            share += begun - ended
    return share
