"""How Mandarin is pronounced: words by jieba, pinyin by pypinyin, symbols by two tables.

Symbols and tone marks are those that the voices learnt: the tones as a dictionary has them, as the
voices change them in speech by themselves.
"""

import logging
import re
from functools import cached_property

import cn2an
import jieba
from pypinyin import Style, lazy_pinyin

from unitaf.tts.reading import SpokenWord

_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ",
    "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ",
    "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0",
    "en": "ə0n", "eng": "ə0ŋ", "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ",
    "iao": "jau0", "ie": "je0", "in": "i0n", "ing": "i0ŋ", "iong": "jʊ0ŋ", "iu": "jou0",
    "o": "wo0", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "ua": "wa0", "uai": "wai0", "uan": "wa0n",
    "uang": "wa0ŋ", "ui": "wei0", "un": "wə0n", "uo": "wo0", "ueng": "wə0ŋ", "ü": "y0", "üe": "ɥe0",
    "üan": "ɥɛ0n", "ün": "y0n",
}  # fmt: skip
"""The 0 is where the tone mark goes."""
_WHOLE = {
    "yi": "i", "ya": "ia", "yan": "ian", "yang": "iang", "yao": "iao", "ye": "ie", "yin": "in",
    "ying": "ing", "yong": "iong", "you": "iu", "wa": "ua", "wai": "uai", "wan": "uan",
    "wang": "uang", "wei": "ui", "wen": "un", "weng": "ueng", "wo": "uo", "wu": "u", "yu": "ü",
    "yue": "üe", "yuan": "üan", "yun": "ün", "yo": "iu", "yai": "ia",
}  # fmt: skip
"""Syllables without an initial, by the final that they are."""
_ALONE = {
    "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "xm0", "hng": "xŋ0", "o": "ɔ0", "ê": "ɛ0", "r": "ɚ0"
}  # fmt: skip
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_SYLLABLE = re.compile("(zh|ch|sh|[bpmfdtnlgkhjqxrzcs])?([a-zü]+)([1-5])")
_MARKS = {
    "。": ".", "，": ",", "、": ",", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";",
    "…": "…", "—": "—", "《": "“", "》": "”", "「": "“", "」": "”", "“": "“", "”": "”",
    "（": "(", "）": ")", "!": "!", "?": "?", ",": ",", ".": ".", ":": ":", ";": ";",
}  # fmt: skip
_OPENING = frozenset("“(")


class ChineseReader:
    """Reads Mandarin sentences."""

    def read(self, sentence: str) -> list[SpokenWord]:
        """Return the words of a sentence.

        Raises:
            ValueError: If a number is too long to be said.
        """
        try:
            written_out = cn2an.transform(sentence, "an2cn")
        except ValueError as error:
            raise ValueError(f"cannot read the numbers of {sentence[:40]!r}: {error}") from error
        words: list[SpokenWord] = []
        opening = ""
        for text in self._words.cut(written_out):
            if mark := _MARKS.get(text):
                if mark in _OPENING:
                    opening += mark
                elif words:
                    last = words.pop()
                    words.append(SpokenWord(last.text + text, last.symbols + mark))
            elif symbols := _pronounce(text):
                words.append(SpokenWord(text, opening + symbols))
                opening = ""
        return words

    @cached_property
    def _words(self) -> jieba.Tokenizer:
        # It tells on stderr how it loads.
        jieba.setLogLevel(logging.WARNING)
        return jieba.Tokenizer()


def _pronounce(word: str) -> str:
    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")
    return "".join(_syllable(syllable) for syllable in syllables)


def _syllable(pinyin: str) -> str:
    """Return the symbols of one syllable, such as ``nv3``."""
    spelt = pinyin.replace("v", "ü")
    base, tone = spelt[:-1], _TONES.get(spelt[-1])
    if tone is None:
        base, tone = spelt, ""
    if base in _ALONE:
        return _ALONE[base].replace("0", tone)
    match = _SYLLABLE.fullmatch(f"{_WHOLE.get(base, base)}1")
    if match is None:
        raise ValueError(f"cannot say the syllable {pinyin!r}")
    initial, final = match[1] or "", match[2]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = f"ü{final[1:]}"
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return f"{_INITIALS[initial]}ɨ{tone}"
    if final not in _FINALS:
        raise ValueError(f"cannot say the syllable {pinyin!r}")
    return _INITIALS.get(initial, "") + _FINALS[final].replace("0", tone)
