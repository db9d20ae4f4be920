"""Text to the ids that the GPT reads: normalised, tokenised, and split into segments."""

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from unitaf.tts.indextts2.normaliser import Term, normalise_text
from unitaf.tts.indextts2.segments import split_segments

_SET_APART = re.compile(
    "([\u1100-\u11ff\u2e80-\ua4cf\ua840-\ud7af\uf900-\ufaff"
    "\ufe30-\ufe4f\uff65-\uffdc\U00020000-\U0002ffff])"
)

_MOST_KEPT = 10_000
"""Texts whose normalised form is kept: memory must not grow with the script."""


class TextFront:
    """The published tokeniser with the rules around it.

    Args:
        model: ``bpe.model``.
        glossary: Readings of terms; see `normaliser.normalise_text`.
    """

    def __init__(self, model: Path, glossary: Mapping[str, Term] | None = None) -> None:
        self._tokeniser = SentencePieceProcessor(model_file=str(model))
        # Normalising costs milliseconds of the engine's time, and speakers say the same barks.
        self._normalise = lru_cache(_MOST_KEPT)(partial(normalise_text, glossary=glossary))

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text; a single character is left as it is written."""
        if len(text.strip()) != 1:
            text = tokeniser_input(self._normalise(text))
        return list(self._tokeniser.encode(text, out_type=str))

    def segments(self, pieces: list[str], max_tokens: int) -> list[tuple[int, ...]]:
        """Return the ids of each segment of a text in pieces."""
        return [tuple(self.ids(segment)) for segment in split_segments(pieces, max_tokens)]

    def unreadable(self, pieces: list[str]) -> str:
        """Return the letters in pieces that the tokeniser does not know, each once."""
        unknown = self._tokeniser.unk_id()
        ids = self.ids(pieces)
        letters = (
            letter
            for piece, text_id in zip(pieces, ids, strict=True)
            if text_id == unknown
            for letter in piece
            if letter.isalpha()
        )
        return "".join(dict.fromkeys(letters))

    def ids(self, pieces: list[str]) -> list[int]:
        """Return the ids of pieces."""
        return list(self._tokeniser.piece_to_id(pieces))


def tokeniser_input(text: str) -> str:
    """Write a normalised text for the tokeniser: in capitals, East Asian characters set apart."""
    parts = (part.strip() for part in _SET_APART.split(text))
    return " ".join(part for part in parts if part).upper()
