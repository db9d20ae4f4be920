"""A line as a stream: sentence after sentence, each with its part of the sound and of the face.

Conventions: one sample clock for the whole line. Frame i is the face at i / fps from the line's
first sample, and all that is given of a line together has ``timing.num_frames`` frames. The sound
is that of the sentences said alone, so it is not what `generate` makes of a line of several; pauses
and changes of emotion that are marked in it are passed over.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64

from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.envelopes import smoothstep
from unitaf.marks import without_turns
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
from unitaf.tts.sentences import split_sentences
from unitaf.types import Phone, Speech, Word

_SETTLE_S = 0.25
"""How long the face takes from where the last sentence left it to where the next wants it."""


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
    except InputError as error:
        yield Refusal(error.column, error.reason)
        return
    said: list[Speech] = []
    motion = MotionStream(fps)
    segments = split_segments(without_turns(line.text))
    for index, text in enumerate(segments):
        words = encode_utterance(replace(line, text=text))
        spoken = await ask(SPEECH_MODEL, words)
        if isinstance(spoken, Refusal):
            yield spoken
            return
        said.append(decode_speech(spoken))
        whole = join_speeches(said)
        moved = await ask(FACE_MODEL, {**words, **encode_speech(whole), **rate})
        if isinstance(moved, Refusal):
            yield moved
            return
        yield _piece(said, motion, moved, is_last=index == len(segments) - 1)


def split_segments(text: str) -> list[str]:
    """Split a text into what is said at once; marks alone stay with what is before them."""
    segments: list[str] = []
    for sentence in split_sentences(text):
        if segments and not _is_spoken(sentence):
            segments[-1] = f"{segments[-1]} {sentence}".rstrip()
        elif segments and not _is_spoken(segments[-1]):
            segments[-1] = f"{segments[-1]} {sentence}".lstrip()
        else:
            segments.append(sentence)
    return segments or [text]


def join_speeches(speeches: Sequence[Speech]) -> Speech:
    """Return speeches as one, one after the other."""
    starts = np.cumsum([0, *(speech.num_samples for speech in speeches)])
    first = speeches[0]
    waveform = np.concatenate([speech.waveform for speech in speeches])
    offsets_s = [int(start) / first.sample_rate for start in starts[:-1]]
    placed = list(zip(speeches, offsets_s, strict=True))
    joined = replace(
        first,
        waveform=waveform,
        phones=tuple(_later_phone(p, by_s) for speech, by_s in placed for p in speech.phones),
        words=tuple(_later_word(w, by_s) for speech, by_s in placed for w in speech.words),
    )
    features = _on_one_clock(joined, placed, first.feature_rate, lambda speech: speech.features)
    if not first.f0_rate:
        return replace(joined, features=features)
    f0 = _on_one_clock(joined, placed, first.f0_rate, lambda speech: speech.f0[:, None])
    return replace(joined, features=features, f0=f0[:, 0])


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


def _later_phone(phone: Phone, by_s: float) -> Phone:
    return replace(phone, start_s=phone.start_s + by_s, end_s=phone.end_s + by_s)


def _later_word(word: Word, by_s: float) -> Word:
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s)


def _on_one_clock(
    joined: Speech,
    placed: Sequence[tuple[Speech, float]],
    rate: float,
    steps_of: Callable[[Speech], Float32[np.ndarray, "steps dim"]],
) -> Float32[np.ndarray, "all_steps dim"]:
    """Return the steps of speeches at the steps of the whole: the nearest of the one heard then."""
    steps = timing.num_frames(joined.num_samples, joined.sample_rate, rate)
    times: Float64[np.ndarray, " steps"] = timing.frame_times(steps, rate)
    owners = np.searchsorted([start_s - 1e-9 for _, start_s in placed], times, side="right") - 1
    parts = []
    for owner, (speech, start_s) in enumerate(placed):
        values = steps_of(speech)
        nearest = np.floor((times[owners == owner] - start_s) * rate + 0.5).astype(np.int64)
        parts.append(values[np.clip(nearest, 0, len(values) - 1)])
    return np.concatenate(parts)
