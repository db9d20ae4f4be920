"""Where the words that were said stand in the text that is shown, and so when each part is shown.

What stands between two words goes to the first of them, opening marks to the second. Words need not
be as they are written: of ``HQ`` a lexicon may have made "headquarters", and readers write numbers
out. What is written where other words were said has their time, a word each if there are as many,
else shared out by length.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from unitaf.types import Word

_OPENING = ("Ps", "Pi")
_LETTER = r"[^\W_]"
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts that put no space between words."""
_WRITTEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]*[^\W_{_UNSPACED}][^\s{_UNSPACED}]*")
"""A word as it is written, with the marks around it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A word with the marks and the space around it."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part of a text that something was said for."""

    start: int
    end: int
    start_s: float
    end_s: float


def place_words(text: str, words: Sequence[Word]) -> list[Piece]:
    """Divide a text into parts, each with the time of what was said for it.

    Args:
        text: What is shown.
        words: What was said, in order; at least one.

    Returns:
        Parts that make up the text; the words themselves if it has none.
    """
    spots = _spots(text, words)
    placed: list[_Placed] = []
    first = 0
    for index, spot in enumerate([*spots, (len(text), len(text))]):
        if spot is None:
            continue
        _add_other(placed, text, spot[0], words[first:index])
        if index < len(words):
            placed.append(_Placed(*spot, words[index].start_s, words[index].end_s))
        first = index + 1
    if not placed:
        return [Piece(f"{word.text} ", word.start_s, word.end_s) for word in words]
    cuts = [0, *(_cut(text, a.end, b.start) for a, b in pairwise(placed))]
    return [
        Piece(text[start:end], part.start_s, part.end_s)
        for part, start, end in zip(placed, cuts, [*cuts[1:], len(text)], strict=True)
    ]


def _spots(text: str, words: Sequence[Word]) -> list[tuple[int, int] | None]:
    """Return where each word stands in a text; None for those that do not."""
    spots: list[tuple[int, int] | None] = []
    end = 0
    for word in words:
        start = text.find(word.text, end)
        if start < 0:
            return list(_common_spots(text, [word.text for word in words]))
        end = start + len(word.text)
        spots.append((start, end))
    return spots


def _common_spots(text: str, words: Sequence[str]) -> Iterator[tuple[int, int] | None]:
    """Yield where each word stands, where some do not: as many in a row as there are."""
    known = sorted(set(words), key=len, reverse=True)
    standing = [found.span() for found in re.finditer("|".join(map(_pattern, known)), text)]
    matcher = SequenceMatcher(None, words, [text[a:b] for a, b in standing], autojunk=False)
    at = 0
    for first, spot, size in matcher.get_matching_blocks():
        yield from [None] * (first - at)
        yield from standing[spot : spot + size]
        at = first + size


def _pattern(word: str) -> str:
    """Return what finds a word whole."""
    before, after = (
        "" if re.match(f"[{_UNSPACED}]", edge) else look
        for edge, look in ((word[:1], f"(?<!{_LETTER})"), (word[-1:], f"(?!{_LETTER})"))
    )
    return f"{before}{re.escape(word)}{after}"


def _add_other(placed: list[_Placed], text: str, end: int, words: Sequence[Word]) -> None:
    """Add what is written up to a place, where these words were said."""
    if not words:
        return
    start_s, end_s = words[0].start_s, words[-1].end_s
    written = list(_WRITTEN.finditer(text, placed[-1].end if placed else 0, end))
    if not written and placed:
        placed[-1] = replace(placed[-1], end_s=end_s)
    times_s = [(word.start_s, word.end_s) for word in words]
    if len(written) != len(words):
        ends = list(accumulate(len(part[0]) for part in written))
        inner_s = [start_s + end / ends[-1] * (end_s - start_s) for end in ends[:-1]]
        times_s = list(pairwise([start_s, *inner_s, end_s])) if ends else []
    placed += [
        _Placed(*part.span(), *time_s) for part, time_s in zip(written, times_s, strict=True)
    ]


def _cut(text: str, end: int, start: int) -> int:
    """Return where what stands between two words is divided."""
    space = max((i for i in range(end, start) if text[i].isspace()), default=None)
    if space is not None:
        return space + 1
    while start > end and unicodedata.category(text[start - 1]) in _OPENING:
        start -= 1
    return start
