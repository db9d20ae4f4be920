"""A line as a stream: sentence after sentence, each with its part of the sound and of the face.

Conventions: one sample clock for the whole line. Frame i is the face at i / fps from the line's
first sample, and all that is given of a line together has ``timing.num_frames`` frames. A line is
cut at its pauses and changes of emotion, and what is between them into sentences, each said alone.
So a line in one piece is the take that `generate` makes; of one in several, the sound is the same
if a mark stands between any two sentences, and the face once it has settled in the last piece.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.envelopes import smoothstep
from unitaf.marks import EMPHASIS, PRONUNCIATION, closed
from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.serving.models import Answer, Request, read_line
from unitaf.triton.refusals import Refusal
from unitaf.triton.tensors import (
    CURVES,
    FACE_MODEL,
    FIRST_FRAME,
    FPS,
    IS_LAST,
    SPEECH_MODEL,
    START,
    STREAMED_SPEECH,
    Tensors,
    decode_speech,
    encode_speech,
    encode_utterance,
)
from unitaf.tts.acting import Part, join_parts, parts_of, with_pauses
from unitaf.tts.sentences import split_sentences
from unitaf.tts.splicing import to_grain
from unitaf.types import Speech, Utterance

_SETTLE_S = 0.25
"""How long the face takes from where the last sentence left it to where the next wants it."""

_MARK = re.compile(f"{EMPHASIS.pattern}|{PRONUNCIATION.pattern}", re.IGNORECASE)

Ask = Callable[[str, Tensors], Awaitable[Answer]]
"""Has a model of the server answer a request."""


async def stream_take(request: Request, default_fps: float, ask: Ask) -> AsyncIterator[Answer]:
    """Give a line sentence after sentence, each as soon as it is made.

    Args:
        request: What to say, and at how many frames a second.
        default_fps: If it does not say.
        ask: Gives what `SPEECH_MODEL` and `FACE_MODEL` answer.
    """
    fps = float(request[FPS.name][0, 0]) if FPS.name in request else default_fps
    rate = {FPS.name: np.array([[fps]], np.float64)}
    try:
        line = read_line(request, "0")
        parts = split_parts(line)
    except InputError as error:
        yield Refusal(error.column, error.reason)
        return
    said: list[Speech] = []
    motion = MotionStream(fps)
    for index, part in enumerate(parts):
        asked = replace(line, text=part.text, emotion=part.emotion)
        spoken = await ask(SPEECH_MODEL, encode_utterance(asked))
        if isinstance(spoken, Refusal):
            yield spoken
            return
        speech = with_pauses(part, decode_speech(spoken))
        is_last = index == len(parts) - 1
        said.append(speech if is_last else to_grain(speech))
        begun = parts[: index + 1]
        whole = join_parts(line, begun, said)
        text = line.text if is_last else " ".join(each.text for each in begun)
        words = encode_utterance(replace(line, text=text))
        moved = await ask(FACE_MODEL, {**words, **encode_speech(whole), **rate})
        if isinstance(moved, Refusal):
            yield moved
            return
        yield _piece(said, motion, moved, is_last=is_last)


def split_parts(line: Utterance) -> list[Part]:
    """Cut a line at its marks, and what is between them into what is said at once.

    Raises:
        InputError: If a mark is wrong.
    """
    parts: list[Part] = []
    for part in parts_of(line):
        texts = split_segments(part.text)
        for index, text in enumerate(texts):
            before_s = 0.0 if index else part.before_s
            after_s = part.after_s if index == len(texts) - 1 else 0.0
            parts.append(replace(part, text=text, before_s=before_s, after_s=after_s))
    return parts


def split_segments(text: str) -> list[str]:
    """Split a text into what is said at once.

    What is emphasised is so in each segment; one that has no letter and no digit stays with what is
    before it.

    Args:
        text: Without pauses and changes of emotion.

    Raises:
        ValueError: If an emphasis ends that has not begun.
    """
    plain, places = _written(text)
    cuts: list[int] = []
    end, is_spoken = 0, False
    for sentence in split_sentences(plain):
        gap, end = end, plain.index(sentence, end) + len(sentence)
        if is_spoken and _is_spoken(sentence):
            cuts.append(places[gap])
        is_spoken = is_spoken or _is_spoken(sentence)
    segments: list[str] = []
    depth = 0
    for start, stop in pairwise([0, *cuts, len(text)]):
        segment, depth = closed(text[start:stop], depth)
        segments.append(segment)
    return segments if cuts else [text]


def _written(text: str) -> tuple[str, list[int]]:
    """Return a text without its marks, and for each character its place in the text with them.

    A word whose sounds are given is one: white space in it becomes ``_``.
    """
    plain, places, last = "", list[int](), 0
    for mark in _MARK.finditer(text):
        plain += text[last : mark.start()] + re.sub(r"\s", "_", mark["word"] or "")
        places += [*range(last, mark.start()), *range(*mark.span("word"))]
        last = mark.end()
    return plain + text[last:], [*places, *range(last, len(text))]


class MotionStream:
    """Gives the frames of a motion that grows, without a jump where it was animated anew.

    What the new motion differs by at the last frame given dies away in a quarter of a second
    (Bollo 2018, "Inertialization", with a smooth step).

    Args:
        fps: Frames a second.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._given = 0
        self._last = np.zeros(0, np.float32)

    @property
    def num_given(self) -> int:
        """How many frames have been given."""
        return self._given

    def push(
        self, curves: Float32[np.ndarray, "frames channels"]
    ) -> Float32[np.ndarray, "new channels"]:
        """Take the motion from the beginning to where it is known, and return what is new of it."""
        new = curves[self._given :]
        if self._given and len(new):
            times = timing.frame_times(len(new) + 1, self._fps)[1:]
            left = 1.0 - smoothstep(times / _SETTLE_S)
            new = new + (self._last - curves[self._given - 1]) * left[:, None].astype(np.float32)
            np.clip(new[:, : len(BLENDSHAPES)], 0.0, 1.0, out=new[:, : len(BLENDSHAPES)])
        self._given = len(curves)
        self._last = new[-1] if len(new) else self._last
        return new


def _piece(said: Sequence[Speech], motion: MotionStream, moved: Tensors, is_last: bool) -> Tensors:
    """Return the last sentence said, and the frames that it adds."""
    speech = said[-1]
    start_s = sum(earlier.num_samples for earlier in said[:-1]) / speech.sample_rate
    first_frame = motion.num_given
    spoken = encode_speech(speech)
    return {
        **{spec.name: spoken[spec.name] for spec in STREAMED_SPEECH},
        START.name: np.array([[start_s]], np.float64),
        FIRST_FRAME.name: np.array([[first_frame]], np.int32),
        CURVES.name: motion.push(moved[CURVES.name][0])[None],
        IS_LAST.name: np.array([[is_last]], np.bool_),
    }


def _is_spoken(text: str) -> bool:
    return any(character.isalnum() for character in text)
