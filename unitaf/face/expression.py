"""What the lips do not explain: a residual on the mouth's motion, decided by emotion.

Conventions: ``face = mouth + delta``; sequences are (batch, frames, dim) and masks are true where a
step or frame is real. Emotion is one vector a clip: the eight strengths of `types.EMOTIONS`, or an
engine's own embedding. No checkpoint means no residual: none of these is ever used untrained. This
module knows nothing about engines or files.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651), section 4.1.3, and its published
inference code for `FilmResidual` and `CrossAttentionResidual`.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from unitaf.face.decoder import FrameGrid


class EmotionResidual(nn.Module):
    """The residual that the paper describes: emotion decides, lip channels are left alone.

    Mouth and features say when something happens; each block is scaled and shifted by the emotion
    (FiLM, Perez et al. 2018), which so decides what. It starts as no residual at all.

    Args:
        feature_dim: Width of the engine's features.
        is_free: Of each channel, whether the residual may move it; see
            `emotion_channels.emotion_channels`.
        emotion_dim: Numbers of an emotion.
        dim: Width inside.
        num_blocks: Convolutions over three frames.
    """

    is_free: Tensor

    def __init__(
        self,
        feature_dim: int,
        is_free: Sequence[bool],
        emotion_dim: int = 8,
        dim: int = 128,
        num_blocks: int = 3,
    ) -> None:
        super().__init__()
        self.register_buffer("is_free", torch.tensor(list(is_free)))
        self.features = nn.Linear(feature_dim, dim)
        self.mouth = nn.Linear(len(is_free), dim)
        self.blocks = nn.ModuleList(_EmotionBlock(dim, emotion_dim) for _ in range(num_blocks))
        self.out = nn.Linear(dim, len(is_free))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def frame_context(self) -> float:
        """How many frames a frame looks ahead and back."""
        return float(len(self.blocks))

    def forward(
        self,
        mouth: Float[Tensor, "batch frames channels"],
        features: Float[Tensor, "batch steps feature_dim"],
        emotion: Float[Tensor, "batch emotions"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
    ) -> Float[Tensor, "batch frames channels"]:
        """Return what to add to the mouth's motion; padded frames come out as anything."""
        hidden = grid.read(self.features(features)) + self.mouth(mouth)
        for block in self.blocks:
            hidden = block(hidden, emotion, grid.mask)
        delta: Tensor = self.out(hidden)
        return delta * self.is_free


class _EmotionBlock(nn.Module):
    def __init__(self, dim: int, emotion_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.film = nn.Linear(emotion_dim, 2 * dim)
        self.conv = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(
        self,
        hidden: Float[Tensor, "batch frames dim"],
        emotion: Float[Tensor, "batch emotions"],
        mask: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames dim"]:
        shaped = functional.gelu(_film(self.norm(hidden), self.film(emotion))) * mask[..., None]
        convolved: Tensor = self.conv(shaped.transpose(1, 2))
        return hidden + convolved.transpose(1, 2)


class FilmResidual(nn.Module):
    """UniTAF's published residual, FiLM mode: a transformer encoder, then one FiLM layer.

    Features, mouth and emotion are projected and summed; the emotion scales and shifts the result.
    It moves every channel, lips included, and sees the whole clip. No positions are encoded.

    Args:
        feature_dim: Width of the engine's features.
        channels: Curves of the face.
        emotion_dim: Numbers of an emotion; 1280 for IndexTTS2's.
        dim: Width inside.
        num_layers: Encoder layers.
        num_heads: Attention heads.
    """

    frame_context = math.inf
    """How many frames a frame looks ahead and back: all."""

    def __init__(
        self,
        feature_dim: int = 1024,
        channels: int = 61,
        emotion_dim: int = 1280,
        dim: int = 256,
        num_layers: int = 4,
        num_heads: int = 4,
    ) -> None:
        super().__init__()
        self.inputs = _SummedInputs(feature_dim, channels, emotion_dim, dim)
        layer = nn.TransformerEncoderLayer(dim, num_heads, 4 * dim, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.film = nn.Linear(emotion_dim, 2 * dim)
        self.out = _ScaledOutput(dim, channels)

    def forward(
        self,
        mouth: Float[Tensor, "batch frames channels"],
        features: Float[Tensor, "batch steps feature_dim"],
        emotion: Float[Tensor, "batch emotions"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
    ) -> Float[Tensor, "batch frames channels"]:
        """Return what to add to the mouth's motion; padded frames come out as anything."""
        fused, _ = self.inputs(mouth, features, emotion, step_mask, grid.mask)
        hidden = self.encoder(fused, src_key_padding_mask=~grid.mask)
        delta: Tensor = self.out(_film(hidden, self.film(emotion)))
        return delta


class CrossAttentionResidual(nn.Module):
    """UniTAF's published residual, cross-attention mode, its default.

    As `FilmResidual`, but each layer attends to itself and then to the projected mouth; the emotion
    enters only through the sum of the inputs. It moves every channel and sees the whole clip.

    Args:
        feature_dim: Width of the engine's features.
        channels: Curves of the face.
        emotion_dim: Numbers of an emotion; 1280 for IndexTTS2's.
        dim: Width inside.
        num_layers: Layers.
        num_heads: Attention heads.
    """

    frame_context = math.inf
    """How many frames a frame looks ahead and back: all."""

    def __init__(
        self,
        feature_dim: int = 1024,
        channels: int = 61,
        emotion_dim: int = 1280,
        dim: int = 256,
        num_layers: int = 4,
        num_heads: int = 4,
    ) -> None:
        super().__init__()
        self.inputs = _SummedInputs(feature_dim, channels, emotion_dim, dim)
        self.layers = nn.ModuleList(_CrossLayer(dim, num_heads) for _ in range(num_layers))
        self.out = _ScaledOutput(dim, channels)

    def forward(
        self,
        mouth: Float[Tensor, "batch frames channels"],
        features: Float[Tensor, "batch steps feature_dim"],
        emotion: Float[Tensor, "batch emotions"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
    ) -> Float[Tensor, "batch frames channels"]:
        """Return what to add to the mouth's motion; padded frames come out as anything."""
        hidden, memory = self.inputs(mouth, features, emotion, step_mask, grid.mask)
        for layer in self.layers:
            hidden = layer(hidden, memory, grid.mask)
        delta: Tensor = self.out(hidden)
        return delta


class _SummedInputs(nn.Module):
    """Project features, mouth and emotion, and add them at the frames of the face."""

    def __init__(self, feature_dim: int, channels: int, emotion_dim: int, dim: int) -> None:
        super().__init__()
        self.features = nn.Linear(feature_dim, dim)
        self.mouth = nn.Linear(channels, dim)
        self.emotion = nn.Linear(emotion_dim, dim)

    def forward(
        self,
        mouth: Float[Tensor, "batch frames channels"],
        features: Float[Tensor, "batch steps feature_dim"],
        emotion: Float[Tensor, "batch emotions"],
        step_mask: Bool[Tensor, "batch steps"],
        frame_mask: Bool[Tensor, "batch frames"],
    ) -> tuple[Float[Tensor, "batch frames dim"], Float[Tensor, "batch frames dim"]]:
        """Return the sum, and the projected mouth alone."""
        projected: Tensor = self.mouth(mouth)
        read = _stretched(step_mask, frame_mask).read(self.features(features))
        return read + projected + self.emotion(emotion)[:, None], projected


class _CrossLayer(nn.Module):
    """Self-attention, attention to the mouth, feed-forward; each normalised after its sum."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.to_self = nn.MultiheadAttention(dim, num_heads, dropout=0.1, batch_first=True)
        self.to_mouth = nn.MultiheadAttention(dim, num_heads, dropout=0.1, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(0.1), nn.Linear(4 * dim, dim)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(0.1)

    def forward(
        self,
        hidden: Float[Tensor, "batch frames dim"],
        memory: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames dim"]:
        attended, _ = self.to_self(
            hidden, hidden, hidden, key_padding_mask=~mask, need_weights=False
        )
        hidden = self.norms[0](hidden + self.dropout(attended))
        attended, _ = self.to_mouth(
            hidden, memory, memory, key_padding_mask=~mask, need_weights=False
        )
        hidden = self.norms[1](hidden + self.dropout(attended))
        fed: Tensor = self.norms[2](hidden + self.dropout(self.feed_forward(hidden)))
        return fed


class _ScaledOutput(nn.Module):
    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, channels))
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(
        self, hidden: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames channels"]:
        delta: Tensor = self.layers(hidden) * self.scale
        return delta


def _film(
    hidden: Float[Tensor, "batch frames dim"], modulation: Float[Tensor, "batch double_dim"]
) -> Float[Tensor, "batch frames dim"]:
    """Scale by the first half of the modulation, from 1, and shift by the second."""
    scale, shift = modulation[:, None].chunk(2, dim=-1)
    return hidden * (1.0 + scale) + shift


def _stretched(
    step_mask: Bool[Tensor, "batch steps"], frame_mask: Bool[Tensor, "batch frames"]
) -> FrameGrid:
    """Spread each clip's steps over its frames, ends not aligned: centres are at (i + 0.5) / n."""
    steps = step_mask.sum(1, keepdim=True).to(torch.float64)
    frames = frame_mask.sum(1, keepdim=True)
    centres = torch.arange(frame_mask.shape[1], device=frame_mask.device) + 0.5
    positions = (centres * steps / frames - 0.5).clamp(min=0.0)
    return FrameGrid(torch.minimum(positions, steps - 1.0) * frame_mask, frame_mask)
