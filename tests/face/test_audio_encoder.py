"""What every `AudioEncoder` must do."""

import numpy as np
import pytest

from tests.face.tiny_unitalker import babble, randomize
from unitaf.face.encoders import wav2vec2, wavlm
from unitaf.face.whisper import whisper_tiny_en
from unitaf.types import AudioEncoder


@pytest.fixture(scope="module", params=["wavlm", "wav2vec2", "whisper"])
def encoder(request: pytest.FixtureRequest) -> AudioEncoder:
    if request.param == "whisper":
        return whisper_tiny_en()
    encoder = {"wavlm": wavlm, "wav2vec2": wav2vec2}[request.param](32, 2, 2, 48, 16)
    randomize(encoder)
    return encoder.eval()


def test_features_follow_the_sound_at_the_promised_rate(encoder: AudioEncoder) -> None:
    seconds = [0.025, 0.4, 3.0, 1.37]
    encoded = encoder.encode([babble(int(16_000 * s)) for s in seconds])
    for features, duration_s in zip(encoded, seconds, strict=True):
        assert features.dtype == np.float32
        assert features.shape[1] == encoder.feature_dim
        assert features.shape[0] == pytest.approx(duration_s * encoder.feature_rate, abs=1.3)
        assert np.isfinite(features).all()


def test_a_clip_gets_what_it_gets_alone(encoder: AudioEncoder) -> None:
    waveforms = [babble(n, seed=n) for n in (20_000, 7000, 401)]
    for waveform, together in zip(waveforms, encoder.encode(waveforms), strict=True):
        (alone,) = encoder.encode([waveform])
        assert np.abs(alone - together).max() <= 1e-5 * max(1.0, np.abs(alone).max())


def test_no_clips_have_no_features(encoder: AudioEncoder) -> None:
    assert encoder.encode([]) == []


@pytest.mark.parametrize("waveform", [np.zeros(0), np.zeros(300), np.full(800, np.nan)])
def test_one_bad_clip_is_an_error(encoder: AudioEncoder, waveform: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the audio"):
        encoder.encode([babble(8000), waveform.astype(np.float32)])
