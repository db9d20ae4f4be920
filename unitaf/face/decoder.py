"""How features become motion: UniTalker's decoders, heads, PCA and frame-rate conversion.

Conventions: sequences are (batch, frames, dim); clips of different length share a batch through
masks, true where a frame is real, and every clip gets what it would get alone. Encoder steps are
read at fractional positions, in steps. This module knows no audio, files or channel names.

Source: UniTalker, arXiv 2408.00762, section 3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from unitaf import timing

TRANSFORMER_HEADS = 4


def length_mask(lengths: Sequence[int], size: int) -> Bool[Tensor, "batch frames"]:
    """Return true for the first `lengths[i]` of `size` frames of each row."""
    return torch.arange(size)[None, :] < torch.tensor(list(lengths))[:, None]


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """Where each output frame of each clip reads the sequence that it is made from."""

    positions: Float[Tensor, "batch frames"]
    """In steps, fractional, never beyond the clip's last step; 0 in padded frames."""
    mask: Bool[Tensor, "batch frames"]

    @staticmethod
    def aligned(steps: Sequence[int], frames: Sequence[int]) -> "FrameGrid":
        """Spread the frames evenly from the first to the last step, as UniTalker does.

        Frame i of F reads step i * (T - 1) / (F - 1): a little early, the more so the shorter the
        clip, because the encoder gives about one step less than its rate promises.
        """
        ratio = [(t - 1) / max(f - 1, 1) for t, f in zip(steps, frames, strict=True)]
        return FrameGrid._at(torch.tensor(ratio, dtype=torch.float64), steps, frames)

    @staticmethod
    def on_clock(
        steps: Sequence[int], frames: Sequence[int], step_rate: float, fps: float
    ) -> "FrameGrid":
        """Read frame i at its own time, i / fps; frames after the last step hold it."""
        ratio = float(timing.exact_rate(step_rate) / timing.exact_rate(fps))
        return FrameGrid._at(torch.full((len(steps),), ratio, dtype=torch.float64), steps, frames)

    @staticmethod
    def _at(
        ratio: Float[Tensor, " batch"], steps: Sequence[int], frames: Sequence[int]
    ) -> "FrameGrid":
        if min(steps) < 1 or min(frames) < 1:
            raise ValueError(f"every clip needs a step and a frame, not {steps} and {frames}")
        mask = length_mask(frames, max(frames))
        last = torch.tensor(list(steps), dtype=torch.float64)[:, None] - 1
        positions = torch.arange(max(frames), dtype=torch.float64)[None, :] * ratio[:, None]
        return FrameGrid(torch.minimum(positions, last) * mask, mask)

    def read(self, values: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch frames dim"]:
        """Return the sequence at the grid's positions, linear between its steps.

        No step beyond a clip's last is looked at.
        """
        before, after, share = (part.to(values.device) for part in self._parts)
        first = torch.arange(len(values), device=values.device)[:, None] * values.shape[1]
        rows = values.flatten(0, 1)
        left = rows.index_select(0, (first + before).flatten())
        right = rows.index_select(0, (first + after).flatten())
        mixed = torch.lerp(left, right, share.to(values.dtype).flatten()[:, None])
        return mixed.reshape(*before.shape, -1)

    @cached_property
    def _parts(
        self,
    ) -> tuple[
        Int[Tensor, "batch frames"], Int[Tensor, "batch frames"], Float[Tensor, "batch frames"]
    ]:
        """The step before each frame, the one after it, and how far it lies behind the first."""
        before = self.positions.floor()
        after = self.positions.ceil()
        return before.long(), after.long(), self.positions - before


class TcnBlock(nn.Module):
    """One residual convolution over three frames: ReLU(LayerNorm(conv(x)) + x).

    Args:
        in_dim: Where it differs from `dim`, the residual has a convolution of its own.
        dim: Output channels.
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_dim, dim, 3, padding=1)
        self.norm = nn.LayerNorm(dim)
        self.shortcut = nn.Conv1d(in_dim, dim, 3, padding=1) if in_dim != dim else nn.Identity()

    def forward(
        self, inputs: Float[Tensor, "batch frames in_dim"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Convolve real frames; what lies outside a clip counts as zero."""
        channels_first = inputs.masked_fill(~mask[..., None], 0.0).transpose(1, 2)
        straight = self.norm(self.conv(channels_first).transpose(1, 2))
        around: Tensor = self.shortcut(channels_first)
        return torch.relu(straight + around.transpose(1, 2))


class TcnDecoder(nn.Module):
    """UniTalker's convolutional decoder: features and a speaking style in, motion features out.

    Three blocks of three frames each see seven frames. The last row of the style table is the
    pivot: nobody's own style, trained by replacing others at random.

    Args:
        feature_dim: Width of the features.
        num_styles: Rows of the style table, the pivot included.
        dim: Width inside and out.
        style_dim: Width of a style vector.
    """

    def __init__(
        self, feature_dim: int, num_styles: int, dim: int = 256, style_dim: int = 64
    ) -> None:
        super().__init__()
        self.styles = nn.Embedding(num_styles, style_dim)
        self.project = nn.Linear(feature_dim, dim)
        self.dropout = nn.Dropout(0.1)
        widths = (dim + style_dim, dim, dim)
        self.blocks = nn.ModuleList(TcnBlock(width, dim) for width in widths)

    def forward(
        self,
        features: Float[Tensor, "batch frames feature_dim"],
        mask: Bool[Tensor, "batch frames"],
        style_ids: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames dim"]:
        """Decode; padded frames come out as anything."""
        projected = self.dropout(self.project(features))
        style = self.styles(style_ids)[:, None, :].expand(-1, features.shape[1], -1)
        hidden = torch.cat([projected, style], dim=-1)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return hidden


class TransformerDecoder(nn.Module):
    """UniTalker's other decoder: one post-norm layer, causal, each frame seeing its own features.

    The query of a frame is the style plus a sinusoid that repeats every `period` frames; attention
    to earlier frames falls off in steps of a period (FaceFormer, arXiv 2112.05329, section 3.2). It
    decodes any batch and length; the published code takes one clip of at most 3,000 frames.

    Args:
        feature_dim: Width of the features.
        num_styles: Rows of the style table, the pivot included.
        dim: Width inside and out, and of a style vector; a multiple of 4.
        period: Frames.
    """

    def __init__(self, feature_dim: int, num_styles: int, dim: int = 256, period: int = 30) -> None:
        super().__init__()
        self.period = period
        self.styles = nn.Embedding(num_styles, dim)
        self.project = nn.Linear(feature_dim, dim)
        self.dropout = nn.Dropout(0.1)
        self.layer = nn.TransformerDecoderLayer(
            dim, TRANSFORMER_HEADS, 2 * dim, dropout=0.1, batch_first=True
        )

    def self_attention_bias(self, frames: int) -> Float[Tensor, "heads frames frames"]:
        """Return what is added to the self-attention of each head; minus infinity in the future."""
        times = torch.arange(frames, device=self.styles.weight.device)
        age = times[:, None] - times[None, :]
        periods = torch.div(age, self.period, rounding_mode="floor")
        slopes = 2.0 ** (-2.0 * torch.arange(1, TRANSFORMER_HEADS + 1, device=times.device))
        return (-slopes[:, None, None] * periods).masked_fill(age < 0, -math.inf)

    def query(
        self, style_ids: Int[Tensor, " batch"], frames: int
    ) -> Float[Tensor, "batch frames dim"]:
        """Return the style of every frame plus the repeating sinusoid."""
        dim, device = self.styles.embedding_dim, self.styles.weight.device
        times = torch.arange(frames, device=device) % self.period
        rates = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10_000.0) / dim))
        angles = times[:, None] * rates
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        queries: Tensor = self.dropout(self.styles(style_ids)[:, None, :] + waves)
        return queries

    def forward(
        self,
        features: Float[Tensor, "batch frames feature_dim"],
        mask: Bool[Tensor, "batch frames"],
        style_ids: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames dim"]:
        """Decode; padded frames come out as anything, and no real frame looks at them."""
        frames = features.shape[1]
        features = features.masked_fill(~mask[..., None], 0.0)
        elsewhere = ~torch.eye(frames, dtype=torch.bool, device=features.device)
        bias = self.self_attention_bias(frames)
        decoded: Tensor = self.layer(
            self.query(style_ids, frames),
            self.project(features),
            tgt_mask=bias.repeat(len(features), 1, 1),
            memory_mask=elsewhere,
        )
        return decoded


def make_head(dim: int, size: int, num_layers: int = 1) -> nn.Module:
    """Return an output head; a single layer starts at zero, so at the identity's own template.

    Args:
        dim: Width of the decoder.
        size: Numbers of a frame.
        num_layers: Linear layers, with tanh between them.
    """
    if num_layers == 1:
        head = nn.Linear(dim, size)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head
    layers: list[nn.Module] = []
    for _ in range(num_layers - 1):
        layers += [nn.Linear(dim, dim), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(dim, size))


class PcaBasis(nn.Module):
    """The linear space that a vertex head predicts in: coefficients to displacements and back.

    Coefficients are neither centred nor scaled; the basis need not be exactly orthonormal.

    Args:
        basis: One component a row, the strongest first.
        mean: Mean of the data.
        num_components: How many rows to keep.
    """

    basis: Tensor
    mean: Tensor

    def __init__(
        self,
        basis: Float[Tensor, "rank raw"],
        mean: Float[Tensor, " raw"],
        num_components: int = 512,
    ) -> None:
        super().__init__()
        self.register_buffer("basis", basis[:num_components].clone())
        self.register_buffer("mean", mean.clone())

    @property
    def num_components(self) -> int:
        """How many coefficients a frame has."""
        return int(self.basis.shape[0])

    def decode(
        self, coefficients: Float[Tensor, "batch frames rank"]
    ) -> Float[Tensor, "batch frames raw"]:
        """Return the displacements that coefficients stand for."""
        return coefficients @ self.basis + self.mean

    def encode(
        self, displacements: Float[Tensor, "batch frames raw"]
    ) -> Float[Tensor, "batch frames rank"]:
        """Return the coefficients of displacements: the training target of a PCA head."""
        return (displacements - self.mean) @ self.basis.T
