"""Written text to spoken text, as version 2.0 reads it: numbers, dates and marks.

Numbers and dates of Chinese and English are left to WeTextProcessing. What it would spoil is hidden
from it behind stand-ins: pronunciations ``<word|reading>``, terms with hyphens, pinyin with a tone
digit, and foreign names with a dot.

Conventions: one language is chosen for a whole text. The marks that are left are ``, . ! ? … ' -``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_lowercase

from pynini import Fst
from pywrapfst import FstOpError
from tn.chinese.normalizer import Normalizer as ChineseNormalizer
from tn.english.normalizer import Normalizer as EnglishNormalizer

CJK = "\u4e00-\u9fff"
"""Chinese characters, for a character class."""

_INITIAL = "[zcs]h|[bpmfdtnlgkhjqxrzcsyw]"
_FINAL = (
    "iang|iong|uang|ueng|iao|ian|uai|uan|üan|van|ang|eng|ing|ong|"
    "ai|ei|ui|ao|ou|iu|ie|üe|ve|ue|er|an|en|in|un|ün|vn|ia|ua|uo|ng|[aeiouüv]"
)
PINYIN = re.compile(rf"(?<![a-z])(?:{_INITIAL})?(?:{_FINAL})[1-5]", re.IGNORECASE)
"""A syllable with its tone digit, not behind another letter."""

ANNOTATION = re.compile(r"<([^<>|]+)\|([^<>|]+)>")
"""A word and its pronunciation, ``<word|reading>``."""

_EMAIL = re.compile(r"[A-Za-z0-9]+@[A-Za-z0-9]+\.[A-Za-z0-9]+")
_CONTRACTION = re.compile(
    r"(what|where|who|which|how|there|here|it|she|he|that|this)'s", re.IGNORECASE
)
_TERM = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+")
_NAME = re.compile(rf"[{CJK}]+(?:[-·—][{CJK}]+){{1,2}}")
_SOFT_U = re.compile(r"^([jqx])[uü]", re.IGNORECASE)
_HYPHEN = "<H>"
_ELLIPSIS = re.compile(r"\.\.\.|……|,,,|，，，")
_MARKS = {
    ",": "，、；;：:",
    ".": "。",
    "!": "！",
    "?": "？",
    "'": '“”"‘’（）()《》【】[]「」',
    "-": "—～~·",
    " ": "\n",
}
_MARK_TABLE = str.maketrans({c: mark for mark, written in _MARKS.items() for c in written})


@dataclass(frozen=True, slots=True)
class Term:
    """How a glossary term is read in either language; None: as it is written."""

    chinese: str | None
    english: str | None


def uses_chinese_rules(text: str) -> bool:
    """Say whether a whole text is read by the Chinese rules.

    It is if it has a Chinese character or pinyin, has no Latin letter, or is a bare e-mail address.
    """
    return bool(
        re.search(f"[{CJK}]", text)
        or not re.search("[A-Za-z]", text)
        or _EMAIL.fullmatch(text)
        or PINYIN.search(text)
    )


def normalise_text(text: str, glossary: Mapping[str, Term] | None = None) -> str:
    """Write a text as it is spoken.

    Args:
        text: One line of any length.
        glossary: Readings of terms, found in any case, the longest first, one after the other.

    Raises:
        ValueError: If the rules for numbers cannot read the text.
    """
    annotations = _StandIns(ANNOTATION, "zqx{}zqx")
    text = annotations.hide(text.rstrip())
    is_chinese = uses_chinese_rules(text)
    text = _CONTRACTION.sub(r"\1 is", text)
    text = _read_terms(text, glossary or {}, is_chinese=is_chinese)
    text = _TERM.sub(lambda match: match[0].replace("-", _HYPHEN), text)
    text = _read_chinese(text) if is_chinese else _read_numbers(_english(), text)
    text = re.sub(rf"\s*{_HYPHEN}\s*", "-", text)
    text = plain_marks(text)
    text = text.replace("$", ".") if is_chinese else text
    return annotations.show(text).strip(" ")


def _read_terms(text: str, glossary: Mapping[str, Term], *, is_chinese: bool) -> str:
    for term in sorted(glossary, key=len, reverse=True):
        reading = glossary[term].chinese if is_chinese else glossary[term].english
        if reading is None:
            continue
        literal = reading.replace("\\", r"\\")
        text = re.sub(re.escape(term), literal, text, flags=re.IGNORECASE)
    return text


def _read_chinese(text: str) -> str:
    names, syllables = _StandIns(_NAME, "<n_{}>"), _StandIns(PINYIN, "<pinyin_{}>")
    text = syllables.hide(names.hide(text))
    text = names.show(_read_numbers(_chinese(), text))
    return syllables.show(text, _write_pinyin)


def _write_pinyin(syllable: str) -> str:
    """Write a syllable as the tokeniser knows it: JV, QV, XV for the soft u, in capitals."""
    if syllable[0].lower() not in "jqx":
        return syllable
    return _SOFT_U.sub(r"\1v", syllable).upper()


def plain_marks(text: str) -> str:
    """Write all marks with the few that the tokeniser knows."""
    return _ELLIPSIS.sub("…", text).translate(_MARK_TABLE)


class _StandIns:
    """Hides what a pattern finds behind words that a normaliser leaves alone.

    Args:
        pattern: What to hide.
        form: The stand-in, with a place for letters that number it.
    """

    def __init__(self, pattern: re.Pattern[str], form: str) -> None:
        self._pattern, self._form = pattern, form
        self._hidden: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """Put stand-ins for all that the pattern finds."""
        return self._pattern.sub(self._stand_in, text)

    def show(self, text: str, write: Callable[[str], str] = str) -> str:
        """Put back what was hidden, written in some way."""
        for stand_in, found in self._hidden.items():
            text = text.replace(stand_in, write(found))
        return text

    def _stand_in(self, match: re.Match[str]) -> str:
        number = len(self._hidden)
        letters = ascii_lowercase[number % 26]
        while number := number // 26:
            letters = ascii_lowercase[number % 26] + letters
        stand_in = self._form.format(letters)
        self._hidden[stand_in] = match[0]
        return stand_in


def _read_numbers(normaliser: ChineseNormalizer | EnglishNormalizer, text: str) -> str:
    try:
        read: str = normaliser.normalize(text)
    except FstOpError as error:
        raise ValueError(f"cannot read the numbers and signs of {text!r}") from error
    return read


@cache
def _chinese() -> ChineseNormalizer:
    return _ChineseReader(remove_interjections=False, remove_erhua=False)


@cache
def _english() -> EnglishNormalizer:
    return _EnglishReader()


class _ChineseReader(ChineseNormalizer):  # type: ignore[misc]
    """The shipped grammar, but with the half that drops interjections and erhua built anew."""

    def build_fst(self, prefix: str, cache_dir: Path, overwrite_cache: bool) -> None:
        self.tagger = Fst.read(str(cache_dir / f"{prefix}_tagger.fst"))
        self.build_verbalizer()


class _EnglishReader(EnglishNormalizer):  # type: ignore[misc]
    """The shipped grammar, without a message about where it is."""

    def build_fst(self, prefix: str, cache_dir: Path, overwrite_cache: bool) -> None:
        self.tagger = Fst.read(str(cache_dir / f"{prefix}_tagger.fst"))
        self.verbalizer = Fst.read(str(cache_dir / f"{prefix}_verbalizer.fst"))
