"""Dictionaries of pronunciations that packages of the gruut project bring (MIT).

Each is a table of words, and a conditional random field that guesses words it lacks from the three
letters to both sides.
"""

import base64
import sqlite3
from pathlib import Path

import pycrfsuite

_REACH = 3


class Lexicon:
    """The pronunciations of one language.

    Args:
        folder: Of the package, with ``lexicon.db`` and ``g2p/model.crf``.
    """

    def __init__(self, folder: Path) -> None:
        connection = sqlite3.connect(f"file:{folder / 'lexicon.db'}?mode=ro", uri=True)
        rows = connection.execute(
            "SELECT word, phonemes FROM word_phonemes ORDER BY pron_order DESC, id DESC"
        )
        # The last of a word stays: its first pronunciation.
        self._phones: dict[str, str] = dict(rows)
        connection.close()
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(folder / "g2p" / "model.crf"))

    def find(self, word: str) -> list[str] | None:
        """Return the phones of a word that the table has."""
        phones = self._phones.get(word)
        return None if phones is None else phones.split()

    def guess(self, word: str) -> list[str]:
        """Return the likely phones of any word."""
        tags = self._tagger.tag([_clues(word, index) for index in range(len(word))])
        decoded = (base64.b64decode(tag).decode() for tag in tags)
        return [phone for phones in decoded for phone in phones.split("|") if phone != "_"]


def _clues(word: str, index: int) -> dict[str, str | bool | float]:
    """Return what the guesser looks at for one letter, by the names that it was trained with."""
    clues: dict[str, str | bool | float] = {"bias": 1.0, "grapheme": _encode(word[index])}
    for distance in range(1, _REACH + 1):
        if index >= distance:
            clues[f"grapheme-{distance}"] = _encode(word[index - distance])
        if index + distance < len(word):
            clues[f"grapheme+{distance}"] = _encode(word[index + distance])
    if index == 0:
        clues["begin"] = True
    if index == len(word) - 1:
        clues["end"] = True
    return clues


def _encode(letter: str) -> str:
    return base64.b64encode(letter.encode()).decode()
