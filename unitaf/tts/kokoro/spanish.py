"""How Spanish is pronounced: by rules alone, as its spelling says nearly everything.

Castilian, with /θ/, for ``es`` and ``es-ES``; elsewhere /s/, and /ʝ/ for ll. Symbols are those that
the voices learnt: approximants for b, d and g between vowels.
"""

import re
from collections.abc import Sequence

from unitaf.tts.kokoro.spelling import Vocabulary, apply_rules, rules

_VOWELS = "aeiouAIOWY"
_UNSTRESSED_TEXT = """
a al con de del el en la las le les lo los me mi mis nos o os para pero por porque que se si sin su
sus te tu tus un una unos unas y e u
"""
_UNSTRESSED = frozenset(_UNSTRESSED_TEXT.split())
_RULES = rules("""
    y$(?<=^y) i
    (?<=mé)x(?=ico)|(?<=me)x(?=ican)|(?<=te)x(?=as$) x
    [aá][iy](?![aeouáéíóú]) I
    [eé][iy](?![aeouáéíóú]) A
    [oó][iy](?![aeouáéíóú]) Y
    [aá]u W
    [oó]u O
    [eé]u eʊ
    uy$ uj
    hu(?=[eaoi]) w
    ^hi(?=e) j
    [iy](?<![aeouáéíóú]y)(?<!^y)(?=[aeouáéóú]) j
    [uü](?=[aeiáéíoó]) w
    [aá] a
    [eé] e
    [ií] i
    [oó] o
    [uúü] u
    y(?=[aeiouáéíóú]) ʝ
    y i
    ch ʧ
    ll ʎ
    rr r
    (?:^|(?<=[nls]))r r
    r ɾ
    qu(?=[eiéí]) k
    gu(?=[eiéí])(?<=^gu) ɡ
    (?<=n)gu(?=[eiéí]) ɡ
    gu(?=[eiéí]) ɣ
    g(?=[eiéí]) x
    j x
    c(?=[eiéí]) θ
    z θ
    [ckq] k
    ñ ɲ
    h
    [bv](?:(?<=^.)|(?<=[mn].)) b
    [bv] β
    d(?:(?<=^.)|(?<=[nl].)) d
    d ð
    g(?:(?<=^.)|(?<=n.)) ɡ
    g ɣ
    ^x s
    x ks
    n(?=[bvpm]) m
    n(?=[ckgqj]) ŋ
    k k
    l l
    m m
    n n
    p p
    s s
    t t
    f f
    w w
    ç s
""")
_VOWEL_LETTER = re.compile("[aeiouáéíóúü]")
_SILENT_U = re.compile("(?<=q)u|(?<=g)u(?=[eiéí])")


class Spanish:
    """Spanish of Spain, or of America.

    Args:
        is_american: Whether z and c are /s/.
    """

    words = Vocabulary(
        number_tag="es",
        letters="a be ce de e efe ge hache i jota ca ele eme ene o pe cu erre ese te u uve"
        " uvedoble equis igriega zeta",
        point="coma",
        signs={"€": "euros", "$": "dólares", "£": "libras", "%": "por ciento", "&": "y"}
        | {"+": "más", "=": "igual a", "°": "grados", "@": "arroba"},
        abbreviations={"sr": "señor", "sra": "señora", "srta": "señorita", "dr": "doctor"}
        | {"dra": "doctora", "ud": "usted", "uds": "ustedes", "etc": "etcétera"},
    )

    def __init__(self, is_american: bool) -> None:
        self._is_american = is_american

    def pronounce(self, phrase: Sequence[str]) -> list[str]:
        """Return the symbols of every word of a phrase."""
        return [self._word(word) for word in phrase]

    def _word(self, word: str) -> str:
        stressed = None if word in _UNSTRESSED else stressed_letter(word)
        symbols = apply_rules(word, _RULES, _VOWELS, stressed)
        return symbols.replace("θ", "s").replace("ʎ", "ʝ") if self._is_american else symbols


def stressed_letter(word: str) -> int | None:
    """Return which letter the stress is on: the marked one, else by how the word ends."""
    marked = re.search("[áéíóú]", word)
    if marked:
        return marked.start()
    nuclei: list[int] = []
    silent = {match.start() for match in _SILENT_U.finditer(word)}
    for match in _VOWEL_LETTER.finditer(word):
        index = match.start()
        is_weak = word[index] in "iuü"
        follows = bool(nuclei) and nuclei[-1] == index - 1
        if index in silent or (is_weak and (_VOWEL_LETTER.match(word, index + 1) or follows)):
            continue
        nuclei.append(index)
    if not nuclei:
        return None
    is_last = len(nuclei) == 1 or word[-1] not in "aeiouns"
    return nuclei[-1] if is_last else nuclei[-2]
