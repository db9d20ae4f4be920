"""The way back from a recording to the strengths of a mix."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.tts.indextts2.published import teach_emotion, write_model
from unitaf.audio import decode_audio
from unitaf.errors import InputError
from unitaf.tts.indextts2.emotions import EmotionEar, explain_emotion
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.types import NEUTRAL, Emotion, Utterance

MIXED: Emotion = (0.0, 0.35, 0.2, 0.0, 0.0, 0.0, 0.25, 0.0)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from([0.0, 0.02, 1.0, 5.0]), min_size=9, max_size=9).filter(any),
    st.sampled_from([1e-3, 1.0, 300.0]),
)
def test_strengths_of_a_mix_are_found_again(seed: int, shares: list[float], scale: float) -> None:
    random = np.random.default_rng(seed)
    corners = (scale * random.standard_normal((9, 64))).astype(np.float32)
    corners += scale * random.standard_normal(64, np.float32)
    shares /= np.sum(shares)
    found = explain_emotion(corners[1:], corners[0], (shares @ corners).astype(np.float32))
    np.testing.assert_allclose(found, shares[1:], rtol=0, atol=1e-3)


POINTS = arrays(np.float32, (10, 3), elements=st.floats(-100, 100, width=32))
"""In so few dimensions that there are many ways to mix."""
FEW = arrays(np.float32, (10, 3), elements=st.sampled_from([-1.0, 0.0, 1.0]))
"""Some of them twice."""


@given(st.one_of(POINTS, FEW))
def test_whatever_is_heard_has_the_strengths_of_the_nearest_mix(points: np.ndarray) -> None:
    base, heard, *prototypes = points.astype(np.float64)
    found = explain_emotion(np.array(prototypes), base, heard)
    assert found.shape == (8,)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-12
    # From the nearest point of a convex hull every corner is on the side away from what was heard.
    mixed = found @ prototypes + (1 - found.sum()) * base
    corners = np.vstack([base, prototypes])
    towards = (corners - mixed) @ (heard - mixed)
    assert towards.max() <= 1e-9 * max(1.0, np.square(corners - heard).sum(1).max())


def test_the_base_itself_is_no_emotion() -> None:
    base = np.ones(5, np.float32)
    assert not explain_emotion(np.eye(8, 5, dtype=np.float32), base, base).any()
    assert not explain_emotion(np.ones((8, 5), np.float32), base, base).any()


def write(path: Path, seconds: float, seed: int, rate: int = 22050) -> Path:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, the clip of a voice, and a recording that is a mix."""
    folder = tmp_path_factory.mktemp("emotions")
    write_model(folder / "model")
    write(folder / "ann.wav", 0.9, 1)
    write(folder / "acted.wav", 1.3, 2, rate=48000)
    teach_emotion(folder / "model", folder / "ann.wav", folder / "acted.wav", MIXED)
    return folder


@pytest.fixture(scope="module")
def ear(folder: Path) -> EmotionEar:
    voices = {"ann": VoiceSource(str(folder / "ann.wav"))}
    return EmotionEar(IndexTts2(folder / "model", voices, SpeechSettings(), Hardware()), voices)


def test_a_recording_that_is_a_mix_is_read_back(ear: EmotionEar, folder: Path) -> None:
    said = Utterance("a", "Who?", speaker="ann")
    sound = decode_audio((folder / "acted.wav").read_bytes())
    heard = ear.hear(said, *sound)
    np.testing.assert_allclose(heard, MIXED, rtol=0, atol=2e-3)
    assert heard == ear.hear(said, *sound)
    assert all(round(1000 * each) / 1000 == each for each in heard)


def test_the_reference_clip_has_no_emotion(ear: EmotionEar, folder: Path) -> None:
    said = Utterance("a", "Who?", speaker="ann")
    assert ear.hear(said, *decode_audio((folder / "ann.wav").read_bytes())) == NEUTRAL


def test_a_speaker_without_a_voice_is_told(ear: EmotionEar, folder: Path) -> None:
    said = Utterance("a", "Who?", speaker="ben")
    with pytest.raises(InputError, match="no voice for 'ben'"):
        ear.hear(said, *decode_audio((folder / "ann.wav").read_bytes()))
