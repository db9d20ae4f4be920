"""A streamed line is the line: every sample and every frame once, without a jump."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ChokingSpeech
from unitaf import timing
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.serving.models import Answer, FaceModel, SpeechModel
from unitaf.serving.streaming import MotionStream, join_speeches, split_segments, stream_take
from unitaf.triton.refusals import Refusal
from unitaf.triton.tensors import SPEECH_MODEL, Tensors, encode_utterance
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, TextToSpeech, Utterance

TEXT = "The ship sails at dawn. Bring 3 lamps! Who goes there?"
ENGINE = StubSpeech()


def say(text: str, tts: TextToSpeech = ENGINE) -> Speech:
    return tts.synthesize([Utterance("a", text)])[0]


def stream(text: str, tts: TextToSpeech, fps: float) -> list[Answer]:
    speech, face = SpeechModel(tts), FaceModel(tts, VisemeAnimator(), 60.0)

    async def ask(model: str, tensors: Tensors) -> Answer:
        return (speech if model == SPEECH_MODEL else face).answer([tensors])[0]

    async def collect() -> list[Answer]:
        request = {**encode_utterance(Utterance("a", text)), "fps": np.array([[fps]])}
        return [answer async for answer in stream_take(request, 60.0, ask)]

    return asyncio.run(collect())


def pieces(answers: list[Answer]) -> list[Tensors]:
    assert not any(isinstance(answer, Refusal) for answer in answers)
    return [answer for answer in answers if not isinstance(answer, Refusal)]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        (TEXT, ["The ship sails at dawn.", "Bring 3 lamps!", "Who goes there?"]),
        ("Dr. Smith? Here.", ["Dr. Smith?", "Here."]),
        ("... Well. ... Yes!", ["... Well. ...", "Yes!"]),
        ("...", ["..."]),
        ("", [""]),
    ],
)
def test_a_line_is_split_where_something_is_left_to_say(text: str, segments: list[str]):
    assert split_segments(text) == segments


@given(st.text(st.sampled_from("ab 1.!?\n\"'"), max_size=30))
def test_splitting_loses_no_letter_and_makes_nothing_that_cannot_be_said(text: str):
    segments = split_segments(text)
    assert [c for c in "".join(segments) if c.isalnum()] == [c for c in text if c.isalnum()]
    if any(character.isalnum() for character in text):
        assert all(any(c.isalnum() for c in segment) for segment in segments)


def test_one_speech_joined_is_itself():
    speech = say("Hello.")
    joined = join_speeches([speech])
    np.testing.assert_array_equal(joined.features, speech.features)
    assert (joined.phones, joined.words) == (speech.phones, speech.words)


def test_joined_speeches_follow_each_other_on_one_clock():
    hibari = Hibari()
    speeches = [say("Bring the lamps.", hibari), say("Now!", hibari)]
    joined = join_speeches(speeches)
    first, second = speeches
    np.testing.assert_array_equal(joined.waveform[len(first.waveform) :], second.waveform)
    steps = timing.num_frames(joined.num_samples, joined.sample_rate, joined.feature_rate)
    assert len(joined.features) == len(joined.f0) == steps
    np.testing.assert_array_equal(joined.features[-len(second.features) :], second.features)
    np.testing.assert_array_equal(joined.f0[: len(first.f0)], first.f0)
    assert joined.words[-1].start_s == pytest.approx(
        first.duration_s + second.words[-1].start_s, abs=1e-9
    )
    assert joined.phones[-1].end_s == pytest.approx(joined.duration_s, abs=1e-9)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_features_of_any_lengths_stay_where_they_are_heard(letters: list[int]):
    speeches = [say("a" * count) for count in letters]
    joined = join_speeches(speeches)
    steps = timing.num_frames(joined.num_samples, joined.sample_rate, joined.feature_rate)
    assert len(joined.features) == steps
    assert joined.num_samples == sum(speech.num_samples for speech in speeches)


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0])
def test_a_stream_gives_every_sample_and_every_frame_once(fps: float):
    given_out = pieces(stream(TEXT, ENGINE, fps))
    assert [bool(piece["is_last"][0, 0]) for piece in given_out] == [False, False, True]
    samples, frames = 0, 0
    for piece in given_out:
        assert piece["start_s"][0, 0] == samples / ENGINE.sample_rate
        assert piece["first_frame"][0, 0] == frames
        samples += piece["waveform"].shape[1]
        frames += piece["curves"].shape[1]
        assert frames == timing.num_frames(samples, ENGINE.sample_rate, fps)


def test_a_line_of_one_sentence_is_streamed_as_it_is_made_at_once():
    [piece] = pieces(stream("Who goes there?", ENGINE, 60.0))
    line, speech = Utterance("a", "Who goes there?"), say("Who goes there?")
    np.testing.assert_array_equal(piece["waveform"][0], speech.waveform)
    [motion] = VisemeAnimator().animate([line], [speech], 60.0)
    np.testing.assert_array_equal(piece["curves"][0], motion.curves)


def test_the_face_does_not_jump_between_sentences():
    given_out = pieces(stream(TEXT, Hibari(), 60.0))
    curves = np.concatenate([piece["curves"][0] for piece in given_out])
    steps = np.abs(np.diff(curves, axis=0)).max(axis=1)
    joints = [int(piece["first_frame"][0, 0]) for piece in given_out[1:]]
    assert max(steps[joint - 1] for joint in joints) < 0.5 * steps.max()


def test_a_motion_that_is_animated_anew_is_met_smoothly():
    motion = MotionStream(60.0)
    first = np.full((30, len(CHANNELS)), 0.2, np.float32)
    np.testing.assert_array_equal(motion.push(first), first)
    later = np.full((90, len(CHANNELS)), 0.8, np.float32)
    new = motion.push(later)
    assert motion.num_given == 90
    assert new[0, 0] == pytest.approx(0.2, abs=0.02)
    assert (np.diff(new[:, 0]) >= 0).all()
    np.testing.assert_array_equal(new[15:], later[45:])
    assert new[:, : len(BLENDSHAPES)].max() <= 1.0


def test_a_bad_sentence_ends_the_stream_with_the_reason():
    *said, refused = stream("Hello there. It says xyzzy. Goodbye.", ChokingSpeech(), 60.0)
    assert len(pieces(said)) == 1
    assert refused == Refusal("text", "it holds the word 'xyzzy'")


def test_pauses_and_changes_of_emotion_are_passed_over():
    marked = "The ship sails at dawn. [pause 1s] Bring 3 lamps! [emotion: sad] Who goes there?"
    plain, found = (pieces(stream(text, ENGINE, 30.0)) for text in (TEXT, f"{marked} [pause]"))
    assert len(found) == len(plain) == 3
    for piece, expected in zip(found, plain, strict=True):
        np.testing.assert_array_equal(piece["curves"], expected["curves"])
