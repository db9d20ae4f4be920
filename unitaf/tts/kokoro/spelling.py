"""How a sentence of a language with Latin letters becomes spoken words.

Numbers, signs, abbreviations and initials are written out first; then the language pronounces
phrases, so that a word can know its neighbours; what is said is tied to the words as they are
written. The symbols are those of `unitaf.tts.misaki`.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from num2words import num2words

from unitaf.tts.misaki import PAUSE_MARKS
from unitaf.tts.reading import SpokenWord

_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)*)(?P<ordinal>[ºª°]|er\b|re\b|[eè](?:me)?\b)?"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*'?)|(?P<mark>[^\s])"
)
_MARKS = {mark: mark for mark in PAUSE_MARKS} | {
    "«": "“", "»": "”", "“": "“", "”": "”", "„": "“", '"': '"', "(": "(", ")": ")", "–": "—",
}  # fmt: skip
_CLOCK = re.compile(r"(\d):(?=\d)")
_OPENING = "“("
_MOST_DIGITS = 15
_VOWEL = re.compile("[aeiouy]")


class Language(Protocol):
    """What a language says of its own spelling."""

    @property
    def words(self) -> "Vocabulary":
        """Its words for what is not written in letters."""
        ...

    def pronounce(self, phrase: Sequence[str]) -> list[str]:
        """Return the symbols of every word of a phrase, in small letters, without marks."""
        ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a language for what is not written in letters."""

    number_tag: str
    """Its tag in the num2words package."""
    letters: str
    """How the letters a to z are called, as the language spells it."""
    point: str
    """What is said for the decimal sign."""
    signs: dict[str, str]
    """What is said for signs such as € and %."""
    abbreviations: dict[str, str]
    """What is said for words that a full stop may follow, in small letters."""

    def letter_name(self, letter: str) -> str:
        """Return how a letter is called; one with a mark as the letter without."""
        plain = unicodedata.normalize("NFD", letter)[0]
        return self.letters.split()[ord(plain) - ord("a")] if "a" <= plain <= "z" else letter


@dataclass(slots=True)
class _Piece:
    chunk: int
    """Which of the written words it belongs to."""
    text: str
    """A word to pronounce, or the symbol of a mark."""
    is_word: bool
    symbols: str = ""


class SpellingReader:
    """Reads sentences of one language.

    Args:
        language: Its rules.
    """

    def __init__(self, language: Language) -> None:
        self._language = language

    def read(self, sentence: str) -> list[SpokenWord]:
        """Return the words of a sentence.

        Raises:
            ValueError: If a number is too long to be said.
        """
        chunks = _CLOCK.sub(r"\1 ", sentence).split()
        pieces = [piece for index, chunk in enumerate(chunks) for piece in self._cut(index, chunk)]
        phrase: list[_Piece] = []
        for piece in [*pieces, _Piece(-1, ".", False)]:
            if piece.is_word:
                phrase.append(piece)
            elif piece.text in PAUSE_MARKS:
                said = self._language.pronounce([word.text for word in phrase])
                for word, symbols in zip(phrase, said, strict=True):
                    word.symbols = symbols
                phrase = []
        words = [
            _join(chunk, [piece for piece in pieces if piece.chunk == index])
            for index, chunk in enumerate(chunks)
        ]
        return _attach_marks([word for word in words if word.symbols])

    def _cut(self, chunk_index: int, chunk: str) -> Iterator[_Piece]:
        words = self._language.words
        end = 0
        for match in _TOKEN.finditer(chunk):
            text = match[0]
            if match.start() < end:
                continue
            if match["number"]:
                said = self._number(match["number"], match["ordinal"])
            elif match["word"]:
                said, is_short = self._expand(text)
                if is_short and chunk[match.end() :].startswith("."):
                    end = match.end() + 1
            elif text in words.signs:
                said = words.signs[text]
            else:
                if mark := _MARKS.get(text):
                    yield _Piece(chunk_index, mark, False, mark)
                continue
            for word in said.replace("-", " ").split():
                yield _Piece(chunk_index, word, True)

    def _expand(self, word: str) -> tuple[str, bool]:
        """Return a word as it is said, in small letters, and whether it is an abbreviation."""
        words, lower = self._language.words, unicodedata.normalize("NFC", word.lower())
        if lower in words.abbreviations:
            return words.abbreviations[lower], True
        plain = unicodedata.normalize("NFD", lower)
        is_spelt = word.isupper() and not _VOWEL.search(plain)
        if word.isalpha() and (is_spelt or (len(word) == 1 and not _VOWEL.search(plain))):
            return " ".join(words.letter_name(letter) for letter in lower), len(word) == 1
        return lower.replace("'", "' ").rstrip(), False

    def _number(self, digits: str, ordinal: str | None) -> str:
        """Write a number out: a group of three digits after a sign belongs to it."""
        words = self._language.words
        whole, *groups = re.split("[.,]", digits)
        while groups and len(groups[0]) == 3 and whole != "0":
            whole += groups.pop(0)
        if len(whole) > _MOST_DIGITS:
            raise ValueError(f"the number {digits[:40]} is too long to be said; write it as words")
        if ordinal:
            said = num2words(int(whole), lang=words.number_tag, to="ordinal")
            return f"{said[:-1]}a" if ordinal == "ª" else str(said)
        said = str(num2words(int(whole), lang=words.number_tag))
        for group in groups:
            zeros = len(group) - len(group.lstrip("0"))
            parts = [0] * zeros + ([int(group)] if group.strip("0") else [])
            rest = " ".join(num2words(part, lang=words.number_tag) for part in parts)
            said += f" {words.point} {rest}"
        return said


def _join(chunk: str, pieces: Sequence[_Piece]) -> SpokenWord:
    """Return a written word with the symbols of its pieces; what is elided joins what follows."""
    symbols = ""
    is_joined = True
    for piece in pieces:
        if piece.is_word and not is_joined:
            symbols += " "
        symbols += piece.symbols
        is_joined = piece.text.endswith("'") if piece.is_word else piece.text in _OPENING
    is_sounded = any(piece.is_word for piece in pieces)
    return SpokenWord(chunk if is_sounded else "", symbols)


def _attach_marks(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Let marks that stand alone, as in French, go with the word that they belong to."""
    attached: list[SpokenWord] = []
    opening = ""
    for word in words:
        if word.text:
            attached.append(SpokenWord(word.text, opening + word.symbols))
            opening = ""
        elif word.symbols in _OPENING or not attached:
            opening += word.symbols
        else:
            last = attached.pop()
            attached.append(SpokenWord(last.text, last.symbols + word.symbols))
    return attached


@dataclass(frozen=True, slots=True)
class Rule:
    """What letters at some place in a word stand for."""

    letters: re.Pattern[str]
    symbols: str


def rules(table: str) -> tuple[Rule, ...]:
    """Read rules, one a line: a regular expression for the letters, and the symbols, if any.

    The first that matches where a word is read goes. Nasal vowels are taken apart, as Kokoro
    reads them.
    """
    found = []
    for line in table.strip().splitlines():
        pattern, _, symbols = line.strip().partition(" ")
        said = unicodedata.normalize("NFD", symbols.strip())
        found.append(Rule(re.compile(pattern), said))
    return tuple(found)


def apply_rules(word: str, table: Sequence[Rule], vowels: str, stressed: int | None) -> str:
    """Turn a word into symbols by rules.

    Args:
        word: In small letters; a letter that no rule knows is silent.
        table: The rules.
        vowels: The symbols that can carry stress.
        stressed: Where the letter of the stressed vowel is, or None.
    """
    symbols = ""
    position = 0
    while position < len(word):
        for rule in table:
            match = rule.letters.match(word, position)
            if match and match.end() > position:
                said = rule.symbols
                if stressed is not None and position <= stressed < match.end():
                    said = mark_vowel(said, vowels)
                symbols += said
                position = match.end()
                break
        else:
            position += 1
    return symbols


def mark_vowel(symbols: str, vowels: str) -> str:
    """Put the mark of primary stress before the first vowel."""
    for index, symbol in enumerate(symbols):
        if symbol in vowels:
            return f"{symbols[:index]}ˈ{symbols[index:]}"
    return symbols
