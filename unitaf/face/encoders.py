"""How speech becomes features: WavLM (UniTalker-B) and wav2vec 2.0 XLSR-53 (UniTalker-L).

Conventions: mono at 16 kHz, -1 to 1; one step for every 320 samples, each made from 400, so a clip
has about one step less than 50 a second. Clips of different length share a batch, and each gets
what it would get alone. The layers are those of transformers, built from sizes given here: nothing
is fetched. Whisper's encoder is in `whisper`.

Sources: WavLM, arXiv 2110.13900; wav2vec 2.0, arXiv 2006.11477; XLSR-53, arXiv 2006.13979.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from unitaf.audio import torchaudio_functional
from unitaf.face.decoder import length_mask
from unitaf.face.windows import in_batches

SAMPLE_RATE = 16_000
STEP_RATE = 50.0
"""Steps a second."""
MIN_SAMPLES = 400
"""The shortest clip that has a step: 25 ms."""
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)


def num_steps(num_samples: int) -> int:
    """Return how many steps a clip has after the convolutions; 0 if it is too short."""
    steps = num_samples
    for kernel, stride in zip(KERNELS, STRIDES, strict=True):
        steps = (steps - kernel) // stride + 1
    return max(steps, 0)


def check_waveform(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Refuse a waveform that no encoder can read, even after resampling.

    Raises:
        ValueError: Saying in one sentence what is wrong with it.
    """
    if waveform.ndim != 1:
        raise ValueError(f"the audio must be mono, but has shape {waveform.shape}: mix it down")
    if waveform.size == 0:
        raise ValueError("the audio is empty")
    if waveform.size * SAMPLE_RATE < MIN_SAMPLES * sample_rate:
        milliseconds = 1000 * waveform.size / sample_rate
        raise ValueError(f"the audio lasts {milliseconds:.3g} ms; at least 25 ms are needed")
    if not np.isfinite(waveform).all():
        raise ValueError("the audio holds values that are not finite numbers")


def normalize(waveform: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    """Return a waveform of zero mean and nearly unit variance, as XLSR-53 was trained on.

    The 1e-7 below the root keeps silence silent and leaves very quiet audio below unit variance.
    """
    deviation = np.sqrt(waveform.var() + np.float32(1e-7))
    return np.asarray((waveform - waveform.mean()) / deviation, np.float32)


def stacked(
    waveforms: Sequence[Float32[np.ndarray, " _"]], device: torch.device
) -> Float[Tensor, "batch samples"]:
    """Return waveforms as rows of one tensor, zero after the end of each."""
    rows = [torch.from_numpy(waveform).to(device) for waveform in waveforms]
    return pad_sequence(rows, batch_first=True)


class SpeechEncoder(nn.Module):
    """A self-supervised speech encoder: waveforms in, features at 50 steps a second out.

    Its two halves are separate, because UniTalker may convert the frame rate between them.

    Args:
        backbone: The transformers model whose layers are taken; see `wavlm` and `wav2vec2`.
        is_normalized: Whether each waveform goes through `normalize` first.
    """

    feature_rate = STEP_RATE

    def __init__(self, backbone: Any, is_normalized: bool) -> None:
        super().__init__()
        self.is_normalized = is_normalized
        self.feature_dim: int = backbone.config.hidden_size
        # Part of every published file; only masked pre-training reads it.
        self.masked_spec_embed: nn.Parameter = backbone.masked_spec_embed
        self.feature_extractor: nn.Module = backbone.feature_extractor
        self.feature_projection: nn.Module = backbone.feature_projection
        self.encoder: nn.Module = backbone.encoder

    def prepare(self, waveform: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
        """Return a waveform as the network wants it fed."""
        return normalize(waveform) if self.is_normalized else waveform

    def convolve(
        self, waveforms: Float[Tensor, "batch samples"], num_samples: Sequence[int]
    ) -> Float[Tensor, "batch steps conv_dim"]:
        """Return what the convolutions make of each waveform, as fed, zero after its last step.

        One clip at a time: WavLM's first layer normalises over the whole of a clip, so padding must
        not be in sight, and a clip alone is long enough to fill the machine.
        """
        rows = [
            self.feature_extractor(waveform[None, :length])[0].T
            for waveform, length in zip(waveforms, num_samples, strict=True)
        ]
        return pad_sequence(rows, batch_first=True)

    def transform(
        self,
        convolved: Float[Tensor, "batch steps conv_dim"],
        mask: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch steps feature_dim"]:
        """Return the features of convolved steps; padded steps come out as anything."""
        hidden, _ = self.feature_projection(convolved)
        attention_mask = None if bool(mask.all()) else mask
        features: Tensor = self.encoder(hidden, attention_mask=attention_mask).last_hidden_state
        return features

    def forward(
        self, waveforms: Float[Tensor, "batch samples"], num_samples: Sequence[int]
    ) -> Float[Tensor, "batch steps feature_dim"]:
        """Return the features of waveforms that are normalised where they must be."""
        convolved = self.convolve(waveforms, num_samples)
        mask = length_mask([num_steps(length) for length in num_samples], convolved.shape[1])
        return self.transform(convolved, mask.to(convolved.device))

    @torch.inference_mode()
    def encode(
        self, waveforms: Sequence[Float32[np.ndarray, " _"]]
    ) -> list[Float32[np.ndarray, "_ dim"]]:
        """Encode waveforms at 16 kHz, each as if it were alone.

        Raises:
            ValueError: If one of them cannot be encoded.
        """
        for waveform in waveforms:
            check_waveform(waveform)
        prepared = [self.prepare(waveform) for waveform in waveforms]
        return in_batches(prepared, self._encode_batch, SAMPLE_RATE, self.masked_spec_embed.device)

    def _encode_batch(
        self, waveforms: list[Float32[np.ndarray, " _"]]
    ) -> list[Float32[np.ndarray, "_ dim"]]:
        lengths = [len(waveform) for waveform in waveforms]
        features = self(stacked(waveforms, self.masked_spec_embed.device), lengths).cpu().numpy()
        return [row[: num_steps(length)] for row, length in zip(features, lengths, strict=True)]


def relative_buckets(
    distances: Int[Tensor, "..."], num_buckets: int = 320, max_distance: int = 800
) -> Int[Tensor, "..."]:
    """Return WavLM's bucket of key position less query position.

    The later half of the buckets is for keys after the query. Within a half, the first half of the
    buckets holds one distance each, the rest ever more, up to `max_distance` (arXiv 1910.10683).
    """
    half = num_buckets // 2
    exact = half // 2
    distance = distances.abs()
    octaves = torch.log(distance.float() / exact) / math.log(max_distance / exact)
    far = (exact + octaves * (half - exact)).long().clamp(max=half - 1)
    return (distances > 0).long() * half + torch.where(distance < exact, distance, far)


class GatedAttention(nn.Module):
    """WavLM's self-attention: every query scales a bias that depends on the distance of its key.

    As transformers has it, but without the weights that nobody reads, and with the bias looked up
    once for each distance. The first layer holds the table of biases and hands them to the others.

    Args:
        dim: Width.
        num_heads: Attention heads.
        has_table: Whether this is the first layer.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float, has_table: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.gru_rel_pos_const = nn.Parameter(torch.ones(1, num_heads, 1, 1))
        self.gru_rel_pos_linear = nn.Linear(dim // num_heads, 8)
        if has_table:
            self.rel_attn_embed = nn.Embedding(320, num_heads)

    def position_bias(self, steps: int) -> Float[Tensor, "heads steps steps"]:
        """Return the bias of every query and key, before the gate."""
        distances = torch.arange(1 - steps, steps, device=self.rel_attn_embed.weight.device)
        by_distance: Tensor = self.rel_attn_embed(relative_buckets(distances)).T
        return by_distance.unfold(1, steps, 1).flip(1)

    def forward(
        self,
        hidden_states: Float[Tensor, "batch steps dim"],
        attention_mask: Bool[Tensor, "batch steps"] | None = None,
        position_bias: Float[Tensor, "heads steps steps"] | None = None,
        index: int = 0,
    ) -> tuple[Tensor, None, Tensor]:
        """Return the attended values, no weights, and the bias for the next layer."""
        bias = position_bias
        if bias is None:
            bias = self.position_bias(hidden_states.shape[1])
        gates = self.gru_rel_pos_linear(self._by_head(hidden_states))
        first, second = gates.reshape(*gates.shape[:-1], 2, 4).sum(-1).sigmoid().split(1, dim=-1)
        gated = (first * (second * self.gru_rel_pos_const - 1.0) + 2.0) * bias
        if attention_mask is not None:
            gated = gated.masked_fill(~attention_mask[:, None, None, :], -torch.inf)
        mixed = functional.scaled_dot_product_attention(
            self._by_head(self.q_proj(hidden_states)),
            self._by_head(self.k_proj(hidden_states)),
            self._by_head(self.v_proj(hidden_states)),
            attn_mask=gated,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None, bias

    def _by_head(
        self, values: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch heads steps head_dim"]:
        return values.reshape(*values.shape[:2], self.num_heads, -1).transpose(1, 2)


def wavlm(
    dim: int = 768,
    num_layers: int = 12,
    num_heads: int = 12,
    feedforward_dim: int = 3072,
    conv_dim: int = 512,
) -> SpeechEncoder:
    """Return a WavLM encoder with random weights; the defaults are those of WavLM-base-plus."""
    torchaudio_functional()  # transformers imports torchaudio, which alone would fail on a CPU.
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig(
        **_shape(dim, num_layers, num_heads, feedforward_dim, conv_dim),
        conv_bias=False,
        feat_extract_norm="group",
        do_stable_layer_norm=False,
        layerdrop=0.05,
    )
    backbone = WavLMModel(config)
    for index, layer in enumerate(backbone.encoder.layers):
        layer.attention = GatedAttention(dim, num_heads, config.attention_dropout, index == 0)
    return SpeechEncoder(backbone, is_normalized=False)


def wav2vec2(
    dim: int = 1024,
    num_layers: int = 24,
    num_heads: int = 16,
    feedforward_dim: int = 4096,
    conv_dim: int = 512,
) -> SpeechEncoder:
    """Return a wav2vec 2.0 encoder with random weights; the defaults are those of XLSR-53."""
    torchaudio_functional()  # As in `wavlm`.
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        **_shape(dim, num_layers, num_heads, feedforward_dim, conv_dim),
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        layerdrop=0.1,
    )
    return SpeechEncoder(Wav2Vec2Model(config), is_normalized=True)


def _shape(
    dim: int, num_layers: int, num_heads: int, feedforward_dim: int, conv_dim: int
) -> dict[str, Any]:
    """Return the sizes under transformers' names, and the convolutions that both encoders have."""
    return {
        "hidden_size": dim,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "intermediate_size": feedforward_dim,
        "conv_dim": (conv_dim,) * len(KERNELS),
        "conv_kernel": KERNELS,
        "conv_stride": STRIDES,
    }
