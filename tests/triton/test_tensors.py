"""Nouns survive the way to a server and back, bit for bit."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.rigs.arkit import CHANNELS
from unitaf.triton.refusals import Refusal, read_refusal, write_refusal
from unitaf.triton.tensors import (
    SPEECH,
    UTTERANCE,
    TensorSpec,
    decode_motion,
    decode_speech,
    decode_utterance,
    encode_motion,
    encode_speech,
    encode_utterance,
)
from unitaf.tts.stub import StubSpeech
from unitaf.types import FaceMotion, Mood, Phone, Speech, Utterance, Word

FLOATS = st.floats(0, 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UTTERANCES = st.builds(
    Utterance,
    id=st.just("a"),
    text=TEXTS,
    language=TEXTS,
    speaker=TEXTS,
    emotion=st.tuples(*[FLOATS] * 8),
    seed=st.integers(0, 2**63 - 1),
    speed=st.floats(0.1, 10),
)
NUMPY_TYPES = {
    "STRING": np.object_,
    "FP32": np.float32,
    "FP64": np.float64,
    "INT32": np.int32,
    "INT64": np.int64,
}


def spoken(text: str = "Who goes there?") -> Speech:
    [speech] = StubSpeech().synthesize([Utterance("a", text, emotion=(0.1,) * 8)])
    return replace(
        speech,
        waveform=np.linspace(-1, 1, len(speech.waveform), dtype=np.float32),
        phones=(Phone("ɑː", 0.0, 0.1, 1), Phone("", 0.1, 1 / 3)),
        words=(Word("naïve", 0.0, 1 / 3),),
        f0=np.array([0, 220.5], np.float32),
        f0_rate=80.0,
        moods=(Mood(0.0, (0.1,) * 8), Mood(1 / 3, (0.2,) * 8)),
        alignment_cost=0.1,
    )


def assert_same(one: Speech, other: Speech) -> None:
    for each in fields(Speech):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if isinstance(mine, np.ndarray):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            assert mine.tobytes() == theirs.tobytes()
        else:
            assert mine == theirs


@given(UTTERANCES)
def test_a_line_comes_back(utterance: Utterance):
    assert decode_utterance(encode_utterance(utterance), "a") == utterance


def test_a_line_of_text_alone_is_as_by_default():
    tensors = {"text": encode_utterance(Utterance("a", "Hello."))["text"]}
    assert decode_utterance(tensors, "a") == Utterance("a", "Hello.")


def test_two_lines_in_a_request_are_refused():
    text = np.array([[b"one"], [b"two"]], dtype=object)
    with pytest.raises(ValueError, match="one line a request"):
        decode_utterance({"text": text}, "a")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\x80"])
def test_a_text_that_is_no_utf_8_is_refused(text: bytes):
    with pytest.raises(ValueError, match="utf-8"):
        decode_utterance({"text": np.array([[text]], dtype=object)}, "a")


def test_a_speech_comes_back():
    assert_same(decode_speech(encode_speech(spoken())), spoken())


def test_a_speech_without_phones_and_pitch_comes_back():
    bare = replace(spoken(), phones=(), words=(), moods=(), f0=np.zeros(0, np.float32), f0_rate=0.0)
    assert_same(decode_speech(encode_speech(bare)), bare)


def test_a_motion_comes_back():
    curves = np.linspace(0, 1, 3 * len(CHANNELS), dtype=np.float32).reshape(3, -1)
    motion = decode_motion(encode_motion(FaceMotion(curves, CHANNELS, 29.97)), 29.97)
    assert (motion.channels, motion.fps) == (CHANNELS, 29.97)
    assert motion.curves.tobytes() == curves.tobytes()


@pytest.mark.parametrize(
    ("specs", "tensors"),
    [
        (UTTERANCE, encode_utterance(Utterance("a", "Hello."))),
        (SPEECH, encode_speech(spoken())),
    ],
    ids=["line", "speech"],
)
def test_tensors_are_as_the_configuration_says(
    specs: tuple[TensorSpec, ...], tensors: dict[str, np.ndarray]
):
    assert [spec.name for spec in specs] == list(tensors)
    for spec in specs:
        tensor = tensors[spec.name]
        assert tensor.dtype == NUMPY_TYPES[spec.datatype]
        assert tensor.ndim == 1 + len(spec.dims)
        for wanted, found in zip((1, *spec.dims), tensor.shape, strict=True):
            assert wanted in (-1, found)


@given(TEXTS)
def test_a_refusal_is_read_out_of_what_a_server_says(reason: str):
    refusal = Refusal("text", reason)
    assert read_refusal(f"[INVALID_ARG] {write_refusal(refusal)}") == refusal


def test_other_errors_are_no_refusals():
    assert read_refusal("Request for unknown model: 'x' is not found") is None
