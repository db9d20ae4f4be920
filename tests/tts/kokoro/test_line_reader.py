"""Lines in all languages, with foreign scripts in them."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.tts.kokoro.alphabet import SYMBOL_IDS
from unitaf.tts.kokoro.reading import LANGUAGES, LineReader

SCRIPT = Path(__file__).parents[3] / "ray_jobs" / "scripts" / "languages.csv"
READER = LineReader()


def read(text: str, language: str) -> list[list[tuple[str, str]]]:
    sentences = READER.read(text, language)
    return [[(word.text, word.symbols) for word in words] for words in sentences]


def test_the_language_chooses_the_reader() -> None:
    assert read("Paris", "en") == [[("Paris", "pˈɛɹəs")]]
    assert read("Paris", "fr-CA") == [[("Paris", "paʁˈi")]]
    assert read("Zaragoza", "es") == [[("Zaragoza", "θaɾaɣˈoθa")]]
    assert read("Zaragoza", "es-MX") == [[("Zaragoza", "saɾaɣˈosa")]]
    assert read("rather", "en-GB") == [[("rather", "ɹˈɑːðə")]]


@pytest.mark.parametrize(
    ("text", "language", "word", "symbols"),
    [
        ("C'est 桜さん !", "fr", "桜", "sakɯɾa"),
        ("C'est 北京 !", "fr", "北京", "pei↓ʨi→ŋ"),
        ("Es la señora さくら.", "es", "さくら.", "sakɯɾa."),
        ("我要一个 hamburger。", "zh", "hamburger。", "hˈæmbɜɹɡəɹ"),
        ("私はOkaforです。", "ja", "Okafor", "ˈɑkæfəɹ"),
        ("They call it 侘び寂び.", "en", "侘び寂び.", "βabʲi sabʲi."),
    ],
)
def test_foreign_words_are_read_in_their_own_language(
    text: str, language: str, word: str, symbols: str
) -> None:
    said = "".join(symbols for words in read(text, language) for _, symbols in words)
    assert symbols.replace(" ", "").rstrip(".") in said.replace(" ", "")


def test_sentences_end_where_each_language_ends_them() -> None:
    assert len(read("¡Alto! ¿Quién va?", "es")) == 2
    assert len(read("Dijo la Sra. Paz.", "es")) == 1
    assert len(read("待って！「行く」。終わり", "ja")) == 3
    assert len(read("他说：“走吧。”我走了。", "zh")) == 2


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("Привет", "es", "cannot read 'П': no front end reads Cyrillic letters"),
        ("?!", "ja", "nothing to say"),
        ("42", "xx", "no front end for 'xx'"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, language: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        READER.read(text, language)


def test_the_voices_know_every_symbol_of_the_script() -> None:
    with SCRIPT.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    spoken = [row for row in rows if row["language"].split("-")[0] in LANGUAGES]
    assert len(spoken) == 7 * 20
    for row in spoken:
        for words in READER.read(row["text"], row["language"]):
            assert {symbol for word in words for symbol in word.symbols} <= set(SYMBOL_IDS)


LETTERS = st.text(
    st.sampled_from("aáeéioóuüyhñçãõêèàùqgcnmrlsxzdt'-.,;!?«» 0129%€aB山さカ，。"), max_size=24
)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=60, deadline=None)
@given(text=LETTERS)
def test_any_text_is_read_or_refused(language: str, text: str) -> None:
    try:
        sentences = READER.read(text, language)
    except ValueError:
        return
    for words in sentences:
        for word in words:
            assert word.symbols
            assert set(word.symbols) <= set(SYMBOL_IDS)
