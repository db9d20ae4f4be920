"""Numbers, signs, abbreviations and marks, in a language with letters."""

import pytest

from unitaf.tts.kokoro.french import French
from unitaf.tts.kokoro.spanish import Spanish
from unitaf.tts.kokoro.spelling import SpellingReader


@pytest.fixture(scope="module")
def reader() -> SpellingReader:
    return SpellingReader(Spanish(is_american=False))


def read(reader: SpellingReader, text: str) -> list[str]:
    return [word.symbols for word in reader.read(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("42", "cuarenta y dos"),
        ("1.000", "mil"),
        ("3,50", "tres coma cincuenta"),
        ("0,05", "cero coma cero cinco"),
        ("2ª", "segunda"),
        ("5€", "cinco euros"),
        ("50%", "cincuenta por ciento"),
        ("9:30", "nueve treinta"),
        ("DVD", "de uve de"),
        ("Sra. Paz", "señora Paz"),
    ],
)
def test_what_is_not_written_in_letters_is_read(
    reader: SpellingReader, text: str, words: str
) -> None:
    assert " ".join(read(reader, text)) == " ".join(read(reader, words))


def test_words_keep_how_they_are_written(reader: SpellingReader) -> None:
    words = reader.read("«¿Qué?», dijo García-López…")
    assert [(word.text, word.symbols) for word in words] == [
        ("«¿Qué?»,", "“kˈe?”,"),
        ("dijo", "dˈixo"),
        ("García-López…", "ɡaɾθˈia lˈopeθ…"),
    ]


def test_marks_that_stand_alone_go_with_their_words() -> None:
    words = SpellingReader(French()).read("« Bonjour ! » — Marie, l'été ?")
    assert [(word.text, word.symbols) for word in words] == [
        ("Bonjour", "“bɔ\u0303ʒˈuʁ!”—"),
        ("Marie,", "maʁˈi,"),
        ("l'été", "letˈe?"),
    ]


def test_a_number_that_is_too_long_is_refused(reader: SpellingReader) -> None:
    with pytest.raises(ValueError, match="too long to be said; write it as words"):
        reader.read("9" * 40)


def test_unknown_signs_are_silent(reader: SpellingReader) -> None:
    assert reader.read("/ * _") == []
