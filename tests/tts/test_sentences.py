"""Where sentences end."""

import pytest

from unitaf.tts.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["One.", "Two!", "Three?", "Four…", "Five"],
        ["What?!", "No way!!!", "OK."],
        ['"Stop!" he said.', '"Go."', "They went."],
        ["Dr. Smith met Mrs. Jones.", "They talked."],
        ["J. K. Rowling wrote it.", "It was I.", "He knew."],
        ["It is No. 5 of 7.", "On Jan. 5th we leave.", "I said no."],
        ["He sailed for the U.S. Navy.", "Then he came home."],
        ["Red vs. Blue.", "Who wins?"],
        ["I... well, I was found.", "It rains."],
    ],
)
def test_sentences_are_found(sentences: list[str]) -> None:
    assert list(split_sentences(" ".join(sentences))) == sentences


def test_a_line_break_ends_a_sentence() -> None:
    assert list(split_sentences("First line\nsecond line. Third")) == [
        "First line",
        "second line.",
        "Third",
    ]


def test_nothing_gives_nothing() -> None:
    assert list(split_sentences("")) == []
