"""How Italian is pronounced: a dictionary for stress and open vowels, rules for the rest.

Words that the dictionary lacks have the stress on the last vowel but one unless an accent or an
ending says otherwise; their e and o are closed.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import gruut_lang_it

from unitaf.tts.kokoro.lexicon import Lexicon
from unitaf.tts.kokoro.spelling import Vocabulary, apply_rules, mark_vowel, rules

_VOWELS = "aeiouɛɔ"
_UNSTRESSED_TEXT = """
a ad al allo alla ai agli alle che chi ci con da dal dalla dai dalle de' dei del dello della delle
degli di e ed gli i il in la le lo li ma mi ne nel nella nei nelle o per se si su sul sulla ti tra
fra un uno una vi l' un' d' c' s' m' t' v' n' dell' all' nell' sull' dall' quell'
"""
_UNSTRESSED = frozenset(_UNSTRESSED_TEXT.split())
_RULES = rules("""
    sci(?=[aeouàòù]) ʃ
    sc(?=[eiéèìí]) ʃ
    cci(?=[aeouàòù]) ʧː
    ci(?=[aeouàòù]) ʧ
    cc(?=[eiéèìí]) ʧː
    c(?=[eiéèìí]) ʧ
    cch kː
    ch k
    cqu kːw
    qu kw
    ggi(?=[aeouàòù]) ʤː
    gi(?=[aeouàòù]) ʤ
    gg(?=[eiéèìí]) ʤː
    g(?=[eiéèìí]) ʤ
    ggh ɡː
    gh ɡ
    gli(?=[aeouàòù]) ʎ
    gli ʎi
    gn ɲ
    zz ʦː
    ^z ʣ
    z ʦ
    (?<=[aeiouàèéìòù])s(?=[aeiouàèéìòù]) z
    s(?=[bdglmnrv]) z
    ss sː
    bb bː
    c{2} kː
    dd dː
    ff fː
    g{2} ɡː
    ll lː
    mm mː
    nn nː
    pp pː
    rr rː
    tt tː
    vv vː
    [ck] k
    g ɡ
    n(?=[ckgq]) ŋ
    n(?=[pbm]) m
    h
    x ks
    [jy] j
    i(?=[aeouàèéòù]) j
    u(?=[aeioàèéìò]) w
    [aàá] a
    è ɛ
    [eé] e
    [iìí] i
    ò ɔ
    [oó] o
    [uùú] u
    b b
    d d
    f f
    l l
    m m
    n n
    p p
    q k
    r r
    s s
    t t
    v v
    w w
""")
_SPELT = {"t͡ʃ": "ʧ", "d͡ʒ": "ʤ", "t͡s": "ʦ", "d͡z": "ʣ", "ɱ": "m"}
_VOWEL_LETTER = re.compile("[aeiouàèéìíòóùú]")
_EARLY = re.compile(
    "(?:[aei]rono|[aei]ssero|ebbero|issim[oaie]|[ai]bil[ei]|evol[ei]|ologi|ologo|ografo|vano)$"
)
"""Endings of verbs and adjectives with the stress on the last vowel but two."""
_APART = re.compile("(?:^(?:io|[mzd]i[oae]|[ts]u[oae]|vi[ae]|spi[ae])|due)$")
"""Words and endings whose last two vowels are two syllables, the first of them stressed."""
_DOUBLE = re.compile(r"([^\W\d_])\1")
_DOUBLE_AFFRICATE = re.compile("t(?=[ʦʧ])(.)|d(?=[ʣʤ])(.)")


class Italian:
    """Italian, as the standard has it."""

    words = Vocabulary(
        number_tag="it",
        letters="a bi ci di e effe gi acca i ilunga cappa elle emme enne o pi cu erre esse ti u vu"
        " doppiavu ics ipsilon zeta",
        point="virgola",
        signs={"€": "euro", "$": "dollari", "£": "sterline", "%": "per cento", "&": "e"}
        | {"+": "più", "=": "uguale a", "°": "gradi", "@": "chiocciola"},
        abbreviations={"sig": "signor", "sigra": "signora", "dott": "dottor", "ecc": "eccetera"}
        | {"prof": "professor"},
    )

    def pronounce(self, phrase: Sequence[str]) -> list[str]:
        """Return the symbols of every word of a phrase."""
        return [self._word(word) for word in phrase]

    def _word(self, word: str) -> str:
        if word == "c'":
            return "ʧ"
        is_unstressed = word in _UNSTRESSED or word.endswith("'")
        found = None if is_unstressed else self._lexicon.find(word)
        if found is not None:
            symbols = _as_symbols(found)
            if "ˈ" in symbols:
                return symbols
        stressed = None if is_unstressed else stressed_letter(word)
        if stressed is not None and word[stressed] in "iu":
            # Else the rules would take it for the glide before another vowel.
            word = word[:stressed] + {"i": "ì", "u": "ù"}[word[stressed]] + word[stressed + 1 :]
        return apply_rules(word, _RULES, _VOWELS, stressed)

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(Path(str(gruut_lang_it.__file__)).parent)


def _as_symbols(phones: Sequence[str]) -> str:
    """Spell phones as the voices do: the stress on the vowel, double consonants long."""
    symbols = ""
    is_stressed = False
    for index, phone in enumerate(phones):
        plain = phone.strip("ˈˌ")
        is_stressed |= phone.startswith("ˈ")
        said = _SPELT.get(plain, plain)
        if said in "iu" and len(phones) > index + 2 and phones[index + 1] in _VOWELS:
            said = "j" if said == "i" else "w"
        elif is_stressed and said in _VOWELS:
            said, is_stressed = mark_vowel(said, _VOWELS), False
        symbols += said
    return _DOUBLE.sub(r"\1ː", _DOUBLE_AFFRICATE.sub(r"\1\2ː", symbols))


def stressed_letter(word: str) -> int | None:
    """Return which letter the stress is on: the marked one, else by how the word ends."""
    marked = re.search("[àèéìíòóùú]", word)
    if marked:
        return marked.start()
    if _APART.search(word):
        return len(word) - 2
    nuclei: list[int] = []
    for match in _VOWEL_LETTER.finditer(word):
        index = match.start()
        is_weak = word[index] in "iu"
        follows = bool(nuclei) and nuclei[-1] == index - 1
        if is_weak and (_VOWEL_LETTER.match(word, index + 1) or follows):
            continue
        nuclei.append(index)
    if not nuclei:
        return None
    if len(nuclei) > 2 and _EARLY.search(word):
        return nuclei[-3]
    is_last = len(nuclei) == 1 or not _VOWEL_LETTER.match(word[-1])
    return nuclei[-1] if is_last else nuclei[-2]
