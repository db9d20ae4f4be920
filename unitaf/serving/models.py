"""What the served models do with requests, without a word about Triton.

Conventions: a request and its answer are tensors by name (`triton.tensors`); a line that cannot be
made is answered by a `Refusal`, and the others of its batch are made. Any other error is the
server's, and fails the batch. A text may hold all of `unitaf.marks`; engines are given it as
`generate` gives it to them, so that a text of `generate` itself stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.audio import resample
from unitaf.errors import BackendError, InputError
from unitaf.face.moods import animate_moods
from unitaf.marks import stretches, without_turns
from unitaf.script.lexicon import Lexicon
from unitaf.triton.refusals import Refusal
from unitaf.triton.tensors import (
    ENGINE,
    FPS,
    RECORDING,
    Tensors,
    decode_speech,
    decode_utterance,
    encode_motion,
    encode_speech,
    encode_text,
)
from unitaf.tts.acting import Actor
from unitaf.types import FaceAnimator, FaceMotion, Speech, TextToSpeech, Utterance

Request = Mapping[str, Any]
Answer = Tensors | Refusal

_NOTHING = Speech(np.zeros(0, np.float32), 1, np.zeros((0, 0), np.float32), 1.0)
_NO_LEXICON = Lexicon([])

MAX_FPS = 1000.0
MIN_SAMPLE_RATE = 1000
"""Bounds of what a request may ask for: its answer's size follows from them."""


class SpeechModel:
    """Says lines, or encodes recordings of them.

    Args:
        tts: The engine.
    """

    def __init__(self, tts: TextToSpeech) -> None:
        self._tts = tts

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request, in order."""
        lines: list[Utterance] = []
        answers: dict[str, Answer] = {}
        for index, request in enumerate(requests):
            try:
                line = read_line(request, str(index))
                if RECORDING.name in request:
                    speech = _encode(self._tts, line, request[RECORDING.name][0])
                    answers[line.id] = self._tell(line, speech)
                else:
                    lines.append(_as_generated(line, reads_ipa=self._tts.reads_ipa))
            except InputError as error:
                answers[str(index)] = Refusal(error.column, error.reason)
        answers |= self._say(lines)
        return [answers[str(index)] for index in range(len(requests))]

    def _say(self, lines: list[Utterance]) -> dict[str, Answer]:
        """Say lines in one batch; one that cannot be said is refused and the others tried again."""
        refused: dict[str, Answer] = {}
        while lines:
            try:
                speeches = Actor(self._tts).synthesize(lines)
            except InputError as error:
                if error.utterance_id not in {line.id for line in lines}:
                    raise BackendError(
                        f"the engine refused a line it was not given: {error}"
                    ) from error
                refused[error.utterance_id] = Refusal(error.column, error.reason)
                lines = [line for line in lines if line.id != error.utterance_id]
            else:
                said = zip(lines, speeches, strict=True)
                return refused | {line.id: self._tell(line, speech) for line, speech in said}
        return refused

    def _tell(self, line: Utterance, speech: Speech) -> Tensors:
        engine = encode_text(self._tts.fingerprint_of(line.speaker))
        return {**encode_speech(speech), ENGINE.name: engine}


class FaceModel:
    """Moves a face to speech, or to a recording of a line.

    Args:
        tts: The engine that gives a recording its features.
        face: The animator.
        fps: Frames a second of requests that name none.
    """

    def __init__(self, tts: TextToSpeech, face: FaceAnimator, fps: float) -> None:
        self._tts = tts
        self._face = face
        self._fps = fps

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request, in order."""
        return [self._animate(request) for request in requests]

    def _animate(self, request: Request) -> Answer:
        fps = float(request[FPS.name][0, 0]) if FPS.name in request else self._fps
        try:
            line = read_line(request, "0")
            if not 0.0 < fps <= MAX_FPS:
                raise InputError(line.id, f"fps must be above 0 to {MAX_FPS:g}, not {fps:g}", "fps")
            speech = _read_speech(request, line)
            own = speech if "features" in request else self._encode(line, speech)
            [motion] = animate_moods(self._face, [line], [own], fps)
        except InputError as error:
            return Refusal(error.column, error.reason)
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        trimmed = FaceMotion(motion.curves[:frames], motion.channels, fps)
        return {**encode_motion(trimmed), ENGINE.name: encode_text(self._face.fingerprint)}

    def _encode(self, line: Utterance, recording: Speech) -> Speech:
        rate = self._tts.sample_rate
        return _encode(self._tts, line, resample(recording.waveform, recording.sample_rate, rate))


def read_line(request: Request, line_id: str) -> Utterance:
    """Read the line of a request, without respellings.

    Raises:
        InputError: If it cannot be read, or a mark in it is wrong.
    """
    try:
        line = decode_utterance(request, line_id)
        for _ in stretches(line.text, line.emotion):
            pass  # Only to hear of mistakes, also in marks that the engine is not given.
    except ValueError as error:
        raise InputError(line_id, str(error)) from error
    return _as_generated(line, reads_ipa=True)


def _as_generated(line: Utterance, *, reads_ipa: bool) -> Utterance:
    text = _NO_LEXICON.apply(line.text, line.language, line.speaker, reads_ipa=reads_ipa)
    return replace(line, text=text)


def _encode(
    tts: TextToSpeech, line: Utterance, recording: Float32[np.ndarray, " samples"]
) -> Speech:
    """Encode a recording at the engine's rate, in which pauses and emotions are already.

    Raises:
        InputError: If the engine cannot say the line or follow the recording.
    """
    said = replace(line, text=without_turns(line.text))
    return tts.encode(_as_generated(said, reads_ipa=tts.reads_ipa), recording)


def _read_speech(request: Request, line: Utterance) -> Speech:
    """Read a speech; what a client does not give is empty, its emotion that of the line.

    Raises:
        InputError: If it has no sample rate, or its parts do not fit together.
    """
    if "sample_rate" not in request:
        raise InputError(line.id, "a speech or recording needs its sample_rate", "sample_rate")
    nothing = encode_speech(replace(_NOTHING, emotion=line.emotion))
    try:
        speech = decode_speech({**nothing, **request})
    except ValueError as error:
        raise InputError(line.id, f"the speech cannot be read: {error}", "phones") from error
    if speech.sample_rate < MIN_SAMPLE_RATE:
        reason = f"sample_rate must be at least {MIN_SAMPLE_RATE} Hz, not {speech.sample_rate}"
        raise InputError(line.id, reason, "sample_rate")
    return speech
