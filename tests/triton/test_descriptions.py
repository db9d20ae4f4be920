"""What a server says of its engine and its face is what they say of themselves."""

import pytest

from unitaf.errors import ConfigError
from unitaf.face.visemes import VisemeAnimator
from unitaf.triton.descriptions import (
    PARAMETER,
    describe_face,
    describe_speech,
    encode_description,
    read_face,
    read_speech,
)
from unitaf.tts.stub import StubSpeech


def config_of(text: str) -> dict[str, object]:
    return {"parameters": {PARAMETER: {"string_value": text}}}


def test_an_engine_comes_back():
    described = describe_speech(StubSpeech(), ["Ann"])
    found = read_speech(config_of(encode_description(described)), "m")
    assert found == described
    assert set(found.voices) == {"Ann", "*"}
    assert found.fingerprint == StubSpeech().fingerprint


def test_a_face_comes_back():
    described = describe_face(VisemeAnimator())
    assert read_face(config_of(encode_description(described)), "m") == described


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "was not written by `unitaf serve export`"),
        (config_of('{"revision":0}'), "another version of unitaf"),
        (config_of(encode_description(describe_face(VisemeAnimator()))), "makes no speech"),
    ],
)
def test_what_is_no_engine_is_said_in_a_sentence(config: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        read_speech(config, "model 'm' of grpc://host:8001")


def test_what_is_no_face_is_said_in_a_sentence():
    text = encode_description(describe_speech(StubSpeech(), []))
    with pytest.raises(ConfigError, match="moves no face"):
        read_face(config_of(text), "model 'm' of grpc://host:8001")
