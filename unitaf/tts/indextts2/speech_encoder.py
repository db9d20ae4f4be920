"""The first 17 layers of w2v-BERT 2.0, as features of a voice (Barrault et al. 2023).

The layers are transformers' own, built from a configuration in code. The features are standardised
with published statistics.

Conventions: 50 frames a second. An odd last 10 ms frame is stacked with padding; such a frame has
mask 0 but its output is kept and used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from unitaf.audio import torchaudio_functional
from unitaf.tts.indextts2.frontend import SPEECH_RATE, Waveform
from unitaf.tts.indextts2.sizes import SpeechEncoderSizes

_FRAME, _HOP, _STRIDE = 400, 160, 2


@dataclass(frozen=True, slots=True, eq=False)
class SpeechInputs:
    """Stacked filter bank features of some clips, padded at the right."""

    values: Float[Tensor, "batch steps bins"]
    valid: Int64[Tensor, " batch"]
    """Frames that are made of real audio; the mask is true for these."""
    lengths: Int64[Tensor, " batch"]
    """Frames of each clip, a half-padded last one included."""


def speech_inputs(waveforms: Sequence[Waveform]) -> SpeechInputs:
    """Compute what the encoder reads from clips at 16 kHz, each normalised on its own."""
    extracted = _extractor()(
        list(waveforms), sampling_rate=SPEECH_RATE, return_tensors="pt", padding=True
    )
    return SpeechInputs(
        extracted["input_features"].float(),
        extracted["attention_mask"].sum(dim=1, dtype=torch.int64),
        torch.tensor([num_steps(len(waveform)) for waveform in waveforms]),
    )


def num_steps(num_samples: int) -> int:
    """Return how many frames the features of a clip at 16 kHz have, a half one included."""
    frames = 1 + (num_samples - _FRAME) // _HOP
    return -(-frames // _STRIDE)


class SpeechEncoder(nn.Module):
    """Stacked filter bank features to standardised hidden states.

    Args:
        sizes: Published or reduced sizes; the last layer gives the features.

    Attributes:
        model: The layers, under their published keys.
        mean: Published mean of every feature.
        var: Published variance.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, sizes: SpeechEncoderSizes) -> None:
        super().__init__()
        torchaudio_functional()  # transformers imports torchaudio, which alone would fail on a CPU.
        from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

        self.model = Wav2Vec2BertModel(
            Wav2Vec2BertConfig(
                hidden_size=sizes.width,
                intermediate_size=sizes.feed_forward,
                num_attention_heads=sizes.heads,
                num_hidden_layers=sizes.layers,
                mask_time_prob=0.0,
                mask_feature_prob=0.0,
                layerdrop=0.0,
            )
        )
        self.register_buffer("mean", torch.zeros(sizes.width))
        self.register_buffer("var", torch.ones(sizes.width))

    def forward(
        self, values: Float[Tensor, "batch steps bins"], valid: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch steps feature"]:
        """Encode clips; see `SpeechInputs`."""
        mask = (torch.arange(values.shape[1], device=values.device) < valid[:, None]).long()
        hidden: Tensor = self.model(values, attention_mask=mask).last_hidden_state
        return (hidden - self.mean) / self.var.sqrt()

    def read(self, waveforms: Sequence[Waveform]) -> "SpeechFeatures":
        """Return the features of clips at 16 kHz, on the device and in the type of the encoder."""
        inputs = speech_inputs(waveforms)
        valid, lengths = inputs.valid.to(self.mean.device), inputs.lengths.to(self.mean.device)
        return SpeechFeatures(self(inputs.values.to(self.mean), valid), valid, lengths)


@dataclass(frozen=True, slots=True, eq=False)
class SpeechFeatures:
    """Standardised features of some clips, padded at the right; fields as in `SpeechInputs`."""

    values: Float[Tensor, "batch steps feature"]
    valid: Int64[Tensor, " batch"]
    lengths: Int64[Tensor, " batch"]


@cache
def _extractor() -> Any:
    torchaudio_functional()  # As above.
    from transformers import SeamlessM4TFeatureExtractor

    return SeamlessM4TFeatureExtractor(  # type: ignore[no-untyped-call]
        feature_size=80,
        num_mel_bins=80,
        sampling_rate=SPEECH_RATE,
        padding_value=1.0,
        stride=_STRIDE,
    )
