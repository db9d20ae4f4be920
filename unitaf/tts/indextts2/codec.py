"""The semantic codec: speech features to codes, and codes to vectors.

MaskGCT's RepCodec (Wang et al. 2024), of which IndexTTS2 2.0 uses the encoder and the quantiser:
one code for each frame of 20 ms. Keys are the published ones with weight norm folded.

Conventions: a batch is padded at the right; what lies behind a line changes nothing.
"""

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.conformer import frame_mask
from unitaf.tts.indextts2.sizes import SPEECH_FEATURE_DIM, CodecSizes

_KERNEL = 7
_EPS = 1e-6


class SemanticCodec(nn.Module):
    """Encoder and quantiser.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            [ConvNextEncoder(sizes), nn.Linear(sizes.width, SPEECH_FEATURE_DIM)]
        )
        self.quantizer = ResidualQuantizer(sizes)

    def forward(
        self, features: Float[Tensor, "batch steps feature"], lengths: Int[Tensor, " batch"]
    ) -> Int64[Tensor, "batch steps"]:
        """Return the code of every frame of normalised speech features."""
        present = frame_mask(lengths, features.shape[1])
        hidden = self.encoder[0](features, present)
        codes: Tensor = self.quantizer(self.encoder[1](hidden))
        return codes

    def vectors(self, codes: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch feature"]:
        """Return the vector that each code stands for."""
        return self.quantizer.vectors(codes)


class ConvNextEncoder(nn.Module):
    """Convolutional encoder of Vocos (Siuzdak 2023): ConvNeXt blocks over time."""

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.embed = nn.Conv1d(SPEECH_FEATURE_DIM, sizes.width, _KERNEL, padding=_KERNEL // 2)
        self.norm = nn.LayerNorm(sizes.width, eps=_EPS)
        self.convnext = nn.ModuleList(
            ConvNextBlock(sizes.width, sizes.feed_forward) for _ in range(sizes.layers)
        )
        self.final_layer_norm = nn.LayerNorm(sizes.width, eps=_EPS)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature"],
        present: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch steps dim"]:
        """Encode the frames of each line."""
        mask = present[..., None]
        hidden: Tensor = self.norm(self.embed((features * mask).transpose(1, 2)).transpose(1, 2))
        for block in self.convnext:
            hidden = block(hidden, mask)
        normed: Tensor = self.final_layer_norm(hidden)
        return normed


class ConvNextBlock(nn.Module):
    """Depthwise convolution, then two layers with GELU, scaled and added."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.pwconv1 = nn.Linear(width, inner)
        self.pwconv2 = nn.Linear(inner, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(
        self, hidden: Float[Tensor, "batch steps dim"], mask: Bool[Tensor, "batch steps 1"]
    ) -> Float[Tensor, "batch steps dim"]:
        """Apply the block."""
        mixed = self.dwconv((hidden * mask).transpose(1, 2)).transpose(1, 2)
        mixed = self.pwconv2(functional.gelu(self.pwconv1(self.norm(mixed))))
        out: Tensor = hidden + self.gamma * mixed
        return out


class ResidualQuantizer(nn.Module):
    """The quantiser; a residual one in the published file, but with a single stage."""

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList([Quantizer(sizes)])

    def forward(self, hidden: Float[Tensor, "batch steps feature"]) -> Int64[Tensor, "batch steps"]:
        """Return the nearest code of every frame."""
        codes: Tensor = self.quantizers[0](hidden)
        return codes

    def vectors(self, codes: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch feature"]:
        """Return the vector of every code."""
        stage = self.quantizers[0]
        assert isinstance(stage, Quantizer)
        return stage.vectors(codes)


class Quantizer(nn.Module):
    """A codebook in a small space: the search is by cosine, the entry is used as it is."""

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.in_project = nn.Conv1d(SPEECH_FEATURE_DIM, sizes.code_dim, 1)
        self.codebook = nn.Embedding(sizes.num_codes, sizes.code_dim)
        self.out_project = nn.Conv1d(sizes.code_dim, SPEECH_FEATURE_DIM, 1)

    def forward(self, hidden: Float[Tensor, "batch steps feature"]) -> Int64[Tensor, "batch steps"]:
        """Return the code with the largest cosine to each frame."""
        projected = self.in_project(hidden.transpose(1, 2)).transpose(1, 2)
        entries = functional.normalize(self.codebook.weight, dim=-1)
        return (functional.normalize(projected, dim=-1) @ entries.T).argmax(-1)

    def vectors(self, codes: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch feature"]:
        """Return the projected entry of every code."""
        weight, bias = self.out_project.weight[..., 0], self.out_project.bias
        return functional.linear(self.codebook(codes), weight, bias)
