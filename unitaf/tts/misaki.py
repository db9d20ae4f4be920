"""The misaki phoneme alphabet: which International Phonetic Alphabet label a symbol is.

Kokoro and the voices distilled from it read misaki strings: one character a sound, with capital
letters for diphthongs (``A I O Q W Y``), one character for an affricate, stress marks before the
vowel. English has its own part of it; the other languages share that and add to it. Everything else
in unitaf reads plain labels, one string a phone, so that a face never learns an engine's spelling.
Length marks only say what the times of a phone say better, and are dropped.
"""

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

PHONES = tuple(sorted({*VOWEL_LABELS.values(), *CONSONANT_LABELS.values()}))
"""Every label that an English phone can have; a pause has the empty label."""
