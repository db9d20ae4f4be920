"""How Brazilian Portuguese is pronounced: by rules, as its spelling says where the stress is.

What it does not say (open or closed e and o without an accent, the sounds of x) is as in most
words. Symbols are those that the voices learnt, except that final e is /i/, which they say too.
"""

import re
from collections.abc import Sequence

from unitaf.tts.kokoro.spelling import Vocabulary, apply_rules, rules

_VOWELS = "aeiouɐɛɔɪʊAIOWY"
_UNSTRESSED_TEXT = """
a ao aos as com como da das de do dos e em lhe me na nas no nos o os ou para por pra que se sem seu
sua te um uma à às
"""
_UNSTRESSED = frozenset(_UNSTRESSED_TEXT.split())
_EXCEPTIONS = {
    "muito": "mˈuiŋtʊ", "muita": "mˈuiŋtɐ", "muitos": "mˈuiŋtʊs", "muitas": "mˈuiŋtɐs",
    "táxi": "tˈaksi", "fixo": "fˈiksʊ", "sexo": "sˈɛksʊ", "próximo": "pɾˈɔsimʊ",
    "próxima": "pɾˈɔsimɐ", "máximo": "mˈasimʊ", "trouxe": "tɾˈOsi", "ela": "ˈɛlɐ", "elas": "ˈɛlɐs",
    "agora": "aɡˈɔɾɐ", "hora": "ˈɔɾɐ", "horas": "ˈɔɾɐs", "porta": "pˈɔɾtɐ", "nova": "nˈɔvɐ",
    "nossa": "nˈɔsɐ", "nosso": "nˈɔsʊ", "pode": "pˈɔʤi", "morte": "mˈɔɾʧi", "guerra": "ɡˈɛxɐ",
    "terra": "tˈɛxɐ", "perto": "pˈɛɾtʊ", "certo": "sˈɛɾtʊ", "mulher": "muʎˈɛɾ", "quero": "kˈɛɾʊ",
    "era": "ˈɛɾɐ", "resto": "xˈɛstʊ", "festa": "fˈɛstɐ", "velho": "vˈɛʎʊ", "velha": "vˈɛʎɐ",
    "bem": "bˈAŋ", "sob": "sˈob",
}  # fmt: skip
_RULES = rules("""
    ^e$ i
    ^o(?=s?$) ʊ
    ão ɐ̃ʊ̃
    ãe ɐ̃ɪ̃
    õe õɪ̃
    am$ ɐ̃ʊ̃
    [eéê]m$ Aŋ
    [eéê]n(?=s$) Aŋ
    ã ɐ̃
    õ õ
    [aáâ](?=[mn](?:[^haeiouáéíóúâêôãõ]|$)) ɐ̃
    [eéê](?=[mn](?:[^haeiouáéíóúâêôãõmn]|$)) A
    [aáâ]i(?!u) I
    éi ɛɪ
    [eê]i A
    ói Y
    oi oɪ
    [aá]u W
    [oô]u O
    éu ɛʊ
    [eê]u eʊ
    iu iʊ
    [uú]i(?<!qui)(?<!gui) uɪ
    e(?=l$|la$|las$) ɛ
    o(?=l$) ɔ
    a(?=s?$) ɐ
    e(?=s?$) i
    o(?=s?$) ʊ
    á a
    â ɐ
    é ɛ
    ê e
    í i
    ó ɔ
    ô o
    ú u
    à a
    (?:(?<=^cin)|(?<=^fre)|(?<=^tran)|(?<=^se))qu(?=en|ê|il) kw
    (?:(?<=^lin)|(?<=^pin))gu(?=i) ɡw
    qu(?=[eiéíê]) k
    gu(?=[eiéíê]) ɡ
    (?<=[qg])[uü](?=[aeioáéíóâêôãõ]) w
    [ií](?<=[aeouáéóêôâ].)(?=[aeou]) j
    a a
    e e
    i i
    o o
    [uü] u
    lh ʎ
    nh ɲ
    ch ʃ
    ss s
    s?[çc](?<=s.)(?=[eiéíê]) s
    sc(?=[eiéíê]) s
    xc(?=[eiéíê]) s
    (?<=^e)x(?=[aeiouáéíóúâêô]) z
    (?<=^e)x s
    x ʃ
    ç s
    c(?=[eiéíê]) s
    [ckq] k
    g(?=[eiéíê]) ʒ
    g ɡ
    j ʒ
    rr x
    (?:^|(?<=[nls]))r x
    r ɾ
    (?<=[aeiouáéíóúâêôãõ])s(?=[aeiouáéíóúâêôãõ]) z
    s(?=[bdgvzmnlrj]) z
    s s
    z$ s
    z z
    h
    t(?=i|í|es?$) ʧ
    d(?=i|í|es?$) ʤ
    l(?=$|[^aeiouáéíóúâêôãõhl]) ʊ
    ll l
    [mn](?=$|[ckgqj]) ŋ
    m(?=[td]) n
    n(?=[pb]) m
    b b
    d d
    f f
    l l
    m m
    n n
    p p
    t t
    v v
    w w
    y i
""")
_VOWEL_LETTER = re.compile("[aeiouáéíóúâêôãõàü]")
_SILENT_U = re.compile("(?<=[qg])[uü](?=[aeioáéíóâêôãõ])")


class Portuguese:
    """Portuguese of Brazil."""

    words = Vocabulary(
        number_tag="pt_BR",
        letters="a bê cê dê é efe gê agá i jota cá ele eme ene ó pê quê erre esse tê u vê dáblio"
        " xis ípsilon zê",
        point="vírgula",
        signs={"€": "euros", "$": "dólares", "£": "libras", "%": "por cento", "&": "e"}
        | {"+": "mais", "=": "igual a", "°": "graus", "@": "arroba"},
        abbreviations={"sr": "senhor", "sra": "senhora", "srta": "senhorita", "dr": "doutor"}
        | {"dra": "doutora", "etc": "etcétera"},
    )

    def pronounce(self, phrase: Sequence[str]) -> list[str]:
        """Return the symbols of every word of a phrase."""
        return [_word(word) for word in phrase]


def _word(word: str) -> str:
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    stressed = None if word in _UNSTRESSED else stressed_letter(word)
    return apply_rules(word, _RULES, _VOWELS, stressed)


def stressed_letter(word: str) -> int | None:
    """Return which letter the stress is on: the marked one, else by how the word ends."""
    marked = re.search("[áéíóúâêô]", word) or re.search("[ãõ](?=[eo]?s?$)", word)
    if marked:
        return marked.start()
    nuclei: list[int] = []
    silent = {match.start() for match in _SILENT_U.finditer(word)}
    for match in _VOWEL_LETTER.finditer(word):
        index = match.start()
        # The second of a falling diphthong; before another vowel it is a syllable of its own.
        follows = bool(nuclei) and nuclei[-1] == index - 1 and word[index] in "iu"
        if index not in silent and not follows:
            nuclei.append(index)
    if not nuclei:
        return None
    is_last = len(nuclei) == 1 or not re.search("(?:[aeo]s?|am|ens?|em)$", word)
    return nuclei[-1] if is_last else nuclei[-2]
