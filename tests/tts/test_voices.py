"""The list of voices."""

from pathlib import Path

import pytest

from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.tts.voices import list_voices


def test_installed_voices_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    engines = {"hibari": lambda voice: Hibari(voice=voice), "stub": lambda _: StubSpeech()}
    installed = [voice for voice in list_voices() if voice.is_installed]
    assert [(voice.engine, voice.voice) for voice in installed] == [
        ("hibari", "heart"),
        ("stub", "silence"),
    ]
    for voice in installed:
        engine = engines[voice.engine](voice.voice)
        assert (engine.voice_of("Ann"), engine.licence) == (voice.voice, voice.licence)
        assert {tag.split("-")[0] for tag in voice.languages} == engine.languages


def test_other_voices_say_where_they_belong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    (emma,) = (voice for voice in list_voices() if voice.voice == "emma")
    assert not emma.is_installed
    assert emma.languages == ("en-GB",)
    assert str(tmp_path) in emma.note
    with pytest.raises(ValueError, match="'emma' is not installed"):
        Hibari(voice="emma")


def test_a_damaged_voice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    (tmp_path / "bf_emma.int8.onnx").write_bytes(b"half a download")
    with pytest.raises(ValueError, match="not the model of voice 'emma'"):
        Hibari(voice="emma")
