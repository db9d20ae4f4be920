"""A face animator behind a Triton server, in a repository of `unitaf serve export`."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from unitaf import timing
from unitaf.errors import BackendError
from unitaf.rigs.arkit import CHANNELS
from unitaf.triton.client import TritonClient
from unitaf.triton.descriptions import ServedFace, read_face
from unitaf.triton.tensors import (
    ENGINE,
    FPS,
    Tensors,
    decode_motion,
    decode_text,
    encode_speech,
    encode_utterance,
)
from unitaf.types import FaceMotion, Speech, Utterance


class TritonFace:
    """A `types.FaceAnimator` that is elsewhere; the server is asked when first needed.

    Args:
        client: Asks the model ``unitaf_face``.
    """

    def __init__(self, client: TritonClient) -> None:
        self._client = client

    @property
    def fingerprint(self) -> str:
        """The animator's."""
        return self._served.fingerprint

    @property
    def licence(self) -> str:
        """The terms on what the animator makes."""
        return self._served.licence

    def load(self) -> None:
        """Ask the server what it has."""
        _ = self._served

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Have every speech animated, in order, at any frame rate; in one emotion, as any face.

        Raises:
            InputError: If a speech cannot move a face.
            BackendError: If the server failed, or has another animator than when first asked.
        """
        rate = {FPS.name: np.array([[fps]], np.float64)}
        # A server mixes moods itself if it is told of any; here `face.moods` does that.
        lines = [
            (
                utterance.id,
                {**encode_utterance(utterance), **encode_speech(replace(speech, moods=())), **rate},
            )
            for utterance, speech in zip(utterances, speeches, strict=True)
        ]
        answers = self._client.ask(lines)
        return [self._read(answer, s, fps) for answer, s in zip(answers, speeches, strict=True)]

    def _read(self, answer: Tensors, speech: Speech, fps: float) -> FaceMotion:
        name = self._client.name
        try:
            motion, found = decode_motion(answer, fps), decode_text(answer[ENGINE.name])
        except (KeyError, IndexError) as error:
            raise BackendError(f"{name}: its answer is no motion: {error}") from error
        if found != self.fingerprint:
            raise BackendError(
                f"{name} has become {found!r} meanwhile; it was {self.fingerprint!r}"
            )
        shape = timing.num_frames(speech.num_samples, speech.sample_rate, fps), len(CHANNELS)
        if motion.curves.shape != shape:
            raise BackendError(
                f"{name}: its answer has curves of {motion.curves.shape}, not of {shape}"
            )
        return motion

    @cached_property
    def _served(self) -> ServedFace:
        return read_face(self._client.config(), self._client.name)
