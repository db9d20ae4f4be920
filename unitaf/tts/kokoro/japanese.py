"""How Japanese is pronounced: readings by Open JTalk, kana to symbols by a table.

The dictionary reads kanji, numbers and most foreign words; words in Latin letters that it could
only spell out are left to another reader. Symbols are those
that the voices learnt; /w/ is written β there. Pitch accent is not given to the voices.
"""

import unicodedata
from collections.abc import Callable

import pyopenjtalk

from unitaf.tts.reading import SpokenWord

_TABLE_TEXT = """
ア a イ i ウ ɯ エ e オ o ァ a ィ i ゥ ɯ ェ e ォ o ヴ vɯ ワ βa ヰ i ヱ e ヲ o ヮ βa
カ ka キ kʲi ク kɯ ケ ke コ ko ガ ɡa ギ ɡʲi グ ɡɯ ゲ ɡe ゴ ɡo
サ sa シ ɕi ス sɨ セ se ソ so ザ ʣa ジ ʥi ズ zɨ ゼ ʣe ゾ ʣo
タ ta チ ʨi ツ ʦɨ テ te ト to ダ da ヂ ʥi ヅ zɨ デ de ド do
ナ na ニ ɲi ヌ nɯ ネ ne ノ no ハ ha ヒ çi フ ɸɯ ヘ he ホ ho
バ ba ビ bʲi ブ bɯ ベ be ボ bo パ pa ピ pʲi プ pɯ ペ pe ポ po
マ ma ミ mʲi ム mɯ メ me モ mo ヤ ja ユ jɯ ヨ jo ャ ja ュ jɯ ョ jo
ラ ɾa リ ɾʲi ル ɾɯ レ ɾe ロ ɾo ー ː ッ ʔ
キャ kʲa キュ kʲɨ キョ kʲo キェ kʲe ギャ ɡʲa ギュ ɡʲɨ ギョ ɡʲo
シャ ɕa シュ ɕɨ ショ ɕo シェ ɕe ジャ ʥa ジュ ʥɨ ジョ ʥo ジェ ʥe
チャ ʨa チュ ʨɨ チョ ʨo チェ ʨe ヂャ ʥa ヂュ ʥɨ ヂョ ʥo
ニャ ɲa ニュ ɲɨ ニョ ɲo ヒャ ça ヒュ çɨ ヒョ ço ビャ bʲa ビュ bʲɨ ビョ bʲo
ピャ pʲa ピュ pʲɨ ピョ pʲo ミャ mʲa ミュ mʲɨ ミョ mʲo リャ ɾʲa リュ ɾʲɨ リョ ɾʲo
ファ ɸa フィ ɸʲi フェ ɸe フォ ɸo フュ ɸʲɨ ヴァ va ヴィ vʲi ヴェ ve ヴォ vo
ウィ βi ウェ βe ウォ βo イェ je クァ kᵝa クィ kᵝi クェ kᵝe クォ kᵝo グァ ɡᵝa
ティ tʲi トゥ tɯ テュ tʲɨ ディ dʲi ドゥ dɯ デュ dʲɨ ツァ ʦa ツィ ʦʲi ツェ ʦe ツォ ʦo
スィ sʲi ズィ zʲi
"""
_TABLE = _TABLE_TEXT.split()
_KANA = dict(zip(_TABLE[::2], _TABLE[1::2], strict=True))
_NASALS = (("mpb", "m"), ("kɡ", "ŋ"), ("ɲʨʥ", "ɲ"), ("ntdɾzʦʣ", "n"))
"""What ン is before the symbols of what follows; else ɴ."""
_MARKS = {
    "。": ".", "、": ",", "，": ",", "．": ".", "！": "!", "？": "?", "…": "…", "‥": "…", "：": ":",
    "；": ";", "「": "“", "」": "”", "『": "“", "』": "”", "（": "(", "）": ")", "—": "—", "―": "—",
    "～": "—", "〜": "—", "!": "!", "?": "?", ",": ",", ".": ".", "“": "“", "”": "”",
}  # fmt: skip
_OPENING = frozenset("“(")
_LETTERS_TEXT = """
エー ビー シー ディー イー エフ ジー エイチ アイ ジェー ケー エル エム
エヌ オー ピー キュー アール エス ティー ユー ブイ ダブリュー エックス ワイ ゼット
"""
_LETTER_NAMES = dict(zip("abcdefghijklmnopqrstuvwxyz", _LETTERS_TEXT.split(), strict=True))
"""How the dictionary spells out."""

LABELS = {"β": "ɰᵝ"}
"""Phones whose symbol means another sound in other languages."""


class JapaneseReader:
    """Reads Japanese sentences.

    Args:
        read_foreign: Reads what is in Latin letters and no word of the dictionary.
    """

    def __init__(self, read_foreign: Callable[[str], list[SpokenWord]]) -> None:
        self._read_foreign = read_foreign

    def read(self, sentence: str) -> list[SpokenWord]:
        """Return the words of a sentence."""
        words: list[SpokenWord] = []
        opening = ""
        for node in pyopenjtalk.run_frontend(sentence, use_sudachi_kanji_yomi=False):
            text = unicodedata.normalize("NFKC", node["string"])
            mark = _MARKS.get(node["string"], "")
            symbols = mark or self._pronounce(text, node["pron"])
            if mark in _OPENING:
                opening += mark
            elif words and symbols and (mark or _joins(words[-1].symbols, symbols)):
                last = words.pop()
                words.append(SpokenWord(last.text + text, last.symbols + symbols))
            elif symbols:
                words.append(SpokenWord("" if mark else text, opening + symbols))
                opening = ""
        return words

    def _pronounce(self, text: str, reading: str) -> str:
        spelt = "".join(_LETTER_NAMES.get(letter, "") for letter in text.lower())
        if len(text) > 1 and reading == spelt and not text.isupper():
            return " ".join(word.symbols for word in self._read_foreign(text))
        return _pronounce(reading)


def _joins(before: str, symbols: str) -> bool:
    """Return whether symbols go on with the word before: it is held, or cut short."""
    return before[-1] == "ʔ" or symbols[0] in "ʔː"


def _pronounce(reading: str) -> str:
    """Return the symbols of katakana; what is none has no sound."""
    symbols: list[str] = []
    position = 0
    while position < len(reading):
        pair, single = reading[position : position + 2], reading[position]
        kana = pair if pair in _KANA else single
        symbols.append("ン" if kana == "ン" else _KANA.get(kana, ""))
        position += len(kana)
    for index, symbol in enumerate(symbols):
        if symbol == "ン":
            following = symbols[index + 1] if index + 1 < len(symbols) else ""
            symbols[index] = _nasal(following)
    return "".join(symbols)


def _nasal(following: str) -> str:
    for starts, nasal in _NASALS:
        if following and following[0] in starts:
            return nasal
    return "ɴ"
