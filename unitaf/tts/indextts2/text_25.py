"""The text front of version 2.5, up to its tokeniser.

It has more languages than 2.0, each with a tag in front and a row in a table. Marks are cleaned,
Chinese and English are normalised as in 2.0, annotated pronunciations get a tag of their own, and
Japanese is spaced. Long texts are split at marks, never inside an annotation.

No engine reads with it: 2.5 has no latents for a face to read. Reference texts hold it to 2.5
(`tests/parity`), for when there are.
"""

import re
from collections.abc import Callable, Sequence

from transformers.models.whisper.tokenization_whisper import LANGUAGES

from unitaf.tts.indextts2.normaliser import ANNOTATION, CJK, normalise_text, plain_marks

JapaneseTagger = Callable[[str], Sequence[tuple[str, str]]]
"""Splits Japanese without blanks into words with their readings in katakana (UniDic, say)."""

_NORMALISED = ("zh", "zhen", "en")
_LOWER_CASE = ("ja", "zh", "zhen", "en")
_UPPER_CASE = ("es",)
_MORE_LANGUAGES = {"zhen": 105}
_KANA = re.compile(r"[\u3040-\u30ff]+")
_CHARACTER = re.compile(f"[{CJK}]")
_ATOM = re.compile(r"<\|SPECIAL_TOKEN_(\d)\|>.*?<\|SPECIAL_TOKEN_\1\|>")
_SENTENCE = re.compile(r"[^，。！？、；：,.!?;:\n]*[，。！？、；：,.!?;:\n]?")
_HIRAGANA = {katakana: katakana - 0x60 for katakana in range(0x30A1, 0x30F7)}


def language_index(language: str) -> int:
    """Return the row of a language among the language embeddings: Whisper's order, and one more.

    Raises:
        ValueError: If the language has no row.
    """
    known = {**{tag: row for row, tag in enumerate(LANGUAGES)}, **_MORE_LANGUAGES}
    if language not in known:
        raise ValueError(f"language {language!r} has no embedding; known are {', '.join(known)}")
    return known[language]


def language_prefix(language: str) -> str:
    """Return the tag that stands before every segment."""
    return f"<|{language}|> "


def read_text(text: str, language: str) -> str:
    """Write a text as the tokeniser of 2.5 wants it, but for the spaces of Japanese."""
    text = plain_marks(text)
    if language in _NORMALISED:
        text = normalise_text(text)
    if language in _LOWER_CASE:
        text = text.lower()
    if language in _UPPER_CASE:
        text = text.upper()
    return ANNOTATION.sub(_tagged, text)


def space_japanese(text: str, tagger: JapaneseTagger, *, is_read: bool) -> str:
    """Put spaces between the words of Japanese.

    Args:
        text: As from `read_text`.
        tagger: Knows the words.
        is_read: Write words that have Chinese characters as they are read, in hiragana.
    """
    parts = []
    for part in text.split(" "):
        words = tagger(part) if part else ()
        parts.append(" ".join(_written(*word, is_read=is_read) for word in words))
    return " ".join(parts)


def split_text(text: str, capacity: int, count: Callable[[str], int]) -> list[str]:
    """Split a text into segments of at most so many tokens; an annotation is never cut.

    Args:
        text: As from `read_text`.
        capacity: Tokens that a segment may have beside its prefix.
        count: Counts the tokens of a text.
    """
    segments: list[str] = []
    for part in _parts(text, capacity, count):
        if segments and count(segments[-1]) + count(part) <= capacity:
            segments[-1] += part
        else:
            segments.append(part)
    return segments


def _parts(text: str, capacity: int, count: Callable[[str], int]) -> list[str]:
    parts: list[str] = []
    end = 0
    for atom in [*_ATOM.finditer(text), None]:
        plain = text[end : atom.start() if atom else len(text)]
        for sentence in _SENTENCE.findall(plain):
            whole = count(sentence) <= capacity
            parts += [sentence] if whole else _cut(sentence, capacity, count)
        if atom:
            parts.append(atom[0])
            end = atom.end()
    return [part for part in parts if part]


def _cut(text: str, capacity: int, count: Callable[[str], int]) -> list[str]:
    parts = [""]
    for character in text:
        if count(parts[-1] + character) > capacity:
            parts.append("")
        parts[-1] += character
    return parts


def _tagged(annotation: re.Match[str]) -> str:
    word, reading = annotation.groups()
    if _KANA.fullmatch(reading):
        return f" {reading} "
    tag = f"<|SPECIAL_TOKEN_{2 if _CHARACTER.search(word) else 1}|>"
    return f"{tag}{reading.upper()}{tag}"


def _written(word: str, reading: str, *, is_read: bool) -> str:
    if is_read and _CHARACTER.search(word):
        return reading.translate(_HIRAGANA)
    return word
