import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.emotion import describe_emotion, emotion_names, parse_emotion
from unitaf.types import EMOTIONS, NEUTRAL


def named(**strengths: float) -> tuple[float, ...]:
    return tuple(strengths.get(name, 0.0) for name in EMOTIONS)


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("", NEUTRAL),
        ("neutral", NEUTRAL),
        ("angry", named(angry=0.8)),
        ("Angry:0.7", named(angry=0.7)),
        ("angry 70%", named(angry=0.7)),
        ("sad=0.5; afraid=.2", named(sad=0.5, afraid=0.2)),
        ("furious", named(angry=1.0)),
        ("out of breath".replace(" ", "_"), named(afraid=0.4, surprised=0.24)),
        ("0,0,0.5,0,0,0,0,1", named(sad=0.5, calm=1.0)),
        ("[0, 0.25, 0, 0, 0, 0, 0, 0]", named(angry=0.25)),
        ('{"joy": 0.5}', named(happy=0.5)),
    ],
)
def test_ways_of_writing(text: str, emotion: tuple[float, ...]):
    assert parse_emotion(text) == pytest.approx(emotion)


@pytest.mark.parametrize(
    "text",
    [
        "hangry",
        "angry:1.2",
        "angry:-1",
        "1,2,3",
        "[1]",
        "{]",
        "angry::",
        '["a"]',
        "[2,0,0,0,0,0,0,0]",
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_refused(text: str):
    with pytest.raises(ValueError, match="emotion"):
        parse_emotion(text)


@given(st.tuples(*[st.integers(0, 100).map(lambda n: n / 100)] * 8))
def test_described_emotions_are_read_back(emotion: tuple[float, ...]):
    assert parse_emotion(describe_emotion(emotion)) == pytest.approx(emotion)


def test_every_known_name_is_an_emotion_in_range():
    for name in emotion_names():
        assert all(0.0 <= value <= 1.0 for value in parse_emotion(name))


@pytest.mark.parametrize("number", ["1" * 320, "1" * 5_000, "1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("text", ["[{},0,0,0,0,0,0,0]", '{{"joy": {}}}', "{},0,0,0,0,0,0,0"])
def test_numbers_beyond_all_bounds_are_refused(text: str, number: str):
    with pytest.raises(ValueError, match="emotion"):
        parse_emotion(text.format(number))


huge = st.integers(min_value=10**320)
written = st.recursive(
    st.none() | st.booleans() | st.integers() | huge | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(EMOTIONS) | st.text(), inner),
).map(json.dumps)
typed = st.text(st.sampled_from('angrysadjoy 0123456789.:=@-+,;|%[]{}"eEnN²٣') | st.characters())


@given(st.text() | written | typed)
def test_any_text_is_an_emotion_or_a_value_error(text: str):
    try:
        emotion = parse_emotion(text)
    except ValueError:
        return
    assert len(emotion) == len(EMOTIONS)
    assert all(0.0 <= value <= 1.0 for value in emotion)
