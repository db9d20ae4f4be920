"""How an English text becomes phoneme symbols, word by word and sentence by sentence.

The conversion of spelling to sound (dictionary, part-of-speech tags, a small network for unknown
words) is that of the hibari package, a port of misaki. Here it is fed sentences of dialogue, and
what it says is tied to the words as they are written. The symbols are those of `unitaf.tts.misaki`.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from hibari.g2p import G2P
from hibari.g2p.normalize import normalize

from unitaf.tts.misaki import (
    CONSONANT_LABELS,
    LENGTH_MARK,
    PAUSE_MARKS,
    SOFT_MARKS,
    STRESS_MARKS,
    VOWEL_LABELS,
    english_symbols,
)
from unitaf.tts.respelling import PRONUNCIATION, clean, respell, split_before_names
from unitaf.tts.sentences import split_sentences

_READER_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the package raises on texts that it cannot read, a number of forty digits for one."""

_MARKS = (*STRESS_MARKS, *PAUSE_MARKS, *SOFT_MARKS, LENGTH_MARK, " ")
_KNOWN = {symbol: symbol for symbol in (*VOWEL_LABELS, *CONSONANT_LABELS, *_MARKS)} | {
    # What the network for unknown words also writes.
    "ʀ": "ɹ",
    "-": "",
    "1": "",
}


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word as it is written, and as it is said."""

    text: str
    """Empty for punctuation that stands alone."""
    symbols: str
    """Misaki symbols, punctuation at its ends included; spaces if it is read as several words."""
    is_emphasised: bool = False


class EnglishReader:
    """Reads English text aloud into symbols.

    Args:
        is_british: British instead of American pronunciation.
    """

    def __init__(self, is_british: bool) -> None:
        self._to_phonemes = G2P(british=is_british)

    def read(self, text: str) -> list[list[SpokenWord]]:
        """Return the words of every sentence that has a sound, in order.

        Raises:
            ValueError: If the text cannot be said, with the reason.
        """
        text = PRONUNCIATION.sub(_as_symbols, clean(text))
        _check_readable(text)
        sentences = [self._read_sentence(part) for part in split_sentences(text)]
        spoken = [words for words in sentences if any(_is_sounded(word.symbols) for word in words)]
        if not spoken:
            raise ValueError("there is nothing to say: no letter and no digit")
        return spoken

    def _read_sentence(self, sentence: str) -> list[SpokenWord]:
        respelled = respell(sentence, self._is_known)
        try:
            plain = " ".join(normalize(part) for part in split_before_names(respelled))
            tokens = self._to_phonemes.phonemize_tokens(self._to_phonemes.tokenize(plain))
        except _READER_FAILURES as error:
            reason = f"cannot read {_shorten(sentence)!r} aloud; write its numbers as words"
            raise ValueError(reason) from error
        read = []
        text = symbols = ""
        for token in tokens:
            text += token.text
            symbols += token.phonemes or ""
            if token.whitespace:
                read.append(SpokenWord(text, _check_symbols(symbols, text)))
                text = symbols = ""
        read.append(SpokenWord(text, _check_symbols(symbols, text)))
        written = PRONUNCIATION.sub(r"\1", sentence).split()
        return _as_written([word for word in read if word.symbols], written)

    def _is_known(self, word: str) -> bool:
        return word in self._to_phonemes.lexicon.golds


def split_reading(words: Sequence[SpokenWord], max_symbols: int) -> Iterator[list[SpokenWord]]:
    """Split a sentence so that no part has more symbols than a voice can take at once.

    It is split after punctuation where it can be, else between words, into parts that are as long
    as they may be.

    Raises:
        ValueError: If a single word is too long.
    """
    start = 0
    while start < len(words):
        end = start
        clause_end = start
        length = -1
        while end < len(words) and length + 1 + len(words[end].symbols) <= max_symbols:
            length += 1 + len(words[end].symbols)
            end += 1
            if words[end - 1].symbols[-1] in PAUSE_MARKS:
                clause_end = end
        if end == start:
            raise ValueError(f"the word {_shorten(words[start].text)!r} is too long to be said")
        if end < len(words) and clause_end > start:
            end = clause_end
        yield list(words[start:end])
        start = end


def _as_symbols(mark: re.Match[str]) -> str:
    """Give the sounds of a mark, written in IPA, as the reader wants them."""
    sounds = mark[2].strip("/")
    return f"[{mark[1]}](/{english_symbols(sounds)}/)" if sounds else mark[1]


def _check_readable(text: str) -> None:
    for word in PRONUNCIATION.sub("", text).split():
        for letter in filter(str.isalpha, word):
            if "LATIN" not in unicodedata.name(letter, "") and letter not in "ªºµ":
                raise ValueError(f"cannot read {_shorten(word)!r}: only Latin letters can be read")


def _check_symbols(symbols: str, text: str) -> str:
    """Return symbols as the voices know them."""
    checked = ""
    for symbol in symbols:
        known = _KNOWN.get(symbol)
        if known is None:
            raise ValueError(f"no voice knows the sound {symbol!r} given for {_shorten(text)!r}")
        checked += known
    return " ".join(checked.split())


def _as_written(read: Sequence[SpokenWord], written: Sequence[str]) -> list[SpokenWord]:
    """Tie what is read to the words as they are written: "9:30" is one word, read as two."""
    read_keys = [_key(word.text) for word in read]
    written_keys = [_key(word) for word in written]
    if read_keys == written_keys:
        return [_tied([word], [text]) for word, text in zip(read, written, strict=True)]
    tied: list[SpokenWord] = []
    matcher = SequenceMatcher(None, read_keys, written_keys, autojunk=False)
    for _, first, last, written_first, written_last in matcher.get_opcodes():
        words, texts = read[first:last], written[written_first:written_last]
        if len(words) == len(texts):
            tied += [_tied([word], [text]) for word, text in zip(words, texts, strict=True)]
        elif words:
            tied.append(_tied(words, texts))
    return tied


def _tied(words: Sequence[SpokenWord], texts: Sequence[str]) -> SpokenWord:
    symbols = " ".join(word.symbols for word in words)
    return SpokenWord(" ".join(texts) if _is_sounded(symbols) else "", symbols)


def _key(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold() or word


def _is_sounded(symbols: str) -> bool:
    return any(symbol in VOWEL_LABELS or symbol in CONSONANT_LABELS for symbol in symbols)


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
