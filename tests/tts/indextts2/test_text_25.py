import pytest

from unitaf.tts.indextts2.text_25 import (
    language_index,
    language_prefix,
    read_text,
    space_japanese,
    split_text,
)

READINGS = {"今日": "キョウ", "は": "ハ", "雨": "アメ"}


def tagger(part: str) -> list[tuple[str, str]]:
    words = [word for word in ("今日", "は", "雨", "ABC") if word in part]
    return [(word, READINGS.get(word, word)) for word in words]


def test_languages_have_a_row_and_a_tag() -> None:
    assert [language_index(tag) for tag in ("en", "zh", "ja", "zhen")] == [0, 1, 7, 105]
    assert language_prefix("es") == "<|es|> "
    with pytest.raises(ValueError, match="'tlh' has no embedding; known are en, zh"):
        language_index("tlh")


@pytest.mark.parametrize(
    ("text", "language", "read"),
    [
        ("Hola: ¡SÍ!", "es", "HOLA, ¡SÍ!"),
        ("Bonjour: Ça", "fr", "Bonjour, Ça"),
        ("It is 5.", "en", "it is five."),
        ("<重|chong2>新", "zh", "<|SPECIAL_TOKEN_2|>CHONG2<|SPECIAL_TOKEN_2|>新"),
        ("<lead|l eh d> it", "en", "<|SPECIAL_TOKEN_1|>L EH D<|SPECIAL_TOKEN_1|> it"),
        ("<生|なま>酒", "ja", " なま 酒"),
    ],
)
def test_texts_are_read_by_the_rules_of_their_language(text: str, language: str, read: str) -> None:
    assert read_text(text, language) == read


def test_japanese_is_spaced_and_may_be_written_as_it_is_read() -> None:
    assert space_japanese("今日は雨", tagger, is_read=False) == "今日 は 雨"
    assert space_japanese(" 今日は ABC", tagger, is_read=True) == " きょう は ABC"


def test_segments_hold_whole_sentences_and_never_part_of_an_annotation() -> None:
    tag = "<|SPECIAL_TOKEN_1|>AB CD<|SPECIAL_TOKEN_1|>"
    text = f"one, two. {tag} three; four"
    segments = split_text(text, 12, len)
    assert "".join(segments) == text
    assert tag in segments
    assert segments[0] == "one, two. "
    assert split_text(text, 1000, len) == [text]


def test_a_sentence_that_is_too_long_is_cut_anywhere() -> None:
    assert split_text("abcdefgh,ij", 3, len) == ["abc", "def", "gh,", "ij"]
    assert split_text("", 3, len) == []
