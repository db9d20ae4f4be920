"""How a line of any of Kokoro's languages becomes spoken words, foreign scripts in it too.

A line is cut where its script changes. Latin letters in a Japanese line are read by the Japanese
dictionary, which knows foreign words; in a Chinese line as English. Kana in another language's line
are Japanese, Chinese characters too if the line has kana, else Chinese. Digits and marks go with
what they stand beside.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby

from unitaf.tts.kokoro.alphabet import SYMBOL_IDS
from unitaf.tts.kokoro.chinese import ChineseReader
from unitaf.tts.kokoro.french import French
from unitaf.tts.kokoro.italian import Italian
from unitaf.tts.kokoro.japanese import JapaneseReader
from unitaf.tts.kokoro.portuguese import Portuguese
from unitaf.tts.kokoro.spanish import Spanish
from unitaf.tts.kokoro.spelling import Language, SpellingReader
from unitaf.tts.misaki import (
    CONSONANT_LABELS,
    OTHER_CONSONANT_LABELS,
    OTHER_VOWEL_LABELS,
    PAUSE_MARKS,
    SOFT_MARKS,
    VOWEL_LABELS,
    english_symbols,
    symbols_of_ipa,
)
from unitaf.tts.reading import EnglishReader, SpokenWord
from unitaf.tts.respelling import PRONUNCIATION, clean
from unitaf.tts.sentences import split_sentences

LANGUAGES = ("en", "es", "fr", "it", "ja", "pt", "zh")
"""Primary subtags of the languages that can be read."""

Read = Callable[[str], list[SpokenWord]]

_KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇]")
_ASIAN_END = re.compile("(?<=[。！？!?…])(?![。！？!?…」』”’）)])|(?<=[。！？!?…][」』”’）)])")
_MARK = re.compile(rf"{PRONUNCIATION.pattern}(?P<ends>[^\w\s\[]*)")
"""A word whose sounds are given in IPA, with the marks after it."""
_LETTERS = {*VOWEL_LABELS, *CONSONANT_LABELS, *OTHER_VOWEL_LABELS, *OTHER_CONSONANT_LABELS}
_NEUTRAL = ""


class LineReader:
    """Reads lines; each language's dictionary is loaded when it is first needed."""

    def __init__(self) -> None:
        self._readers: dict[str, Read] = {}
        self._titles: dict[str, frozenset[str]] = {}

    def read(self, text: str, language: str) -> list[list[SpokenWord]]:
        """Return the words of every sentence that has a sound, in order.

        Args:
            text: What a line says.
            language: A BCP 47 tag whose primary subtag is one of `LANGUAGES`.

        Raises:
            ValueError: If the text cannot be said, with the reason.
        """
        text = clean(text)
        sentences = []
        for sentence in self._split(text, language):
            words = list(self._words(sentence, language, has_kana=bool(_KANA.search(text))))
            if any(_is_sounded(word) for word in words):
                sentences.append([_checked(word) for word in words if word.symbols])
        if not sentences:
            raise ValueError("there is nothing to say: no letter and no digit")
        return sentences

    def _words(self, sentence: str, language: str, *, has_kana: bool) -> Iterator[SpokenWord]:
        symbols_of = english_symbols if _primary(language) == "en" else symbols_of_ipa
        start = 0
        for mark in _MARK.finditer(sentence):
            yield from self._read_runs(sentence[start : mark.start()], language, has_kana)
            ends = "".join(c for c in mark["ends"] if c in PAUSE_MARKS | SOFT_MARKS)
            yield SpokenWord(mark[1] + mark["ends"], symbols_of(mark[2].strip("/")) + ends)
            start = mark.end()
        yield from self._read_runs(sentence[start:], language, has_kana)

    def _read_runs(self, text: str, language: str, has_kana: bool) -> Iterator[SpokenWord]:
        for reader, run in _runs(text, language, has_kana):
            yield from self._reader(reader)(run)

    def _split(self, text: str, language: str) -> Iterator[str]:
        if _primary(language) in ("ja", "zh"):
            for line in text.splitlines():
                yield from _ASIAN_END.split(line)
            return
        titles: frozenset[str] = frozenset()
        if _primary(language) != "en":
            titles = frozenset(map(str.capitalize, _rules(language).words.abbreviations))
        yield from split_sentences(text, titles)

    def _reader(self, language: str) -> Read:
        if language not in self._readers:
            self._readers[language] = _make_reader(language)
        return self._readers[language]


def _primary(language: str) -> str:
    return language.split("-")[0].lower()


def _runs(sentence: str, language: str, has_kana: bool) -> Iterator[tuple[str, str]]:
    """Cut a sentence where another language begins; yield the tag that reads a run, and the run.

    Raises:
        ValueError: If it has letters that are read by none.
    """
    tags = [_tag(character, language, has_kana) for character in sentence]
    current = next((tag for tag in tags if tag), _NEUTRAL)
    if not current and any(map(str.isdigit, sentence)):
        current = language
    for index, tag in enumerate(tags):
        current = tags[index] = tag or current
    position = 0
    for tag, group in groupby(tags):
        length = len(list(group))
        if tag:
            yield tag, sentence[position : position + length]
        position += length


def _tag(character: str, language: str, has_kana: bool) -> str:
    """Return the language that reads a character; empty for digits and marks."""
    primary = _primary(language)
    if _KANA.match(character):
        return "ja"
    if _HAN.match(character):
        return "ja" if primary == "ja" or (has_kana and primary != "zh") else "zh"
    if not character.isalpha() or character in "ªºµ":
        return _NEUTRAL
    name = unicodedata.name(character, "")
    if "LATIN" not in name:
        script = name.split(" ")[0].capitalize() or "unknown"
        raise ValueError(f"cannot read {character!r}: no front end reads {script} letters")
    return "en" if primary == "zh" else language


def _make_reader(language: str) -> Read:
    match _primary(language):
        case "en":
            english = EnglishReader(is_british=language.lower() == "en-gb")
            return lambda run: [word for words in english.read(run) for word in words]
        case "ja":
            return JapaneseReader(_make_reader("en")).read
        case "zh":
            return ChineseReader().read
        case _:
            return SpellingReader(_rules(language)).read


def _rules(language: str) -> Language:
    match _primary(language):
        case "es":
            return Spanish(is_american=language.lower() not in ("es", "es-es"))
        case "fr":
            return French()
        case "it":
            return Italian()
        case "pt":
            return Portuguese()
        case _:
            raise ValueError(f"there is no front end for {language!r}")


def _is_sounded(word: SpokenWord) -> bool:
    return any(symbol in _LETTERS for symbol in word.symbols)


def _checked(word: SpokenWord) -> SpokenWord:
    for symbol in word.symbols:
        if symbol not in SYMBOL_IDS:
            raise ValueError(f"no voice knows the sound {symbol!r} given for {word.text[:40]!r}")
    return word
