"""How French is pronounced: a dictionary, liaison between words, a guess for words it lacks.

The short words that dictionaries read as letters or compass points have their sounds here. Stress
is on the last full vowel of a word with a meaning of its own.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import gruut_lang_fr

from unitaf.tts.kokoro.lexicon import Lexicon
from unitaf.tts.kokoro.spelling import Vocabulary

_SHORT = {
    "ne": "nə", "me": "mə", "te": "tə", "se": "sə", "le": "lə", "de": "də", "je": "ʒə", "ce": "sə",
    "que": "kə", "la": "la", "les": "le", "des": "de", "mes": "me", "tes": "te", "ses": "se",
    "ces": "se", "et": "e", "y": "i", "en": "ɑ̃", "un": "œ̃", "est": "ɛ", "es": "ɛ", "a": "a",
    "à": "a", "l'": "l", "d'": "d", "j'": "ʒ", "c'": "s", "s'": "s", "t'": "t", "m'": "m",
    "n'": "n", "qu'": "k", "jusqu'": "ʒysk", "lorsqu'": "lɔʁsk", "puisqu'": "pɥisk",
    "quelqu'": "kɛlk", "presqu'": "pʁɛsk", "ai": "e", "ont": "ɔ̃", "sont": "sɔ̃", "plus": "ply",
    "tous": "tu", "fils": "fis", "ça": "sa", "ô": "o", "monsieur": "məsjø", "œil": "œj",
    "yeux": "jø", "six": "sis", "dix": "dis", "huit": "ɥit", "or": "ɔʁ",
}  # fmt: skip
_UNSTRESSED_TEXT = """
ne me te se le la les de des du mes tes ses ces mon ton son ma ta sa un une et à au aux en y ce que
je tu il elle on nous vous ils elles l' d' j' c' s' t' m' n' qu' qui par pour sur dans si ou mais
est ai a as es très notre votre leur leurs
"""
_UNSTRESSED = frozenset(_UNSTRESSED_TEXT.split())
_LINKS = {
    **dict.fromkeys(("les", "des", "mes", "tes", "ses", "ces", "nos", "vos", "leurs", "aux"), "z"),
    **dict.fromkeys(("nous", "vous", "ils", "elles", "deux", "trois", "très", "dans", "sans"), "z"),
    **dict.fromkeys(("chez", "quelques", "plusieurs", "six", "dix", "autres"), "z"),
    **dict.fromkeys(("un", "mon", "ton", "son", "on", "en", "aucun", "bien", "rien"), "n"),
    **dict.fromkeys(("est", "sont", "ont", "petit", "grand", "quand", "tout", "cet"), "t"),
}
"""The consonant that words end in before a vowel."""
_ASPIRATED = re.compile(
    "(?:h(?:aut|éros|onte|ors|uit|asard|aine|ache|all|alte|anche|ardi|âte|eurt|ibou|ollan|ors|urle)"
    "|oui|onze|ouistiti|yaourt)"
)
"""How words begin that allow no liaison although they begin with a vowel's sound."""
_FULL_VOWELS = "aeiouyøœɛɔɑ"
_STARTS_OPEN = re.compile("[aeiouyøœɛɔɑəɥw]")


class French:
    """French of France."""

    words = Vocabulary(
        number_tag="fr",
        letters="a bé cé dé e effe gé ache i ji ka elle emme enne o pé ku erre esse té u vé"
        " doublevé ixe igrec zède",
        point="virgule",
        signs={"€": "euros", "$": "dollars", "£": "livres", "%": "pour cent", "&": "et"}
        | {"+": "plus", "=": "égale", "°": "degrés", "@": "arobase"},
        abbreviations={"m": "monsieur", "mm": "messieurs", "mme": "madame", "mlle": "mademoiselle"}
        | {"dr": "docteur", "etc": "etcétéra", "st": "saint", "ste": "sainte"},
    )

    def pronounce(self, phrase: Sequence[str]) -> list[str]:
        """Return the symbols of every word of a phrase."""
        said = [self._word(word) for word in phrase]
        for index, (word, following) in enumerate(pairwise(phrase)):
            link = _LINKS.get(word)
            is_open = _STARTS_OPEN.match(said[index + 1].lstrip("ˈ"))
            if link and is_open and not _ASPIRATED.match(following):
                said[index] = _linked(said[index], link)
        return said

    def _word(self, word: str) -> str:
        symbols = _SHORT.get(word)
        if symbols is None:
            phones = self._lexicon.find(word) or self._lexicon.guess(word)
            symbols = "".join(phones)
        return symbols if word in _UNSTRESSED else _stressed(symbols)

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(Path(str(gruut_lang_fr.__file__)).parent)


def _linked(symbols: str, link: str) -> str:
    """Return a word as it is said before a vowel."""
    if link == "z" and symbols.endswith("s"):
        return f"{symbols[:-1]}z"
    return symbols if symbols.endswith(link) else symbols + link


def _stressed(symbols: str) -> str:
    """Put the stress on the last vowel that is not a schwa."""
    for index in range(len(symbols) - 1, -1, -1):
        if symbols[index] in _FULL_VOWELS:
            return f"{symbols[:index]}ˈ{symbols[index:]}"
    return symbols
