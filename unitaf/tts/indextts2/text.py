"""Text to the ids that the GPT reads: normalised, tokenised, and split into segments."""

import re
from collections.abc import Mapping
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from unitaf.tts.indextts2.normaliser import Term, normalise_text
from unitaf.tts.indextts2.segments import MAX_TOKENS, split_segments

_SET_APART = re.compile(
    "([\u1100-\u11ff\u2e80-\ua4cf\ua840-\ud7af\uf900-\ufaff"
    "\ufe30-\ufe4f\uff65-\uffdc\U00020000-\U0002ffff])"
)


class TextFront:
    """The published tokeniser with the rules around it.

    Args:
        model: ``bpe.model``.
        glossary: Readings of terms; see `normaliser.normalise_text`.
    """

    def __init__(self, model: Path, glossary: Mapping[str, Term] | None = None) -> None:
        self._tokeniser = SentencePieceProcessor(model_file=str(model))
        self._glossary = glossary or {}

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text; a single character is left as it is written."""
        if len(text.strip()) != 1:
            text = tokeniser_input(normalise_text(text, self._glossary))
        return list(self._tokeniser.encode(text, out_type=str))

    def segments(self, text: str, max_tokens: int = MAX_TOKENS) -> list[list[int]]:
        """Return the ids of each segment of a text."""
        return [self.ids(segment) for segment in split_segments(self.pieces(text), max_tokens)]

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
