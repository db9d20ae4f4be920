"""Which words of a long recording belong to which piece of it."""

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from jaxtyping import Int32

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_OPENING = "“‘«「『（《〈【(\\["
_WORD = re.compile(rf"[{_OPENING}]*[{_UNSPACED}][^\w\s{_OPENING}]*|[^\s{_UNSPACED}]+")
"""A word with the marks around it."""


def share_words(text: str, heard: Sequence[str]) -> list[str]:
    """Share the words of a recording out between its pieces, by what was heard in each.

    In a script that puts no space between words a character is a word.

    Args:
        text: What the whole recording says.
        heard: What each piece seems to say, in order.

    Returns:
        The text's own words of each piece, in order; together they are the text.

    Raises:
        ValueError: If less than half of the words were heard.
    """
    written = list(_WORD.finditer(text))
    words = [_plain(word[0]) for word in written]
    pieces = [[_plain(word[0]) for word in _WORD.finditer(piece)] for piece in heard]
    said = [word for piece in pieces for word in piece]
    edits = _edits(said, words)
    if 2 * edits[-1, -1] > max(len(words), len(said)):
        raise ValueError("less than half of the text's words are heard in the recording")
    after = _words_after(edits, said, words)
    ends = list(accumulate(map(len, pieces)))
    cuts = [0, *(after[end] for end in ends[:-1]), len(words)]
    return [
        text[written[start].start() : written[end - 1].end()] if end > start else ""
        for start, end in pairwise(cuts)
    ]


def _edits(said: Sequence[str], words: Sequence[str]) -> Int32[np.ndarray, "said words"]:
    """Return how many words differ at least between every two beginnings (Levenshtein 1966)."""
    table = np.zeros((len(said) + 1, len(words) + 1), np.int32)
    count = np.arange(len(words) + 1, dtype=np.int32)
    table[0] = count
    for index, word in enumerate(said, start=1):
        row = table[index - 1] + 1
        differs = np.array([word != other for other in words], np.int32)
        row[1:] = np.minimum(row[1:], table[index - 1, :-1] + differs)
        # A word that was not heard adds one: the least of all to the left, and their distance.
        table[index] = np.minimum.accumulate(row - count) + count
    return table


def _words_after(
    edits: Int32[np.ndarray, "said words"], said: Sequence[str], words: Sequence[str]
) -> list[int]:
    """Return how many words of the text have been said after each heard word."""
    after = [0] * len(said) + [len(words)]
    row, column = len(said), len(words)
    while row > 0:
        differs = column > 0 and said[row - 1] != words[column - 1]
        if column > 0 and edits[row, column] == edits[row - 1, column - 1] + differs:
            row, column = row - 1, column - 1
        elif edits[row, column] == edits[row - 1, column] + 1:
            row -= 1
        else:
            column -= 1
            continue
        after[row] = column
    return after


def _plain(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
