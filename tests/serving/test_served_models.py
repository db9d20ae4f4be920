"""Served models answer as the engine and the face behind them do, without a server."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ChokingSpeech
from unitaf import timing
from unitaf.errors import BackendError, InputError
from unitaf.face.moods import animate_moods
from unitaf.face.visemes import VisemeAnimator
from unitaf.marks import stretches
from unitaf.script.lexicon import Lexicon
from unitaf.serving.models import FaceModel, SpeechModel
from unitaf.triton.refusals import Refusal
from unitaf.triton.tensors import decode_speech, decode_text, encode_speech, encode_utterance
from unitaf.tts.acting import Actor
from unitaf.tts.espeak import Espeak
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.types import NEUTRAL, Speech, TextToSpeech, Utterance

LINES = [Utterance(f"l{index}", f"This is line {index}.", seed=index) for index in range(4)]
BAD = Utterance("bad", "It says xyzzy.")


def test_a_batch_is_said_as_the_engine_says_it():
    answers = SpeechModel(StubSpeech()).answer([encode_utterance(line) for line in LINES])
    for answer, speech in zip(answers, StubSpeech().synthesize(LINES), strict=True):
        assert not isinstance(answer, Refusal)
        np.testing.assert_array_equal(decode_speech(answer).features, speech.features)
        assert decode_speech(answer).phones == speech.phones
        assert decode_text(answer["engine"]) == StubSpeech().fingerprint


@pytest.mark.parametrize("place", range(5))
def test_a_bad_line_is_refused_and_the_others_are_said(place: int):
    lines = [*LINES[:place], BAD, *LINES[place:]]
    answers = SpeechModel(ChokingSpeech()).answer([encode_utterance(line) for line in lines])
    assert answers.pop(place) == Refusal("text", "it holds the word 'xyzzy'")
    said = [decode_speech(answer) for answer in answers if not isinstance(answer, Refusal)]
    assert [len(speech.waveform) for speech in said] == [
        len(speech.waveform) for speech in StubSpeech().synthesize(LINES)
    ]


def test_a_request_that_is_no_line_is_refused_alone():
    broken = {"text": np.array([[b"\xff"]], dtype=object)}
    refused, said = SpeechModel(StubSpeech()).answer([broken, encode_utterance(LINES[0])])
    assert isinstance(refused, Refusal)
    assert not isinstance(said, Refusal)


@pytest.mark.parametrize("text", ["One. Two.", "One. [pause] Two."])
def test_an_engine_that_gives_less_than_it_is_asked_for_fails(text: str):
    class Mute(StubSpeech):
        def synthesize(self, utterances):
            return super().synthesize(utterances)[1:]

    with pytest.raises(BackendError, match=r"the engine 'stub.*' gave \d results for \d texts"):
        SpeechModel(Mute()).answer([encode_utterance(Utterance("a", text))])


def test_an_engine_that_refuses_what_it_was_not_given_fails():
    class Confused(StubSpeech):
        def synthesize(self, utterances):
            raise InputError("somebody else's", "no")

    with pytest.raises(BackendError, match="somebody else's"):
        SpeechModel(Confused()).answer([encode_utterance(LINES[0])])


def test_a_recording_is_encoded():
    waveform = np.zeros(8000, np.float32)
    request = {**encode_utterance(LINES[0]), "recording": waveform[None]}
    [answer] = SpeechModel(StubSpeech()).answer([request])
    assert not isinstance(answer, Refusal)
    expected = StubSpeech().encode(LINES[0], waveform)
    np.testing.assert_array_equal(decode_speech(answer).features, expected.features)


def test_a_face_moves_to_speech_at_the_rate_that_is_asked_for():
    [speech] = StubSpeech().synthesize(LINES[:1])
    request = {**encode_utterance(LINES[0]), **encode_speech(speech)}
    model = FaceModel(StubSpeech(), VisemeAnimator(), 60.0)
    at_60, at_24 = model.answer([request, {**request, "fps": np.array([[24.0]])}])
    for answer, fps in ((at_60, 60.0), (at_24, 24.0)):
        assert not isinstance(answer, Refusal)
        [motion] = VisemeAnimator().animate(LINES[:1], [speech], fps)
        np.testing.assert_array_equal(answer["curves"][0], motion.curves)


def test_a_face_changes_with_the_emotion_of_a_line():
    line = Utterance("l", "One. [emotion: angry] Two. [pause] [emotion: happy] Three.")
    [said] = SpeechModel(StubSpeech()).answer([encode_utterance(line)])
    [speech] = Actor(StubSpeech()).synthesize([line])
    assert not isinstance(said, Refusal)
    assert decode_speech(said).moods == speech.moods
    [answer] = FaceModel(StubSpeech(), VisemeAnimator(), 60.0).answer(
        [{**said, **encode_utterance(line)}]
    )
    assert not isinstance(answer, Refusal)
    [motion] = animate_moods(VisemeAnimator(), [line], [speech], 60.0)
    np.testing.assert_array_equal(answer["curves"][0], motion.curves)


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100])
def test_a_face_moves_to_a_recording_at_any_rate(sample_rate: int):
    waveform = np.zeros(sample_rate + 7, np.float32)
    request = {
        **encode_utterance(LINES[0]),
        "waveform": waveform[None],
        "sample_rate": np.array([[sample_rate]], np.int32),
    }
    [answer] = FaceModel(StubSpeech(), VisemeAnimator(), 30.0).answer([request])
    assert not isinstance(answer, Refusal)
    assert len(answer["curves"][0]) == timing.num_frames(len(waveform), sample_rate, 30.0)


def test_a_face_says_which_line_it_cannot_move_to():
    silent = {
        **encode_utterance(Utterance("a", "...")),
        "waveform": np.zeros((1, 800), np.float32),
        "sample_rate": np.array([[16000]], np.int32),
    }
    [answer] = FaceModel(StubSpeech(), VisemeAnimator(), 30.0).answer([silent])
    assert answer == Refusal("text", "there is nothing to say: no letter and no digit")


def test_marks_in_a_text_are_obeyed_and_not_read():
    line = Utterance("l", "One. [pause 2s] Two.")
    [answer] = SpeechModel(StubSpeech()).answer([encode_utterance(line)])
    assert not isinstance(answer, Refusal)
    speech = decode_speech(answer)
    assert [word.text for word in speech.words] == ["One.", "Two."]
    assert speech.duration_s > 2.0


EVERY_MARK = (
    "[Dr](=doctor) [Okafor](/oʊkˈæfɔːɹ/) [emphasis]did[/emphasis] [ Emphasis ]go."
    " [pause 0.5s] Now[/emphasis]! [emotion: angry:0.7] Stop it! [emotion] Go."
)


def generated(line: Utterance, tts: TextToSpeech) -> Utterance:
    """Return a line as `generate` gives it to an engine."""
    text = Lexicon([]).apply(line.text, line.language, line.speaker, reads_ipa=tts.reads_ipa)
    return replace(line, text=text)


@pytest.mark.parametrize("tts", [Espeak(), Hibari()], ids=["without IPA", "with IPA"])
def test_every_mark_is_obeyed_as_generate_does(tts: TextToSpeech):
    line = Utterance("a", EVERY_MARK)
    ours = generated(line, tts)
    assert ours.text.startswith("doctor ")
    assert ours.text != line.text
    [expected] = Actor(tts).synthesize([ours])
    raw, own = SpeechModel(tts).answer([encode_utterance(line), encode_utterance(ours)])
    for answer in (raw, own):
        assert not isinstance(answer, Refusal)
        speech = decode_speech(answer)
        np.testing.assert_array_equal(speech.waveform, expected.waveform)
        np.testing.assert_array_equal(speech.features, expected.features)
        assert (speech.words, speech.moods) == (expected.words, expected.moods)
        words = " ".join(word.text for word in speech.words)
        assert words == "doctor Okafor did go. Now! Stop it! Go."


_PIECES = [*("go.", "[Dr](=doctor)", "[Ben](/bˈɛn/)", "[emphasis]", "[/emphasis]", "[pause]"), "("]


@given(st.lists(st.sampled_from([*_PIECES, "[emotion: sad]", "[x](", "](=y)"])), st.booleans())
def test_a_line_of_our_client_is_not_changed_again(parts: list[str], reads_ipa: bool):
    def given_to(text: str) -> str:
        return Lexicon([]).apply(text, "en", "Ann", reads_ipa=reads_ipa)

    once = given_to(" ".join(parts))
    assert given_to(once) == once


class Reading(StubSpeech):
    """Keeps the texts of recordings."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, utterance: Utterance, waveform: np.ndarray) -> Speech:
        self.read.append(utterance.text)
        return super().encode(utterance, waveform)


def test_the_text_of_a_recording_has_no_marks():
    engine, line = Reading(), encode_utterance(Utterance("a", EVERY_MARK))
    recording = {"waveform": np.zeros((1, 8000), np.float32)}
    rate = {"sample_rate": np.array([[engine.sample_rate]], np.int32)}
    answers = SpeechModel(engine).answer([{**line, "recording": recording["waveform"]}])
    answers += FaceModel(engine, VisemeAnimator(), 30.0).answer([{**line, **recording, **rate}])
    assert not any(isinstance(answer, Refusal) for answer in answers)
    assert engine.read == ["doctor Okafor did go. Now! Stop it! Go."] * 2


@pytest.mark.parametrize("tts", [StubSpeech(), Hibari()], ids=["without IPA", "with IPA"])
@pytest.mark.parametrize("text", ["I [emphasis]do.", "I do[/emphasis].", "[pause 99s] I do."])
def test_a_wrong_mark_is_refused_by_every_engine(tts: TextToSpeech, text: str):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        list(stretches(text, NEUTRAL))
    [refused] = SpeechModel(tts).answer([encode_utterance(Utterance("a", text))])
    assert refused == Refusal("text", str(error.value))


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"fps": np.array([[0.0]])}, "fps"),
        ({"fps": np.array([[np.nan]])}, "fps"),
        ({"fps": np.array([[1e9]])}, "fps"),
        ({"sample_rate": np.array([[1]], np.int32)}, "sample_rate"),
        ({"sample_rate": None}, "sample_rate"),
        ({"phone_times": np.zeros((1, 0, 2))}, "phones"),
        ({"mood_starts": np.zeros((1, 1))}, "phones"),
    ],
)
def test_a_face_refuses_what_makes_no_sense(change: dict[str, np.ndarray | None], column: str):
    [speech] = StubSpeech().synthesize(LINES[:1])
    request = {**encode_utterance(LINES[0]), **encode_speech(speech)} | change
    given = {name: tensor for name, tensor in request.items() if tensor is not None}
    [answer] = FaceModel(StubSpeech(), VisemeAnimator(), 60.0).answer([given])
    assert isinstance(answer, Refusal)
    assert answer.column == column
