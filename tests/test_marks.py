import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.emotion import parse_emotion
from unitaf.marks import Stretch, has_emphasis, has_turns, stretches, without_marks
from unitaf.types import NEUTRAL

SAD = parse_emotion("sad")


def test_a_text_without_marks_is_one_stretch() -> None:
    assert list(stretches("Just this.", SAD)) == [Stretch("Just this.", SAD, 0.0)]
    assert not has_turns("Just [this](/ðɪs/).")


def test_pauses_stand_before_what_follows_and_add_up() -> None:
    text = "[pause] One. [pause 250ms] [Pause 0.25s] Two. [pause 1]"
    assert list(stretches(text, NEUTRAL)) == [
        Stretch("One.", NEUTRAL, 0.5),
        Stretch("Two.", NEUTRAL, 0.5),
        Stretch("", NEUTRAL, 1.0),
    ]


def test_an_emotion_lasts_to_the_next_or_back_to_the_lines_own() -> None:
    text = "One. [emotion: angry:0.5] Two. [pause 1s] Three. [emotion] Four."
    angry = parse_emotion("angry:0.5")
    assert [(s.text, s.emotion, s.pause_s) for s in stretches(text, SAD)] == [
        ("One.", SAD, 0.0),
        ("Two.", angry, 0.0),
        ("Three.", angry, 1.0),
        ("Four.", SAD, 0.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pause 11s] a", "longer than 10 s"),
        ("[emotion: hangry] a", "hangry"),
        ("[emphasis]a", r"an \[emphasis\] without its"),
        ("a[/emphasis][emphasis]", r"a \[/emphasis\] without its"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(stretches(text, NEUTRAL))


def test_emphasis_goes_on_after_a_pause() -> None:
    text = "A [emphasis]b [pause 1s] [Emphasis] c [/ emphasis] [pause 1s] [/emphasis] [pause] d."
    assert [stretch.text for stretch in stretches(text, NEUTRAL)] == [
        "A [emphasis]b[/emphasis]",
        "[emphasis][Emphasis] c [/ emphasis][/emphasis]",
        "d.",
    ]
    assert has_emphasis(text)
    assert not has_turns("a [emphasis]b[/emphasis]")


def test_the_words_alone() -> None:
    text = "[pause 1s] Ask [emphasis][Okafor](/oʊ/)[/emphasis] [emotion: sad] [now](=right now)."
    assert without_marks(text) == "Ask Okafor now."


@given(st.lists(st.sampled_from(["One.", "[pause 1s]", "two", "[emotion: sad]", "[x](/a/)"])))
def test_no_word_is_lost(parts: list[str]) -> None:
    text = " ".join(parts)
    said = " ".join(stretch.text for stretch in stretches(text, NEUTRAL) if stretch.text)
    assert without_marks(said) == without_marks(text)
    pauses = sum(stretch.pause_s for stretch in stretches(text, NEUTRAL))
    assert pauses == parts.count("[pause 1s]")
