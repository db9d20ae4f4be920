"""The misaki phoneme alphabet: which International Phonetic Alphabet label a symbol is.

Kokoro and the voices distilled from it read misaki strings: one character a sound, with capital
letters for diphthongs (``A I O Q W Y``), one character for an affricate, stress marks before the
vowel. English has its own part of it; the other languages share that and add to it. Everything else
in unitaf reads plain labels, one string a phone, so that a face never learns an engine's spelling.
Length marks only say what the times of a phone say better, and are dropped.
"""

import unicodedata

STRESS_MARKS = {"ˈ": 1, "ˌ": 2}
"""The stress that a mark puts on the next vowel: 1 primary, 2 secondary."""

LENGTH_MARK = "ː"
"""Makes the sound before it longer."""

PAUSE_MARKS = frozenset(";:,.!?—…")
"""Punctuation at which a voice may pause."""

SOFT_MARKS = frozenset('"“”()')
"""Punctuation at which it does not."""

VOWEL_LABELS = {
    "A": "eɪ",  # face
    "I": "aɪ",  # price
    "O": "oʊ",  # goat, American
    "Q": "əʊ",  # goat, British
    "W": "aʊ",  # mouth
    "Y": "ɔɪ",  # choice
    "a": "a",  # trap, British; foreign words
    "i": "i",
    "u": "u",
    "y": "y",  # foreign words
    "æ": "æ",
    "ɐ": "ɐ",  # the unstressed article
    "ɑ": "ɑ",
    "ɒ": "ɒ",  # lot, British
    "ɔ": "ɔ",
    "ə": "ə",
    "ɛ": "ɛ",
    "ɜ": "ɜ",
    "ɪ": "ɪ",
    "ʊ": "ʊ",
    "ʌ": "ʌ",
    "ᵊ": "ə",  # the vowel of a syllabic consonant
    "ᵻ": "ɪ",  # between ɪ and ə, in roses
}
"""The label of every vowel symbol."""

CONSONANT_LABELS = {
    "b": "b",
    "d": "d",
    "f": "f",
    "h": "h",
    "j": "j",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n",
    "p": "p",
    "s": "s",
    "t": "t",
    "v": "v",
    "w": "w",
    "z": "z",
    "ð": "ð",
    "ŋ": "ŋ",
    "ɡ": "ɡ",
    "ɹ": "ɹ",
    "T": "ɾ",  # the tap in water, American
    "ʃ": "ʃ",
    "ʒ": "ʒ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "θ": "θ",
}
"""The label of every consonant symbol."""

OTHER_VOWEL_LABELS = {letter: letter for letter in "eoøœɨɯɤ"} | {"ɚ": "ɚ"}
"""The label of every vowel symbol that English lacks."""

OTHER_CONSONANT_LABELS = {letter: letter for letter in "cqrxβçɕɖɟɣɥɰɲɳɴɸɻɽɾʁʂʈʋʎʔʝχ"} | {
    "ʣ": "dz",
    "ʥ": "dʑ",
    "ʦ": "ts",
    "ʨ": "tɕ",
    "ꭧ": "tʂ",
}
"""The label of every consonant symbol that English lacks."""

MODIFIERS = frozenset("\u0303ʰʲᵝ")
"""Change the sound before them: nasal, aspirated, palatal, with compressed lips."""

TONE_MARKS = frozenset("→↗↓↘")
"""The tones of Chinese, first to fourth, after the syllable's vowel."""

_ALL_LABELS = VOWEL_LABELS | CONSONANT_LABELS | OTHER_VOWEL_LABELS | OTHER_CONSONANT_LABELS
_VOWELS = {*VOWEL_LABELS, *OTHER_VOWEL_LABELS}
_SYMBOLS = (
    {label: symbol for symbol, label in _ALL_LABELS.items()}
    | {symbol: symbol for symbol in _ALL_LABELS}
    | {mark: mark for mark in (*MODIFIERS, *TONE_MARKS, LENGTH_MARK, " ")}
    | {"g": "ɡ", "ɝ": "ɜɹ", "ɫ": "l", ":": LENGTH_MARK, ".": "", "‿": "", "-": ""}
)
"""What is written in IPA, to the symbols that a voice reads."""
_SPELLINGS = str.maketrans({"'": "ˈ", "\u0361": "", "\u035c": ""})
"""A stress mark as it is typed, and ties, which only say that letters are one sound."""
_LONGEST = max(map(len, _SYMBOLS))
_ENGLISH = str.maketrans({"r": "ɹ", "e": "ɛ", "o": "ɔ", "ɚ": "əɹ", "ɾ": "T", "x": "k"})
"""What English voices have in the place of sounds that they lack."""


def symbols_of_ipa(ipa: str) -> str:
    """Return the misaki symbols of sounds written in the International Phonetic Alphabet.

    Stress marks, which stand before the syllable in IPA, go before its vowel. Misaki symbols that
    are no IPA, such as ``A``, stay as they are.

    Raises:
        ValueError: If something in it is no sound that a voice knows.
    """
    text = unicodedata.normalize("NFD", ipa).translate(_SPELLINGS).replace("c\u0327", "ç")
    symbols = stress = ""
    place = 0
    while place < len(text):
        if text[place] in STRESS_MARKS:
            stress = text[place]
            place += 1
            continue
        size = next((n for n in range(_LONGEST, 0, -1) if text[place : place + n] in _SYMBOLS), 0)
        if size == 0:
            raise ValueError(f"{text[place]!r} in /{ipa}/ is no sound that a voice knows")
        found = _SYMBOLS[text[place : place + size]]
        if found[:1] in _VOWELS:
            found, stress = stress + found, ""
        symbols += found
        place += size
    if not symbols.strip():
        raise ValueError(f"there is no sound in /{ipa}/")
    return symbols


def english_symbols(ipa: str) -> str:
    """Return the misaki symbols of IPA as English voices know them.

    Raises:
        ValueError: As `symbols_of_ipa`.
    """
    return symbols_of_ipa(ipa).translate(_ENGLISH)


PHONES = tuple(sorted({*VOWEL_LABELS.values(), *CONSONANT_LABELS.values()}))
"""Every label that an English phone can have; a pause has the empty label."""
