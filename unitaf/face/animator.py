"""Faces by a trained face model, whatever its network runs on.

Conventions: features are (steps, dim) at the engine's feature rate, curves (frames, channels) at
the network's own frame rate and, in the motions, at any other. This module needs no torch.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.errors import InputError
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, column_indices
from unitaf.types import Emotion, FaceMotion, Speech, Utterance


class ClipNetwork(Protocol):
    """A face model's network in one style."""

    @property
    def feature_dim(self) -> int:
        """Width of the features that it reads."""

    @property
    def feature_rate(self) -> float:
        """Steps of features a second."""

    @property
    def fps(self) -> float:
        """Frames a second that come out."""

    def decode(
        self, features: Float32[np.ndarray, "steps dim"], frames: int, emotion: Emotion
    ) -> Float32[np.ndarray, "frames channels"]:
        """Return the curves of a clip, not yet clipped.

        Args:
            features: At least one step.
            frames: As many as the sample clock has for the clip, at least one.
            emotion: Strengths 0 to 1; all zero is neutral.
        """


class FaceModelAnimator:
    """A `types.FaceAnimator` that asks a trained face model.

    Clips are decoded one at a time: a take's bytes may not depend on what it is batched with.

    Args:
        network: What is asked.
        channels: The names of its curves, in order; canonical channels not among them stay at rest.
        fingerprint: Changes with the weights.
        licence: What the weights' terms ask of their output.

    Raises:
        ValueError: If a channel is not an ARKit channel.
    """

    def __init__(
        self, network: ClipNetwork, channels: Sequence[str], fingerprint: str, licence: str
    ) -> None:
        self._network = network
        self._columns = column_indices(CHANNELS, channels)
        self._fingerprint = fingerprint
        self._licence = licence

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same speech could give another motion."""
        return self._fingerprint

    @property
    def licence(self) -> str:
        """The terms of the weights, in one line."""
        return self._licence

    def load(self) -> None:
        """Do nothing: the network is here."""

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order, on the canonical channels at any frame rate.

        Raises:
            InputError: If a speech is empty.
            ValueError: If the features are not those that the model was trained on.
        """
        return [
            FaceMotion(self._curves(utterance, speech, fps), CHANNELS, fps)
            for utterance, speech in zip(utterances, speeches, strict=True)
        ]

    def _curves(
        self, utterance: Utterance, speech: Speech, fps: float
    ) -> Float32[np.ndarray, "frames channels"]:
        network = self._network
        found = (speech.features.shape[1], speech.feature_rate)
        if found != (network.feature_dim, network.feature_rate):
            raise ValueError(
                f"the face model was trained on {network.feature_dim} features at "
                f"{network.feature_rate} Hz; this engine gives {found[0]} at {found[1]} Hz"
            )
        if len(speech.features) == 0 or speech.num_samples == 0:
            raise InputError(utterance.id, "the speech is empty, so it cannot move a face")
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, network.fps)
        curves = np.zeros((frames, len(CHANNELS)), np.float32)
        curves[:, self._columns] = network.decode(speech.features, frames, utterance.emotion)
        shapes = curves[:, : len(BLENDSHAPES)]
        np.clip(shapes, 0.0, 1.0, out=shapes)
        if fps == network.fps:
            return curves
        asked = timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        return timing.resample_linear(curves, network.fps, timing.frame_times(asked, fps))
