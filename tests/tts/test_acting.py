from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from unitaf import timing
from unitaf.emotion import parse_emotion
from unitaf.errors import InputError
from unitaf.face.moods import animate_moods
from unitaf.face.visemes import VisemeAnimator
from unitaf.tts.acting import Actor
from unitaf.tts.dubbing import is_in_window, say_in_time
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.types import NEUTRAL, Mood, Speech, Utterance

ANGRY = parse_emotion("angry")


class Listening(StubSpeech):
    def __init__(self) -> None:
        self.heard: list[Utterance] = []

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        self.heard += utterances
        return super().synthesize(utterances)


@pytest.fixture(scope="module")
def hibari() -> Hibari:
    return Hibari()


def gap_s(speech: Speech, before: str, after: str) -> float:
    """Return the silence between two words."""
    (first,) = (word for word in speech.words if word.text.startswith(before))
    (second,) = (word for word in speech.words if word.text.startswith(after))
    return second.start_s - first.end_s


def test_lines_without_marks_are_the_engines() -> None:
    lines = [
        Utterance("a", "Hello."),
        Utterance("b", " Ask [Okafor](/oʊ/) [emphasis]now[/emphasis]."),
    ]
    engine = Listening()
    made = Actor(engine).synthesize(lines)
    assert engine.heard == lines
    assert [s.num_samples for s in made] == [s.num_samples for s in engine.synthesize(lines)]


def test_the_engine_never_sees_a_mark() -> None:
    engine = Listening()
    text = "One. [pause 1s] Two. [emotion: angry] Three. [emotion] Four. [pause]"
    lines = [Utterance("a", text, seed=3), Utterance("b", "Plain.")]
    made = Actor(engine).synthesize(lines)
    assert [said.text for said in engine.heard] == ["One.", "Two.", "Three.", "Four.", "Plain."]
    assert {said.seed for said in engine.heard[:4]} == {3}
    assert [said.emotion for said in engine.heard[:4]] == [NEUTRAL, NEUTRAL, ANGRY, NEUTRAL]
    assert len(made) == 2
    assert [mood.emotion for mood in made[0].moods] == [NEUTRAL, ANGRY, NEUTRAL]
    assert made[0].emotion == NEUTRAL
    assert made[1].moods == ()


@pytest.mark.parametrize(
    "text",
    [
        "[emotion: angry] Stop!",
        "[emotion: angry] Stop! [pause 1s] Now!",
        "[pause][emotion: angry] No!",
    ],
)
def test_a_line_wholly_in_another_emotion_has_the_face_of_it(text: str) -> None:
    line = Utterance("a", text)
    [speech] = Actor(Listening()).synthesize([line])
    assert speech.emotion == NEUTRAL
    assert speech.moods == (Mood(0.0, ANGRY),)
    [moved] = animate_moods(VisemeAnimator(), [line], [speech], 60.0)
    felt = replace(speech, emotion=ANGRY, moods=())
    [angry] = VisemeAnimator().animate([replace(line, emotion=ANGRY)], [felt], 60.0)
    np.testing.assert_allclose(moved.curves, angry.curves, atol=1e-6)


@pytest.mark.parametrize("pause_s", [0.1, 0.8, 3.0])
def test_a_pause_is_as_long_as_it_says(hibari: Hibari, pause_s: float) -> None:
    line = Utterance("a", f"Take the boat. [pause {pause_s}s] Bring the maps.", seed=1)
    (made,) = Actor(hibari).synthesize([line])
    assert gap_s(made, "boat", "Bring") == pytest.approx(pause_s, abs=0.03)
    steps = timing.num_frames(made.num_samples, made.sample_rate, made.feature_rate)
    assert made.features.shape == (steps, 256)
    assert len(made.f0) == steps
    ends = [0.0, *(phone.end_s for phone in made.phones)]
    assert [phone.start_s for phone in made.phones] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(made.duration_s)


def test_pauses_at_the_ends_are_added_to_what_is_there(hibari: Hibari) -> None:
    (plain,) = hibari.synthesize([Utterance("a", "Bring the maps.")])
    (made,) = Actor(hibari).synthesize([Utterance("a", "[pause 1s] Bring the maps. [pause 2s]")])
    assert made.duration_s == pytest.approx(plain.duration_s + 3.0, abs=0.02)
    assert made.words[0].start_s == pytest.approx(plain.words[0].start_s + 1.0, abs=0.02)


def test_moods_begin_where_their_words_do(hibari: Hibari) -> None:
    (made,) = Actor(hibari).synthesize([Utterance("a", "Take it. [emotion: angry] Go away!")])
    first, second = made.moods
    assert first == Mood(0.0, NEUTRAL)
    assert second.emotion == ANGRY
    (go,) = (word for word in made.words if word.text == "Go")
    assert 0.0 <= go.start_s - second.start_s < 0.4


def test_a_line_with_marks_can_have_a_window(hibari: Hibari) -> None:
    line = Utterance("a", "Take the boat. [pause 0.5s] Bring the maps.", target_s=3.0)
    (made,) = say_in_time(Actor(hibari), [line])
    assert is_in_window(made, 3.0)
    assert gap_s(made, "boat", "Bring") == pytest.approx(0.5, abs=0.03)


def test_a_line_does_not_depend_on_its_batch(hibari: Hibari) -> None:
    lines = [Utterance(str(i), f"Line {i}. [pause 0.3s] Done.", seed=i) for i in range(3)]
    for line, speech in zip(lines, Actor(hibari).synthesize(lines), strict=True):
        (alone,) = Actor(hibari).synthesize([line])
        np.testing.assert_array_equal(alone.waveform, speech.waveform)


@pytest.mark.parametrize(
    "text",
    [
        "[pause 1s]",
        "[pause 99s] a",
        "[emotion: hangry] a",
        "I [emphasis]do",
        "I do[/emphasis] [emphasis]",
        "[emphasis][/emphasis]",
    ],
)
def test_wrong_marks_name_the_line(text: str) -> None:
    with pytest.raises(InputError, match="'a'"):
        Actor(StubSpeech()).synthesize([Utterance("a", text)])
