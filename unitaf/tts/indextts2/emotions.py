"""Recordings to the eight strengths that explain how they are spoken: the way back of a mix.

Emotions that are given as numbers become a vector by mixing: so much of each emotion's prototype,
the rest from the voice's own clip. A recording has such a vector too, and the strengths are those
whose mix comes nearest to it.

What they can tell is how a recording differs from the reference clip of its speaker, along the
eight prototypes that sound most like that speaker. No emotion therefore means "as in the reference
clip": if that clip is acted, its acting counts as none. What else differs between two recordings,
such as words, microphone or pace, is left out only as far as no prototype explains it; emotions
whose prototypes are alike, such as sad and melancholic, are told apart badly. There is one answer
for a whole recording, of which the first 15 seconds are heard.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from unitaf.tts.indextts2.cast import find_source
from unitaf.tts.indextts2.conditioning import as_emotion
from unitaf.tts.indextts2.engine import IndexTts2
from unitaf.tts.indextts2.frontend import Waveform
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2.voice import read_emotion
from unitaf.types import Emotion, Utterance

_REVISION = 1
"""Raised whenever the same recording begins to have other strengths."""

_STEPS = 1000
"""Of a strength, from 0 to 1: what is finer differs between machines."""

_SMALLNESS = 1e-6
"""How much less a strength counts than the distance to what was heard, both from 0 to 1: enough for
the solver, which prototypes that are the same would lead astray, and too little to be seen."""

_MOST_STEPS = 10_000
"""Of the solver, which takes some tens."""


def explain_emotion(
    prototypes: Float[np.ndarray, "emotions dim"],
    base: Float[np.ndarray, " dim"],
    heard: Float[np.ndarray, " dim"],
) -> Float[np.ndarray, " emotions"]:
    """Return the strengths whose mix comes nearest to an emotion vector.

    The mixes of strengths w are all points ``sum_i w_i prototype_i + (1 - sum w) base`` with w not
    negative and of a sum of at most 1, and one of them is nearest to what was heard. Where several
    strengths give it, as when two prototypes are the same, the smallest are returned.

    Args:
        prototypes: Emotion vector of every emotion.
        base: Emotion vector without any.
        heard: Emotion vector to explain.
    """
    corners = np.vstack([base, prototypes]).astype(np.float64) - heard
    corners /= np.linalg.norm(corners, axis=1).max() or 1.0
    # With shares t w of a sum t, the least of |corners (t w)|^2 + (t - 1)^2 over t grows with
    # |corners w|^2, so that the best w is found whatever t is: no weight has to be chosen for the
    # condition that w sums to 1 (Lawson and Hanson, Solving Least Squares Problems, chapter 23).
    small = _SMALLNESS * np.eye(len(corners))[1:]
    system = np.vstack([np.ones(len(corners)), small, corners.T])
    wanted = np.zeros(len(system))
    wanted[0] = 1.0
    shares, _ = nnls(system, wanted, maxiter=_MOST_STEPS)
    strengths: Float[np.ndarray, " emotions"] = shares[1:] / shares.sum()
    return strengths


class EmotionEar:
    """Hears with which emotion the speakers of an engine say something.

    Args:
        engine: Whose networks hear.
        voices: Its voices, by speaker.
    """

    def __init__(self, engine: IndexTts2, voices: Mapping[str, VoiceSource]) -> None:
        self._engine, self._voices = engine, voices

    @property
    def fingerprint(self) -> str:
        """Changes whenever a recording of the same voice could have other strengths."""
        return f"emotions/{_REVISION} {self._engine.features_fingerprint}"

    def voice_of(self, speaker: str) -> str:
        """Return what the strengths of a speaker's recordings depend on besides."""
        return self._engine.voice_of(speaker)

    def hear(self, utterance: Utterance, waveform: Waveform, sample_rate: int) -> Emotion:
        """Return the emotion of a recording, in whole thousandths, rounded down.

        A recording is heard alone, so that it does not matter with which others it comes.

        Args:
            utterance: Whose speaker it is of.
            waveform: Mono, of at least a tenth of a second.
            sample_rate: Hz, any.

        Raises:
            InputError: If the speaker has no voice.
        """
        networks = self._engine.networks
        voice = self._engine.cast.voice(find_source(self._voices, utterance))
        vectors = networks.emotions.prototypes(voice.style), voice.spoken
        heard = read_emotion(networks, waveform, sample_rate)
        strengths = explain_emotion(*(each.float().cpu().numpy() for each in (*vectors, heard)))
        return as_emotion((np.floor(strengths * _STEPS) / _STEPS).tolist())
