"""How dialogue is respelled, so that a reader made for articles reads it as it is meant.

A sentence is brought into the form that is read well: shouted words in small letters, drawn-out
words at their usual length, stutters and grunts as sounds, dashes as dashes, and full stops and
numerals kept apart from words that they would change. The rules are English, and touch only what
would plainly be read wrong.
"""

import re
import unicodedata
from collections.abc import Callable

from hibari.g2p.normalize import ROMAN_CARDINAL, ROMAN_ORDINAL, TITLES

IsKnown = Callable[[str], bool]
"""Says whether a dictionary has a word."""

_SOUNDS = {
    "shh": "ʃʃː",
    "sh": "ʃʃː",
    "psst": "pst",
    "pfft": "pft",
    "brr": "bɹˈɜɹ",
    "grr": "ɡɹˈɜɹ",
    "hrmph": "hˈʌmf",
    "harrumph": "həɹˈʌmf",
    "tsk": "tˈɪsk",
    "eww": "ˈiu",
    "ew": "ˈiu",
    "heh": "hˈɛ",
    "aah": "ˈɑ",
    "aaah": "ˈɑ",
    "argh": "ˈɑɹɡ",
    "aargh": "ˈɑɹɡ",
    "zzz": "zz",
    "'tis": "tˈɪz",
    "'twas": "twˈʌz",
    "'twere": "twˈɜɹ",
    "'twill": "twˈɪl",
    "'twould": "twˈʊd",
    "th'": "ð",
    "i'": "ɪ",
    "o'": "ə",
}
"""Misaki symbols of what is spelled letter by letter or read as a quotation otherwise."""

_STUTTERS = {letter: letter for letter in "bdfhklmnpstvwz"} | {
    "c": "k",
    "g": "ɡ",
    "j": "ʤ",
    "q": "k",
    "r": "ɹ",
    "y": "j",
    "ch": "ʧ",
    "sh": "ʃ",
    "th": "ð",
    "wh": "w",
}

_EMPHASISED_TEXT = """
are at be been but by can could didn't get go got had hands has he her him his live make me might my
near put shall she should sir some than their them these this those through was we went were when
which why will would
"""
_EMPHASISED = frozenset(_EMPHASISED_TEXT.split())
"""Words that are spelled letter by letter in capitals; none is also an abbreviation."""

_CLOSING = r"[\"'”’)\]]*$"
_STOPPED = "Jan|Mar|Sun|Mon|Sat|Gen|Rep|Rev|Hon|ed|est|fig"
"""Names and words that are abbreviations before a full stop, but not at the end of a sentence."""

PRONUNCIATION = re.compile(r"\[([^\]]+)\]\(([^)]*)\)")
"""A word whose sound is given: ``[word](/symbols/)``."""

_RULES = (
    (re.compile(r"([^\w\s])\1{3,}"), r"\1\1\1"),
    (re.compile(r"\b([Nn]o)\.(?!\s?\d)"), r"\1 ."),
    (re.compile(rf"(\d|\b(?:{_STOPPED}))\.(?={_CLOSING})"), r"\1 ."),
    (re.compile(r"(?<=\w)'st\b"), "st"),
)
_DASH = re.compile(r"[ \t]*(?:-{2,}|[—―]|(?<=[^\W\d_])\s*–\s*(?=[^\W\d_]))[ \t]*")
_MODIFIERS = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_READ_SYMBOLS = "°©®™"
_LONG_LETTER = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(r"(?<![\w'])'?[^\W\d_]+(?:'[^\W\d_]*)*")
_STUTTER = re.compile(r"\b(?:([cstw]h|[b-df-hj-np-tvwyz])-)+(?=\1)", re.IGNORECASE)

_BEFORE_NUMERALS = "|".join(sorted({*ROMAN_CARDINAL, *ROMAN_ORDINAL}, key=len, reverse=True))
_BEFORE_PRONOUN = "|".join(
    [word for word in ROMAN_CARDINAL if word.islower()]
    + [name for name in ROMAN_ORDINAL if name not in ("King", "Queen", "Pope")]
)
_NOT_A_NUMERAL = re.compile(
    rf"\b(?:(?:{_BEFORE_NUMERALS})(?= [IVXLC])(?! [IVXLCDM]+\b(?![.'’]\w))"
    rf"|(?<!King )(?<!Queen )(?<!Pope )(?:{_BEFORE_PRONOUN})(?= I (?!of\b)[a-z])) "
)


def clean(text: str) -> str:
    """Return a text with plain apostrophes, free-standing dashes, and nothing that has no sound.

    Control characters, invisible marks and pictures go; line breaks stay.
    """
    plain = _MODIFIERS.sub("", re.sub("[‘’ʼ]", "'", text))
    kept = []
    for character in unicodedata.normalize("NFC", plain):
        category = unicodedata.category(character)
        if character == "\n" or character in _READ_SYMBOLS:
            kept.append(character)
        elif category == "Cc":
            kept.append(" ")
        elif category not in ("Cf", "Cn", "Co", "Cs", "So"):
            kept.append(character)
    return _DASH.sub(" — ", "".join(kept))


def respell(sentence: str, is_known: IsKnown) -> str:
    """Return a sentence as the reader should have it.

    Sounds that no spelling gives are written as ``[word](/symbols/)``, which the reader obeys.

    Args:
        sentence: One sentence of a script; may hold such pronunciations of its own.
        is_known: The reader's dictionary.
    """
    for pattern, replacement in _RULES:
        sentence = pattern.sub(replacement, sentence)
    is_shouted = len(re.findall(r"[^\W\d_]{2,}", sentence)) > 1 and sentence.isupper()
    sentence = _STUTTER.sub(_spell_stutter, sentence)
    respelled = ""
    start = 0
    for given in PRONUNCIATION.finditer(sentence):
        respelled += (
            _respell_words(sentence[start : given.start()], is_shouted, is_known) + given[0]
        )
        start = given.end()
    return respelled + _respell_words(sentence[start:], is_shouted, is_known)


def split_before_names(sentence: str) -> list[str]:
    """Split a sentence where a word after a title would be taken for a Roman numeral.

    "Part II" and "Henry VIII" are numerals; "King Lear" and "the part I like" are not.
    """
    parts = []
    start = 0
    for match in _NOT_A_NUMERAL.finditer(sentence):
        parts.append(sentence[start : match.end()].rstrip())
        start = match.end()
    return [*parts, sentence[start:]]


def _spell_stutter(match: re.Match[str]) -> str:
    starts = match[0].strip("-").split("-")
    return "".join(f"[{start}](/{_STUTTERS[start.lower()]}ə/), " for start in starts)


def _respell_words(text: str, is_shouted: bool, is_known: IsKnown) -> str:
    return _WORD.sub(lambda match: _respell_word(match[0], is_shouted, is_known), text)


def _respell_word(word: str, is_shouted: bool, is_known: IsKnown) -> str:
    lower = word.lower()
    spelling = word if word.endswith("'") else lower  # i' is "in the", but I' is a slip.
    if spelling in _SOUNDS:
        return f"[{word}](/{_SOUNDS[spelling]}/)"
    if is_shouted and word.capitalize() in TITLES:
        return word.capitalize()
    if word.isupper() and (lower in _EMPHASISED or (is_shouted and is_known(lower))):
        return lower
    if _LONG_LETTER.search(word) and not re.fullmatch(r"[IVXLCDM]+|www", word):
        return _shorten(word, is_known)
    return word


def _shorten(word: str, is_known: IsKnown) -> str:
    for replacement in (r"\1\1", r"\1"):
        shorter = _LONG_LETTER.sub(replacement, word.lower())
        if shorter in _SOUNDS:
            return f"[{word}](/{_SOUNDS[shorter]}/)"
        if is_known(shorter):
            return shorter
    return word
