"""How emotion changes the delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.emotion import parse_emotion
from unitaf.tts.delivery import pace
from unitaf.types import NEUTRAL

strength = st.floats(0, 1)


def test_a_neutral_line_keeps_its_pace() -> None:
    assert pace(NEUTRAL) == 1.0


@pytest.mark.parametrize("emotion", ["afraid", "angry", "happy", "surprised"])
def test_excitement_is_faster(emotion: str) -> None:
    assert 1.0 < pace(parse_emotion(f"{emotion}:0.3")) < pace(parse_emotion(f"{emotion}:1"))


@pytest.mark.parametrize("emotion", ["sad", "melancholic", "calm", "disgusted"])
def test_grief_is_slower(emotion: str) -> None:
    assert 1.0 > pace(parse_emotion(f"{emotion}:0.3")) > pace(parse_emotion(f"{emotion}:1"))


@given(st.tuples(*[strength] * 8))
def test_no_emotion_changes_the_pace_much(
    emotion: tuple[float, float, float, float, float, float, float, float],
) -> None:
    assert 0.85 <= pace(emotion) <= 1.15
