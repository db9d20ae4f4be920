"""Whose words are whose when a long recording is cut."""

import pytest

from unitaf.data.words import share_words

TEXT = "It was the best of times, it was the worst of times; it was the age of wisdom."


@pytest.mark.parametrize(
    "heard",
    [
        ["it was the best of times", "it was the worst of times", "it was the age of wisdom"],
        ["It was a best of time", "it was the first of times", "it was the age of vision"],
    ],
)
def test_every_word_goes_to_its_piece(heard: list[str]) -> None:
    assert share_words(TEXT, heard) == [
        "It was the best of times,",
        "it was the worst of times;",
        "it was the age of wisdom.",
    ]


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (
            ["我们昨天去看海", "她带了iphone手机", "你呢"],
            ["我们昨天去看海，", "她带了 iPhone 手机。", "“你呢？”"],
        ),
        (
            ["我们昨天去看", "他带了iPhone手机", "呢"],
            ["我们昨天去看海，", "她带了 iPhone 手机。“你", "呢？”"],
        ),
    ],
)
def test_where_no_space_stands_between_words_characters_are_shared(
    heard: list[str], expected: list[str]
) -> None:
    assert share_words("我们昨天去看海，她带了 iPhone 手机。“你呢？”", heard) == expected


def test_a_piece_in_which_nothing_was_heard_gets_nothing() -> None:
    shares = share_words(TEXT, ["it was the best of times it was the worst of times", "", "it was"])
    assert shares[1] == ""
    assert " ".join(filter(None, shares)) == TEXT


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="less than half"):
        share_words(TEXT, ["Call me Ishmael.", "Some years ago"])
