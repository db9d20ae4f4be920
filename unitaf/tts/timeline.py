"""From the durations of an engine's symbols to phones and pauses on its feature clock.

Conventions: times are whole steps of the feature clock, so that parts join without rounding. A
symbol's duration says how long the engine's decoder was shown it; its sound is heard a little
earlier, by a lead that belongs to the engine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from jaxtyping import Bool

from unitaf.tts.misaki import (
    CONSONANT_LABELS,
    LENGTH_MARK,
    MODIFIERS,
    OTHER_CONSONANT_LABELS,
    OTHER_VOWEL_LABELS,
    PAUSE_MARKS,
    STRESS_MARKS,
    TONE_MARKS,
    VOWEL_LABELS,
)
from unitaf.tts.reading import SpokenWord

_VOWELS = VOWEL_LABELS | OTHER_VOWEL_LABELS
_LABELS = _VOWELS | CONSONANT_LABELS | OTHER_CONSONANT_LABELS
_LENGTHENING = {LENGTH_MARK, *TONE_MARKS, *MODIFIERS}
_SHORTEST_PAUSE = 5
"""Steps; what is shorter is not heard as a pause (a stop consonant is closed for longer)."""
_SHORTEST_LAST_PHONE = 4
"""Steps that the last phone before a pause has at least."""
_LONGEST_OVERHANG = 6
"""Steps by which a sound may reach into the pause before or after it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A phone, or a pause with the empty label, in steps."""

    label: str
    start: int
    end: int
    stress: int = 0
    word_index: int = -1
    """Which word it is part of; -1 for a pause."""


@dataclass(slots=True)
class _Piece:
    label: str
    steps: int
    is_pause: bool = False
    stress: int = 0
    word_index: int = -1


def spell(words: Sequence[SpokenWord]) -> str:
    """Return the symbols of a sentence in a row, with a space between words."""
    return " ".join(word.symbols for word in words)


def lay_out(words: Sequence[SpokenWord], durations: Sequence[int], lead: int) -> list[Span]:
    """Return the phones and pauses of a sentence, without gaps, from 0 to the end.

    A stress mark's time is its vowel's, that of a length mark, a tone or a modifier the sound's
    before it; the time of a space is shared by the sounds around it, unless it belongs to a pause.

    Args:
        words: What was said.
        durations: Steps of the silence before, of every symbol of ``spell(words)``, and of the
            silence after; none is 0.
        lead: How many steps before its symbol a sound is heard.
    """
    pieces = [_Piece("", durations[0], is_pause=True)]
    carried = stress = 0
    for (symbol, word_index), steps in zip(_symbols(words), durations[1:-1], strict=True):
        if symbol in STRESS_MARKS:
            stress = STRESS_MARKS[symbol]
            carried += steps
        elif symbol in _LENGTHENING:
            pieces[-1].steps += steps
            if symbol in MODIFIERS and pieces[-1].label:
                pieces[-1].label += symbol
        elif symbol in _LABELS:
            own = stress if symbol in _VOWELS else 0
            stress -= own
            pieces.append(_Piece(_LABELS[symbol], carried + steps, False, own, word_index))
            carried = 0
        else:
            _add_gap(pieces, steps, symbol in PAUSE_MARKS)
    _add_gap(pieces, carried + durations[-1], is_pause=True)
    return _place(_share_gaps(pieces), lead)


def fit_to_sound(spans: Sequence[Span], is_audible: Bool[np.ndarray, " steps"]) -> list[Span]:
    """Move the ends of pauses to where the sound around them dies away and begins.

    An engine gives the last phone before a pause much of the silence after it, and lets a hiss
    begin a little before its time. A phone that starts without a sound, as a stop does, stays. A
    pause that is filled from both sides is none.
    """
    fitted = list(spans)
    for index, (before, after) in enumerate(pairwise(spans)):
        if before.label and not after.label:
            edge = _sound_end(before, after, is_audible)
        elif after.label and not before.label:
            edge = _sound_start(before, is_audible)
        else:
            continue
        fitted[index] = replace(fitted[index], end=edge)
        fitted[index + 1] = replace(after, start=edge)
    return [span for span in fitted if span.start < span.end]


def _sound_end(phone: Span, pause: Span, is_audible: Bool[np.ndarray, " steps"]) -> int:
    limit = pause.start + _reach(pause)
    heard = np.flatnonzero(is_audible[phone.start : limit])
    steps = max(int(heard[-1]) + 1 if len(heard) else 0, _SHORTEST_LAST_PHONE)
    return min(phone.start + steps, limit)


def _sound_start(pause: Span, is_audible: Bool[np.ndarray, " steps"]) -> int:
    limit = pause.end - _reach(pause)
    silent = np.flatnonzero(~is_audible[limit : pause.end])
    return limit + (int(silent[-1]) + 1 if len(silent) else 0)


def _reach(pause: Span) -> int:
    return min((pause.end - pause.start) // 2, _LONGEST_OVERHANG)


def _symbols(words: Sequence[SpokenWord]) -> Iterator[tuple[str, int]]:
    for word_index, word in enumerate(words):
        if word_index:
            yield " ", -1
        for symbol in word.symbols:
            yield symbol, word_index


def _add_gap(pieces: list[_Piece], steps: int, is_pause: bool) -> None:
    """Add time without a sound; what lies side by side is one gap."""
    if pieces[-1].label:
        pieces.append(_Piece("", steps, is_pause))
    else:
        pieces[-1].steps += steps
        pieces[-1].is_pause |= is_pause


def _share_gaps(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Give the time of gaps that are no pause to the sounds on both sides, half each."""
    shared: list[_Piece] = []
    carried = 0
    for index, piece in enumerate(pieces):
        is_inner = 0 < index < len(pieces) - 1
        if piece.label or not is_inner or (piece.is_pause and piece.steps >= _SHORTEST_PAUSE):
            piece.steps += carried
            carried = 0
            shared.append(piece)
        else:
            carried = piece.steps - piece.steps // 2
            shared[-1].steps += piece.steps // 2
    return shared


def _place(pieces: Sequence[_Piece], lead: int) -> list[Span]:
    ends = [
        max(end - lead, index + 1)
        for index, end in enumerate(accumulate(piece.steps for piece in pieces))
    ]
    ends[-1] = sum(piece.steps for piece in pieces)
    starts = [0, *ends[:-1]]
    return [
        Span(piece.label, start, end, piece.stress, piece.word_index)
        for piece, start, end in zip(pieces, starts, ends, strict=True)
    ]
