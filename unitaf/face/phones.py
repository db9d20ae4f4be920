"""The sounds of any language as mouth postures: the table from IPA letters to articulatory targets.

A phone label is a string of IPA letters. Ties, length, tone, syllabicity and most other marks do
not show on a face and are dropped; labialisation, palatalisation and rhoticity do, and bend the
posture. A label of several letters (a diphthong, an affricate) is the sequence of its letters.
Vowels are placed by height, backness and rounding, so every vowel of the IPA chart has a posture;
consonants by place and manner, in the classes of `CONSONANTS`.

Conventions: weights 0 to 1 on the scale of ARKit channels at a normal loudness. A dominance says
how firmly a sound holds the jaw or the lips against its neighbours (Cohen and Massaro 1993): the
tongue makes /t/ or /k/ whatever the lips do, so these have almost none on the lips. This module
knows nothing about time or loudness.
"""

import unicodedata
from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Posture:
    """Where the mouth goes for one sound."""

    jaw: float
    """How far the jaw is lowered."""
    lower_lip: float = 0.0
    """How far the lower lip is drawn down from the teeth."""
    upper_lip: float = 0.0
    spread: float = 0.0
    """How far the corners are drawn back."""
    pucker: float = 0.0
    """Rounding to a small opening, as in /u/."""
    funnel: float = 0.0
    """Protrusion that leaves the lips apart, as in /ʃ/."""
    tongue: float = 0.0
    """How far the tip shows between the teeth."""
    forward: float = 0.0
    """How far the jaw is thrust forward."""
    jaw_dominance: float = 1.0
    lip_dominance: float = 1.0
    close: float = 0.0
    """1 if the lips must meet."""
    bite: float = 0.0
    """1 if the lower lip must touch the upper teeth."""
    _: KW_ONLY
    is_vowel: bool = False
    viseme: str = "vowel"
    """The class: a key of `CONSONANTS`, ``vowel`` or ``rest``."""


REST = Posture(jaw=0.02, jaw_dominance=0.9, lip_dominance=0.6, viseme="rest")
"""The mouth of a pause: closed lips over a relaxed jaw."""

_CONSONANT_TABLE = (
    # class, letters, then the fields of `Posture` from jaw to bite
    ("bilabial", "pbmɓʘƥ", .04, .02, 0., 0., 0., 0., 0., 0., 1., .2, 1., 0.),
    ("bilabial_fricative", "ɸβʙ", .05, .04, .02, 0., .15, .08, 0., 0., .8, .5, 0., 0.),
    ("labiodental", "fvɱⱱ", .06, .02, .09, .05, 0., 0., 0., 0., 1., .3, 0., 1.),
    ("labiodental_glide", "ʋ", .09, .05, .05, 0., 0., 0., 0., 0., .7, .4, 0., .5),
    ("dental", "θð", .11, .15, .07, .08, 0., 0., .30, 0., .9, .3, 0., 0.),
    ("alveolar", "tdnlrɾɗɬɮɫɺǀǁǃ", .10, .14, .06, .06, 0., 0., 0., 0., .7, .2, 0., 0.),
    ("retroflex", "ʈɖɳɭɽᶑ", .13, .12, .05, 0., 0., 0., 0., 0., .5, .2, 0., 0.),
    ("sibilant", "sz", .05, .18, .09, .18, 0., 0., 0., .10, 1.9, .7, 0., 0.),
    ("postalveolar", "ʃʒɧ", .06, .16, .13, 0., .28, .42, 0., .10, 1.7, 2., 0., 0.),
    ("alveolopalatal", "ɕʑ", .05, .16, .09, .10, .10, .16, 0., .08, 1.7, .6, 0., 0.),
    ("retroflex_sibilant", "ʂʐ", .06, .15, .10, 0., .20, .30, 0., .10, 1.7, .9, 0., 0.),
    ("rhotic", "ɹɻ", .10, .10, .06, 0., .32, .26, 0., 0., .7, 1.2, 0., 0.),
    ("palatal", "jcɟɲʎçʝʄǂ", .08, .16, .07, .28, 0., 0., 0., 0., .6, .4, 0., 0.),
    ("velar", "kgɡŋxɣɰɠʟ", .15, .13, .05, .04, 0., 0., 0., 0., .35, .16, 0., 0.),
    ("uvular", "qɢɴχʁʀʛħʕʜʢʡ", .18, .12, .05, 0., 0., 0., 0., 0., .3, .16, 0., 0.),
    ("glottal", "hɦʔ", .18, .12, .05, 0., 0., 0., 0., 0., .12, .12, 0., 0.),
    ("labial_glide", "wʍ", .06, .04, .02, 0., .74, .26, 0., 0., 1., 2., 0., 0.),
    ("palatal_glide", "ɥ", .06, .05, .03, 0., .64, .20, 0., 0., 1., 1.8, 0., 0.),
)  # fmt: skip

CONSONANTS: dict[str, tuple[str, Posture]] = {
    name: (letters, Posture(*places, viseme=name)) for name, letters, *places in _CONSONANT_TABLE
}
"""The letters and the posture of each class of consonants."""

_VOWELS = {
    # letters: height (0 close, 1 open), backness, rounding
    "i": (0.0, 0.0, 0.0),
    "ɪ": (0.17, 0.15, 0.0),
    "e": (0.33, 0.0, 0.0),
    "ɛ": (0.67, 0.0, 0.0),
    "æ": (0.83, 0.1, 0.0),
    "a": (1.0, 0.3, 0.0),
    "y": (0.0, 0.0, 1.0),
    "ʏ": (0.17, 0.15, 0.9),
    "ø": (0.33, 0.0, 1.0),
    "œ": (0.67, 0.0, 0.8),
    "ɶ": (1.0, 0.0, 0.6),
    "ɨ": (0.0, 0.5, 0.0),
    "ʉ": (0.0, 0.5, 1.0),
    "ɘ": (0.33, 0.5, 0.0),
    "ɵ": (0.33, 0.5, 0.9),
    "ə": (0.42, 0.5, 0.0),
    "ɜ": (0.55, 0.5, 0.0),
    "ɞ": (0.6, 0.5, 0.7),
    "ɐ": (0.7, 0.5, 0.0),
    "ɯ": (0.0, 1.0, 0.15),
    "u": (0.0, 1.0, 1.0),
    "ʊ": (0.17, 0.85, 0.8),
    "ɤ": (0.33, 1.0, 0.0),
    "o": (0.33, 1.0, 1.0),
    "ʌ": (0.67, 0.8, 0.0),
    "ɔ": (0.67, 1.0, 0.8),
    "ɑ": (1.0, 1.0, 0.0),
    "ɒ": (1.0, 1.0, 0.6),
    "ɿ": (0.05, 0.2, 0.0),  # the apical vowels of Chinese
    "ʅ": (0.05, 0.5, 0.1),
    "ʮ": (0.05, 0.2, 0.9),
    "ʯ": (0.05, 0.5, 0.9),
}
_REDUCED = frozenset("əɐɘɨ")
_SPELLINGS = {
    "ʣ": "dz", "ʤ": "dʒ", "ʥ": "dʑ", "ꭦ": "dʐ", "ʦ": "ts", "ʧ": "tʃ", "ʨ": "tɕ", "ꭧ": "tʂ",
    "ᵻ": "ɪ", "ᵿ": "ʊ", "ᵊ": "ə", "ɚ": "ə˞", "ɝ": "ɜ˞", "ι": "ɪ", "ɷ": "ʊ", "ꞵ": "β", "ꭓ": "χ",
    "ᴀ": "a", "ᴇ": "ɛ", "ȵ": "ɲ", "ȶ": "c", "ȡ": "ɟ",
}  # fmt: skip
"""Letters that stand for others: ligatures, raised vowels, and letters outside today's chart."""


def postures(label: str) -> tuple[Posture, ...]:
    """Return the postures that a phone goes through, one a letter.

    A letter that is not in the IPA is read as the letter under its marks (``ã`` as ``a``); one
    without such a letter is dropped if another letter of the label is known.

    Raises:
        ValueError: If no letter of the label is a sound: a wrong alphabet must not pass as a guess.
    """
    if not label:
        return (REST,)
    return _postures(label)


@lru_cache(maxsize=4096)
def _postures(label: str) -> tuple[Posture, ...]:
    found: list[Posture] = []
    for symbol in _symbols(label):
        if symbol in _LETTERS:
            found.append(_LETTERS[symbol])
        elif found and symbol in _MODIFIERS:
            found[-1] = _MODIFIERS[symbol](found[-1])
    if not found:
        raise ValueError(f"phone {label!r} has no letter of the International Phonetic Alphabet")
    return tuple(found)


def _symbols(label: str) -> str:
    """Spell a label with the letters and modifiers of the tables, as far as they reach."""
    symbols = []
    for symbol in unicodedata.normalize("NFC", label):
        spelt = _SPELLINGS.get(symbol, symbol)
        if not all(s in _LETTERS or s in _MODIFIERS for s in spelt):
            base = unicodedata.normalize("NFD", symbol)[0]
            spelt = _SPELLINGS.get(base, base)
        symbols.append(spelt)
    return "".join(symbols)


def _vowel(letter: str, height: float, back: float, rounding: float) -> Posture:
    """Place a vowel: an open one lowers the jaw, a front one spreads, a close round one puckers."""
    flat = 1.0 - rounding
    reduced = letter in _REDUCED
    return Posture(
        jaw=0.07 + 0.33 * height,
        lower_lip=(0.15 + 0.08 * height) * (1.0 - 0.6 * rounding),
        upper_lip=(0.07 + 0.03 * height) * (1.0 - 0.6 * rounding),
        spread=0.50 * (1.0 - back) * flat * (1.0 - 0.55 * height),
        pucker=0.66 * rounding * (1.0 - 0.7 * height),
        funnel=rounding * (0.20 + 0.34 * height),
        jaw_dominance=0.55 if reduced else 1.0,
        lip_dominance=0.45 if reduced else 1.0,
        is_vowel=True,
    )


def _labialised(posture: Posture) -> Posture:
    return replace(
        posture,
        pucker=max(posture.pucker, 0.50),
        funnel=max(posture.funnel, 0.22),
        spread=0.0,
        lip_dominance=max(posture.lip_dominance, 1.0),
    )


def _compressed(posture: Posture) -> Posture:
    return replace(posture, pucker=max(posture.pucker, 0.20), spread=0.5 * posture.spread)


def _palatalised(posture: Posture) -> Posture:
    return replace(
        posture,
        spread=posture.spread + 0.14 * (1.0 - posture.pucker),
        lip_dominance=max(posture.lip_dominance, 0.35),
    )


def _rhotacised(posture: Posture) -> Posture:
    return replace(
        posture,
        pucker=max(posture.pucker, 0.22),
        funnel=max(posture.funnel, 0.18),
        spread=0.5 * posture.spread,
        jaw_dominance=max(posture.jaw_dominance, 0.8),
        lip_dominance=max(posture.lip_dominance, 0.8),
    )


_MODIFIERS = {
    "ʷ": _labialised,
    "ᵝ": _compressed,
    "ʲ": _palatalised,
    "˞": _rhotacised,
    "ʴ": _rhotacised,
}
_LETTERS = {letter: posture for letters, posture in CONSONANTS.values() for letter in letters} | {
    letter: _vowel(letter, *place) for letter, place in _VOWELS.items()
}
