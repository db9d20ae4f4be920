"""The C library of espeak-ng in a process of its own: texts on stdin, sound and events on stdout.

There it may crash, as it does on some texts, and takes nothing with it; and it stays apart from
code of another licence: its own is GPL-3.0-or-later. It comes with the package espeakng-loader, an
optional extra.

The library keeps noise and phases from one text to the next, and no call of its own takes them
back. It is therefore loaded anew for each text, which takes under a millisecond, so that a line
sounds the same in any company.
"""

import _ctypes
import ctypes
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import espeakng_loader
import numpy as np
from jaxtyping import Float32

SAMPLE_RATE = 22050
DATA = Path(espeakng_loader.get_data_path())
LIBRARY = Path(espeakng_loader.get_library_path())

_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 3
_DO_NOT_EXIT = 0x8000
_UTF_8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_STEPS_UP, _STEPS_DOWN = 5.1, 5.7
"""Of the library's pitch to a semitone, measured; a voice's own pitch and range are 50 of 100."""
_WORDS_PER_MINUTE = 175
_WORD, _PHONEME = 1, 7
_LABEL_BYTES = 8


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_void_p))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Event:
    """The start of a phoneme or of a word."""

    start_s: float
    label: str = ""
    """IPA as the library writes it, of a phoneme; a pause has none."""
    first: int = -1
    """Where a word begins in the text; -1 for a phoneme."""
    length: int = 0
    """Characters of a word."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What the library gives for a text."""

    waveform: Float32[np.ndarray, " samples"]
    events: tuple[Event, ...]


def say(text: str, voice: str, speed: float, pitch: float) -> Sound:
    """Say a text.

    Args:
        text: What is said.
        voice: The name of a voice, such as ``de`` or ``de+f2``.
        speed: 2 is twice as fast.
        pitch: Semitones above the voice's own, -8 to 8; heard to half of one.

    Raises:
        ValueError: If there is no such voice.
    """
    pieces: list[Float32[np.ndarray, " samples"]] = []
    events: list[Event] = []

    def take(samples: Any, count: int, heard: Any) -> int:
        if count:
            # A copy: the library uses its buffer again.
            piece = np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768
            pieces.append(piece)
        events.extend(_events(heard))
        return 0

    with _library() as library:
        callback = _Callback(take)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        library.espeak_SetParameter(_RATE, round(_WORDS_PER_MINUTE * speed), 0)
        if pitch:
            steps = (_STEPS_UP if pitch > 0 else _STEPS_DOWN) * pitch
            library.espeak_SetParameter(_PITCH, round(50 + steps), 0)
            # Melody is in Hz there, and would be flatter in a high voice.
            library.espeak_SetParameter(_RANGE, round(50 * 2.0 ** (pitch / 12)), 0)
        data = text.encode() + b"\0"
        library.espeak_Synth(data, len(data), 0, 1, 0, _UTF_8, None, None)
    waveform = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return Sound(waveform, tuple(events))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, one a line of JSON, until there are no more: a line of JSON, and samples."""
    for line in requests:
        sound = say(**json.loads(line))
        events = [astuple(event) for event in sound.events]
        answers.write(json.dumps([len(sound.waveform), events]).encode() + b"\n")
        answers.write(sound.waveform.tobytes())
        answers.flush()


@contextmanager
def _library() -> Iterator[ctypes.CDLL]:
    library = ctypes.CDLL(str(LIBRARY))
    try:
        options = _PHONEME_EVENTS_IN_IPA | _DO_NOT_EXIT
        library.espeak_Initialize(_SYNCHRONOUS, 0, str(DATA).encode(), options)
        yield library
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def _events(first: Any) -> Iterator[Event]:
    """Give the words and phonemes of a list that ends with an event of kind 0."""
    index = 0
    while (event := first[index]).kind:
        start_s = event.audio_position / 1000
        if event.kind == _WORD:
            yield Event(start_s, "", event.text_position - 1, event.length)
        elif event.kind == _PHONEME:
            address = ctypes.addressof(event) + _Event.id.offset
            label = ctypes.string_at(address, _LABEL_BYTES).split(b"\0")[0]
            # A long label is cut in the middle of a letter.
            yield Event(start_s, label.decode(errors="ignore"))
        index += 1


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
