"""The silent engine."""

import pytest

from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, Utterance


def say(text: str, language: str = "en") -> Speech:
    (speech,) = StubSpeech().synthesize([Utterance("line", text, language=language)])
    return speech


def test_says_nothing_for_as_long_as_a_voice_would_take() -> None:
    speech = say("a" * 160)
    assert speech.duration_s == pytest.approx(10, abs=0.5)
    assert not speech.waveform.any()


def test_letters_are_phones_and_the_rest_is_pause() -> None:
    assert [phone.label for phone in say("Ah, no!").phones] == ["a", "h", "", "n", "o", ""]


@pytest.mark.parametrize("text", ["Привет, мир", "你好", "¿Qué?", "42"])
def test_every_language_can_be_said(text: str) -> None:
    speech = say(text, language="xx-Test")
    assert speech.words[0].text == text.split()[0]


def test_a_line_takes_little_memory() -> None:
    speech = say("The quick brown fox jumps over the lazy dog.")
    assert speech.features.nbytes + speech.waveform.nbytes < 250_000
