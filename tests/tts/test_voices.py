"""The list of voices."""

from pathlib import Path

import pytest

from unitaf.tts.espeak import Espeak
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.tts.voices import list_voices


def test_installed_voices_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engines = {
        "hibari": lambda voice: Hibari(voice=voice),
        "espeak": lambda voice: Espeak(voice=voice),
        "stub": lambda _: StubSpeech(),
    }
    installed = [voice for voice in list_voices() if voice.is_installed]
    assert [(voice.engine, voice.voice) for voice in installed] == [
        ("hibari", "heart"),
        ("espeak", "default"),
        ("stub", "silence"),
    ]
    for voice in installed:
        engine = engines[voice.engine](voice.voice)
        assert (engine.voice_of("Ann"), engine.licence) == (voice.voice, voice.licence)
        primaries = {tag.split("-")[0] for tag in voice.languages}
        assert primaries in ({"*"}, engine.languages)


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


def test_voices_of_kokoro_are_listed_with_what_they_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    voices = [voice for voice in list_voices() if voice.engine == "kokoro"]
    languages = {tag for voice in voices for tag in voice.languages}
    assert languages == {"en-US", "en-GB", "es", "fr", "it", "ja", "pt-BR", "zh"}
    assert all("unitaf voices install kokoro" in voice.note for voice in voices)
    assert not any(voice.is_installed for voice in voices)


def test_a_damaged_voice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    (tmp_path / "bf_emma.int8.onnx").write_bytes(b"half a download")
    with pytest.raises(ValueError, match="not the model of voice 'emma'"):
        Hibari(voice="emma")
