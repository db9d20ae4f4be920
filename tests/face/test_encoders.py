from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from tests.face.tiny_unitalker import babble, randomize
from unitaf.audio import torchaudio_functional
from unitaf.face import encoders
from unitaf.face.encoders import SpeechEncoder

SIZES = (32, 2, 2, 48, 16)
MAKERS = {"wavlm": encoders.wavlm, "wav2vec2": encoders.wav2vec2}


def tiny(make: Callable[..., SpeechEncoder]) -> SpeechEncoder:
    encoder = make(*SIZES)
    randomize(encoder)
    return encoder.eval()


@pytest.fixture(scope="module", params=MAKERS.values(), ids=MAKERS)
def encoder(request: pytest.FixtureRequest) -> SpeechEncoder:
    return tiny(request.param)


def test_steps_are_counted_as_the_convolutions_make_them(encoder: SpeechEncoder) -> None:
    for num_samples in [400, 719, 720, 721, 5000, 16_000, 16_079, 16_080]:
        convolved = encoder.convolve(torch.zeros(1, num_samples), [num_samples])
        assert convolved.shape[1] == encoders.num_steps(num_samples)
    assert encoders.num_steps(399) == 0
    assert encoders.num_steps(400_000) == 1249


def test_a_padded_batch_gives_what_each_clip_gives_alone(encoder: SpeechEncoder) -> None:
    waveforms = [babble(n, seed=n) for n in (400, 32_000, 5000, 16_001, 5000)]
    together = encoder.encode(waveforms)
    for waveform, features in zip(waveforms, together, strict=True):
        assert features.shape == (encoders.num_steps(len(waveform)), encoder.feature_dim)
        assert np.allclose(features, encoder.encode([waveform])[0], atol=1e-5)


def test_what_stands_in_the_padding_does_not_matter(encoder: SpeechEncoder) -> None:
    quiet = torch.zeros(2, 9000)
    quiet[0], quiet[1, :4000] = torch.from_numpy(babble(9000)), torch.from_numpy(babble(4000))
    loud = quiet.clone()
    loud[1, 4000:] = 50.0
    steps = encoders.num_steps(4000)
    assert torch.equal(
        encoder(quiet, [9000, 4000])[1, :steps], encoder(loud, [9000, 4000])[1, :steps]
    )


def test_silence_has_finite_features(encoder: SpeechEncoder) -> None:
    assert np.isfinite(encoder.encode([np.zeros(8000, np.float32)])[0]).all()


def test_only_wav2vec2_ignores_the_level_of_its_input() -> None:
    waveform = babble(8000)
    for name, make in MAKERS.items():
        encoder = tiny(make)
        loud, soft = encoder.encode([waveform, waveform / 4])
        assert np.allclose(loud, soft, atol=1e-3) == (name == "wav2vec2")


def test_wavlm_equals_the_attention_of_transformers() -> None:
    """The layers are theirs except for the attention, which is checked against theirs."""
    encoder = tiny(encoders.wavlm)
    torchaudio_functional()
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        conv_dim=(16,) * 7,
    )  # fmt: skip
    reference = WavLMModel(config).eval()
    reference.load_state_dict(encoder.state_dict())
    waveform = babble(16_000 * 4)
    expected = reference(torch.from_numpy(waveform)[None]).last_hidden_state[0].detach().numpy()
    assert np.allclose(encoder.encode([waveform])[0], expected, atol=1e-5)


def test_buckets_grow_with_distance_and_tell_before_from_after() -> None:
    buckets = encoders.relative_buckets(torch.arange(-900, 901))
    before, after = buckets[:900].flip(0), buckets[901:]
    assert buckets[900] == 0
    assert torch.equal(after, before + 160)
    assert torch.equal(before[:79], torch.arange(1, 80))
    assert (before.diff() >= 0).all()
    assert before[-1] == 159


def test_normalized_audio_has_zero_mean_and_unit_variance() -> None:
    normalized = encoders.normalize(babble(16_000) + np.float32(0.3))
    assert normalized.mean() == pytest.approx(0, abs=1e-5)
    assert normalized.std() == pytest.approx(1, abs=1e-4)
    assert (encoders.normalize(np.zeros(500, np.float32)) == 0).all()


@pytest.mark.parametrize(
    ("waveform", "problem"),
    [
        (np.zeros(0, np.float32), "is empty"),
        (np.zeros(399, np.float32), r"lasts 24\.9 ms; at least 25 ms"),
        (np.full(8000, np.nan, np.float32), "not finite"),
        (np.zeros((8000, 8), np.float32), r"must be mono, but has shape \(8000, 8\)"),
    ],
)
def test_an_unusable_waveform_is_refused_in_one_sentence(
    waveform: np.ndarray, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        encoders.check_waveform(waveform)


def test_the_gradient_reaches_every_weight_that_is_used(encoder: SpeechEncoder) -> None:
    encoder.zero_grad()
    encoder(torch.from_numpy(babble(4000))[None], [4000]).square().sum().backward()
    unused = {name for name, weight in encoder.named_parameters() if weight.grad is None}
    assert unused == {"masked_spec_embed"}
    assert isinstance(encoder.masked_spec_embed, nn.Parameter)
