"""Whatever was said, all of the text is shown, and in the time of what was said for it."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.takes import spoken_words
from unitaf.export.placing import Piece, place_words
from unitaf.types import Word


def shown(text: str, said: str) -> list[tuple[str, float, float]]:
    """What is shown when, of words that take a second each."""
    pieces = place_words(text, spoken_words(said, 1.0))
    return [(piece.text, round(piece.start_s, 2), round(piece.end_s, 2)) for piece in pieces]


def test_other_words_have_the_time_of_what_was_said():
    assert shown("Ask HQ, now!", "Ask headquarters, now!") == [
        ("Ask ", 0, 1), ("HQ, ", 1, 2), ("now!", 2, 3),
    ]  # fmt: skip
    assert shown("Ask HQ now", "Ask the head quarters now") == [
        ("Ask ", 0, 1), ("HQ ", 1, 4), ("now", 4, 5),
    ]  # fmt: skip
    assert shown("By Dr. Who-Doe (MD)", "By doctor") == [
        ("By ", 0, 1), ("Dr. ", 1, 1.21), ("Who-Doe ", 1.21, 1.71), ("(MD)", 1.71, 2),
    ]  # fmt: skip


def test_a_word_that_stands_elsewhere_does_not_lead_astray():
    text, said = "In Reims there are no rams here.", "In rams there are no rams here."
    assert [piece[0] for piece in shown(text, said)] == [
        f"{word} " for word in text.split()[:-1]
    ] + ["here."]
    assert shown("NA and banana", "North America and banana") == [
        ("NA ", 0, 2), ("and ", 2, 3), ("banana", 3, 4),
    ]  # fmt: skip


def test_texts_without_spaces():
    words = (Word("東京", 0.0, 1.0), Word("えぬえいちけえ", 1.0, 3.0), Word("です", 3.0, 4.0))
    assert place_words("「東京NHK」です。", words) == [
        Piece("「東京", 0.0, 1.0), Piece("NHK」", 1.0, 3.0), Piece("です。", 3.0, 4.0),
    ]  # fmt: skip
    words = (Word("いちがつ", 0.0, 2.0), Word("です", 2.0, 3.0))
    assert place_words("一月です", words) == [
        Piece("一", 0.0, 1.0), Piece("月", 1.0, 2.0), Piece("です", 2.0, 3.0),
    ]  # fmt: skip


def test_what_is_said_beyond_the_text_lengthens_what_was_said_before():
    assert shown("Yes - no", "Yes minus no") == [("Yes - ", 0, 2), ("no", 2, 3)]


def test_a_text_without_letters_shows_what_was_said():
    assert shown("?!", "Oh no") == [("Oh ", 0, 1), ("no ", 1, 2)]


@given(
    st.text("abAB ,.日本「」$5", max_size=40),
    st.lists(
        st.tuples(st.text("abAB.日5", min_size=1, max_size=4), st.floats(0.01, 2), st.floats(0, 1)),
        min_size=1,
        max_size=12,
    ),
)
def test_all_of_the_text_is_shown_in_order(text: str, said: list[tuple[str, float, float]]):
    words, at = [], 0.0
    for word, length, pause in said:
        words.append(Word(word, at, at + length))
        at += length + pause
    pieces = place_words(text, words)
    whole = "".join(piece.text for piece in pieces)
    assert whole in (text, "".join(f"{word.text} " for word in words))
    times = [time for piece in pieces for time in (piece.start_s, piece.end_s)]
    assert times == sorted(times)
    assert words[0].start_s <= times[0]
    assert times[-1] <= words[-1].end_s
