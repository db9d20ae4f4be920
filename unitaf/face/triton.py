"""A face animator behind a Triton server, in a repository of `unitaf serve export`."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from unitaf.errors import BackendError
from unitaf.triton.client import TritonClient
from unitaf.triton.descriptions import ServedFace, read_face
from unitaf.triton.tensors import (
    ENGINE,
    FPS,
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
        """Have every speech animated, in order, at any frame rate.

        Raises:
            InputError: If a speech cannot move a face.
            BackendError: If the server failed, or has another animator than when first asked.
        """
        rate = {FPS.name: np.array([[fps]], np.float64)}
        lines = [
            (utterance.id, {**encode_utterance(utterance), **encode_speech(speech), **rate})
            for utterance, speech in zip(utterances, speeches, strict=True)
        ]
        answers = self._client.ask(lines)
        for answer in answers:
            found = decode_text(answer[ENGINE.name])
            if found != self.fingerprint:
                raise BackendError(
                    f"{self._client.name} has become {found!r} meanwhile;"
                    f" it was {self.fingerprint!r}"
                )
        return [decode_motion(answer, fps) for answer in answers]

    @cached_property
    def _served(self) -> ServedFace:
        return read_face(self._client.config(), self._client.name)
