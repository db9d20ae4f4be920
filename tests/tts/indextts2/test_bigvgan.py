import pytest
import torch
from torch import nn

from tests.tts.indextts2 import tiny
from unitaf.audio import torchaudio_functional
from unitaf.tts.indextts2.bigvgan import Vocoder, lowpass_taps


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return tiny.randomised(Vocoder(tiny.VOCODER), scale=0.5)


@torch.no_grad()
def test_waveforms_are_those_of_transformers(vocoder: Vocoder) -> None:
    torchaudio_functional()
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import (
        Qwen2_5OmniBigVGANConfig,
    )
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
        Qwen2_5OmniToken2WavBigVGANModel,
    )

    sizes = tiny.VOCODER
    reference = Qwen2_5OmniToken2WavBigVGANModel(
        Qwen2_5OmniBigVGANConfig(
            mel_dim=sizes.num_mels,
            upsample_initial_channel=sizes.width,
            resblock_kernel_sizes=list(sizes.block_kernels),
            resblock_dilation_sizes=[list(each) for each in sizes.block_dilations],
            upsample_rates=list(sizes.rates),
            upsample_kernel_sizes=list(sizes.kernels),
        )
    ).eval()
    missing, unexpected = reference.load_state_dict(vocoder.state_dict(), strict=False)
    assert not unexpected
    assert all(key.endswith("filter") for key in missing)
    reference.process_mel_spectrogram = lambda mel: mel  # It scales decibels; ours are logarithms.
    mel = torch.randn(1, 80, 20)
    expected = reference(mel).flatten()
    waveform = vocoder(mel, torch.tensor([20]))[0]
    assert 0.01 < waveform.abs().max() < 1.0
    torch.testing.assert_close(waveform, expected, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_a_batch_gives_each_line_its_own_waveform_to_the_last_sample(vocoder: Vocoder) -> None:
    mels = [torch.randn(80, frames) for frames in (9, 23, 2)]
    lengths = torch.tensor([mel.shape[1] for mel in mels])
    padded = [nn.functional.pad(mel, (0, 23 - mel.shape[1]), value=5.0) for mel in mels]
    waveforms = vocoder(torch.stack(padded), lengths)
    for row, mel in enumerate(mels):
        samples = vocoder.hop * mel.shape[1]
        alone = vocoder(mel[None], lengths[row : row + 1])[0]
        torch.testing.assert_close(waveforms[row, :samples], alone, atol=1e-5, rtol=1e-4)
        assert not waveforms[row, samples:].any()


def test_the_filter_passes_silence_and_constants() -> None:
    taps = lowpass_taps()
    assert taps.sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(taps, taps.flip(0))
