"""What a subtitle shows and when: the words of a take as cues that can be read.

Conventions: times in seconds from the start of the audio. The rules, as broadcasters have them:

- A line has at most 42 characters (wide ones, as in Chinese, count two), a cue at most two lines,
  broken where both are most alike, and at most 7 seconds.
- A new cue begins after a pause of 0.6 s, and after the end of a sentence if the cue has lasted a
  second. What is too much for one cue is divided after the last comma, colon or dash in its second
  half, else where it is full.
- A cue is shown from its first word to its last, and at least a second where the next cue and the
  end of the audio leave room.

Text is the script's, without the marks of `unitaf.marks`; when each part of it is said, `placing`
finds out. A take without words is one cue from start to end; without text it has none.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unitaf.export.placing import Piece, place_words
from unitaf.marks import without_marks
from unitaf.types import Take

LINE_CELLS = 42
MAX_CUE_S = 7.0
_MIN_CUE_S = 1.0
_PAUSE_S = 0.6

_CLOSING = r"[\"'”’»›」』）)\]]*$"
_SENTENCE_END = re.compile(r"[.!?…。！？]" + _CLOSING)
_CLAUSE_END = re.compile(r"[,;:–—、，；：]" + _CLOSING)


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once."""

    start_s: float
    end_s: float
    lines: tuple[tuple[Piece, ...], ...]


def find_cues(take: Take) -> list[Cue]:
    """Return the cues of a take in order; they do not overlap."""
    duration_s = take.speech.duration_s
    pieces = _pieces(take)
    if not take.speech.words:
        return [Cue(0.0, duration_s, tuple(_wrap(pieces)))] if pieces else []
    groups = list(_groups(pieces))
    cues = []
    for index, group in enumerate(groups):
        start_s = group[0].start_s
        room_s = groups[index + 1][0].start_s if index + 1 < len(groups) else duration_s
        end_s = max(group[-1].end_s, min(start_s + _MIN_CUE_S, room_s))
        cues.append(Cue(start_s, end_s, _lines(group)))
    return cues


def _pieces(take: Take) -> list[Piece]:
    text, words = without_marks(take.utterance.text), take.speech.words
    if not words:
        end_s = take.speech.duration_s
        return [Piece(part, 0.0, end_s) for part in re.findall(r"\S+\s*", text)]
    return place_words(text, words)


def _groups(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    for piece in pieces:
        if group and _is_over(group, piece):
            yield group
            group = []
        while group and not _fits([*group, piece]):
            at = _division(group)
            yield group[:at]
            group = group[at:]
        group.append(piece)
    yield group


def _is_over(group: Sequence[Piece], following: Piece) -> bool:
    last = group[-1]
    is_sentence = _SENTENCE_END.search(last.text.rstrip()) is not None
    lasted_s = last.end_s - group[0].start_s
    return following.start_s - last.end_s >= _PAUSE_S or (is_sentence and lasted_s >= _MIN_CUE_S)


def _fits(group: Sequence[Piece]) -> bool:
    is_short = group[-1].end_s - group[0].start_s <= MAX_CUE_S
    return is_short and (cells(group) <= LINE_CELLS or _line_break(group) > 0)


def _division(group: Sequence[Piece]) -> int:
    for at in range(len(group) - 1, len(group) // 2, -1):
        if _CLAUSE_END.search(group[at - 1].text.rstrip()):
            return at
    return len(group)


def cells(pieces: Sequence[Piece]) -> int:
    """Return how wide pieces are as one line, in characters."""
    text = "".join(piece.text for piece in pieces).strip()
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _lines(group: Sequence[Piece]) -> tuple[tuple[Piece, ...], ...]:
    at = 0 if cells(group) <= LINE_CELLS else _line_break(group)
    return (tuple(group[:at]), tuple(group[at:])) if at else (tuple(group),)


def _line_break(group: Sequence[Piece]) -> int:
    """Return before which piece two lines part, most alike; 0 if one would be too long."""
    sizes = {at: (cells(group[:at]), cells(group[at:])) for at in range(1, len(group))}
    fitting = {at: abs(a - b) for at, (a, b) in sizes.items() if max(a, b) <= LINE_CELLS}
    return min(fitting, key=lambda at: fitting[at], default=0)


def _wrap(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    line: list[Piece] = []
    for piece in pieces:
        if line and cells([*line, piece]) > LINE_CELLS:
            yield tuple(line)
            line = []
        line.append(piece)
    yield tuple(line)
