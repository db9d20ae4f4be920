"""IndexTTS2's public protocol, spoken with a model of a real Triton server that keeps to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.serving.triton_server import TritonServer
from unitaf.audio import encode_audio
from unitaf.build import build_face, build_tts
from unitaf.config import AutoFaceConfig, FaceModelConfig, load_config
from unitaf.errors import BackendError, ConfigError, InputError
from unitaf.face.visemes import VisemeAnimator
from unitaf.triton.client import Limits, TritonClient
from unitaf.triton.tensors import Tensors
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2_server import IndexTts2Server
from unitaf.types import TextToSpeech, Utterance

ANGRY = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
RATE = 22050


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two voices: a deep one and a high one."""
    folder = tmp_path_factory.mktemp("clips")
    times = np.arange(RATE) / RATE
    for name, pitch_hz in (("ann", 100), ("rage", 200)):
        wave = (0.5 * np.sin(2 * np.pi * pitch_hz * times)).astype(np.float32)
        (folder / f"{name}.wav").write_bytes(encode_audio(wave, RATE, "wav"))
    return folder


def engine(url: str, clips: Path, *overrides: str, voice: str = "") -> TextToSpeech:
    voices = f"tts.voices={{Ann: {{reference: {clips}/ann.wav{voice}}}}}"
    settings = ["tts.kind=indextts2_server", f"tts.url={url}", "tts.licence_accepted=true", voices]
    return build_tts(load_config(None, [*settings, *overrides]).tts)


def line(text: str, **more: object) -> Utterance:
    return Utterance(text, text, **{"speaker": "Ann", **more})


def test_lines_of_a_batch_come_back_without_the_padding(
    indextts2_server: TritonServer, clips: Path
):
    tts = engine(indextts2_server.url, clips)
    lines = [line("Stop!"), line("Who goes there at night?"), line("Now.")]
    speeches = tts.synthesize(lines)
    assert [speech.num_samples for speech in speeches] == [2205 * len(u.text) for u in lines]
    for speech in speeches:
        assert speech.sample_rate == tts.sample_rate == RATE
        assert np.abs(speech.waveform).max() == pytest.approx(0.5, abs=1e-3)
        assert np.abs(speech.waveform[-100:]).max() > 0.1
        assert speech.features.shape[1] == tts.feature_dim == 0


def test_the_emotion_of_a_line_is_sent_as_numbers(indextts2_server: TritonServer, clips: Path):
    [speech] = engine(indextts2_server.url, clips).synthesize([line("Stop!", emotion=ANGRY)])
    assert np.abs(speech.waveform).max() == pytest.approx(0.25, abs=1e-3)


def test_the_emotion_of_a_voice_is_sent_as_a_clip_with_its_share(
    indextts2_server: TritonServer, clips: Path
):
    voice = f", emotion: {clips}/rage.wav, alpha: 0.8"
    tts = engine(indextts2_server.url, clips, voice=voice)
    [speech] = tts.synthesize([line("Stop!")])
    assert np.abs(speech.waveform).max() == pytest.approx(0.4, abs=1e-3)
    crossings = (np.diff(np.signbit(speech.waveform)) != 0).sum()
    assert crossings / speech.duration_s == pytest.approx(400, abs=5)
    assert tts.fingerprint != engine(indextts2_server.url, clips).fingerprint


def test_the_face_hears_speech_without_features(indextts2_server: TritonServer, clips: Path):
    job = load_config(None, [])
    tts = engine(indextts2_server.url, clips)
    face = build_face(job.face, tts)
    lines = [line("Stop!")]
    [motion] = face.animate(lines, tts.synthesize(lines), 30.0)
    assert len(motion.curves) == 15
    assert face.fingerprint != VisemeAnimator().fingerprint
    with pytest.raises(ConfigError, match="reads an engine's features, and this one gives none"):
        build_face(FaceModelConfig(kind="model"), tts)


def test_features_may_be_those_of_the_embedded_voice(indextts2_server: TritonServer, clips: Path):
    tts = engine(indextts2_server.url, clips, "tts.features=hibari")
    assert tts.languages == {"en"}
    [speech] = tts.synthesize([line("Who goes there at night?")])
    assert speech.sample_rate == tts.sample_rate == 24000
    assert speech.features.shape[1] == tts.feature_dim == 256
    assert [word.text for word in speech.words] == ["Who", "goes", "there", "at", "night?"]
    assert speech.duration_s == pytest.approx(2.4, abs=1e-3)
    assert build_face(AutoFaceConfig(), tts).fingerprint.startswith("face_model")


@pytest.mark.parametrize(
    ("bad", "message", "column"),
    [
        (line("..."), "nothing to say", "text"),
        (line("Stop!", speaker="Bob"), "no voice for 'Bob'", "speaker"),
    ],
)
def test_a_line_that_cannot_be_said_is_not_sent(
    clips: Path, bad: Utterance, message: str, column: str
):
    with pytest.raises(InputError, match=message) as caught:
        engine("grpc://127.0.0.1:9", clips).synthesize([bad])
    assert (caught.value.utterance_id, caught.value.column) == (bad.id, column)


class Answering(TritonClient):
    """Gets the same answer to every line."""

    def __init__(self, answer: Tensors) -> None:
        super().__init__("grpc://host:8001", "m", Limits())
        self._answer = answer

    def ask(self, lines: Sequence[tuple[str, Tensors]]) -> list[Tensors]:
        return [self._answer for _ in lines]


def answer(**changes: np.ndarray) -> Tensors:
    one = {"audio_length": np.array([[3]], np.int32), "sample_rate": np.array([[RATE]], np.int32)}
    return {"audio": np.ones((1, 4), np.int16), **one, **changes}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"audio": np.ones((1, 4, 1), np.int16)}, r"3 of \(4, 1\) samples of int16 at 22050 Hz"),
        ({"audio": np.ones(1, np.int16)}, r"3 of \(\) samples"),
        ({"audio": np.ones((1, 4), np.float32)}, "samples of float32"),
        ({"audio_length": np.array([[5]], np.int32)}, r"5 of \(4,\) samples"),
        ({"audio_length": np.array([[b"many"]], object)}, "it answers "),
        ({"audio_length": np.array([3], np.int32)}, "it answers "),
        ({"sample_rate": np.array([[0]], np.int32)}, "at 0 Hz"),
    ],
)
def test_what_is_no_sound_is_told(clips: Path, wrong: dict[str, np.ndarray], told: str):
    voices = {"*": VoiceSource(f"{clips}/ann.wav")}
    [speech] = IndexTts2Server(Answering(answer()), voices, None).synthesize([line("Stop!")])
    assert speech.num_samples == 3
    tts = IndexTts2Server(Answering(answer(**wrong)), voices, None)
    with pytest.raises(BackendError, match=rf"'m' of grpc.* IndexTTS2's protocol: .*{told}"):
        tts.synthesize([line("Stop!")])


def test_an_emotion_in_words_is_for_the_engine_here(clips: Path):
    with pytest.raises(ConfigError, match="no emotion in words"):
        engine("grpc://127.0.0.1:9", clips, voice=", description: angry")


def test_the_terms_must_be_accepted(clips: Path):
    with pytest.raises(ConfigError, match="licence_accepted"):
        engine("grpc://127.0.0.1:9", clips, "tts.licence_accepted=false")
