"""The conformer that reads speech features for the GPT's conditioning.

Conventions: a batch is padded at the right. `lengths` counts the frames a line has; what lies
behind does not exist and changes nothing. `valid` counts the frames that the reference's mask lets
through in training; it is shorter where the last frame of a line is half padding. The reference
masks such a frame before and after a convolution but not in between, so it leaks into its
neighbours; features of a training run are reproduced only with the leak, and it stays inside the
line.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.sizes import SPEECH_FEATURE_DIM, ConditioningSizes

_KERNEL = 15


class Conformer(nn.Module):
    """Speech features to half as many hidden frames (Gulati et al. 2020).

    It differs from the paper: no first half feed-forward, layer norm in the convolution, and
    positions that belong to the key alone, without the relative shift.

    Args:
        sizes: Width and depth.
    """

    def __init__(self, sizes: ConditioningSizes) -> None:
        super().__init__()
        self.embed = Subsampling(sizes.width)
        self.encoders = nn.ModuleList(ConformerBlock(sizes) for _ in range(sizes.layers))
        self.after_norm = nn.LayerNorm(sizes.width)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature"],
        lengths: Int[Tensor, " batch"],
        valid: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch halved dim"]:
        """Encode lines of different length; frame j is read from the frames 2j to 2j + 2."""
        hidden: Tensor = self.embed(features)
        steps = hidden.shape[1]
        masks = Masks(frame_mask(halved(lengths), steps), frame_mask(halved(valid), steps))
        positions = sinusoids(steps, hidden)
        for block in self.encoders:
            hidden = block(hidden, positions, masks)
        encoded: Tensor = self.after_norm(hidden)
        return encoded


class Masks:
    """Which frames exist, and which the reference's mask lets through.

    Args:
        present: False in the padding of the batch.
        valid: False also where the reference masks inside a line.
    """

    def __init__(
        self, present: Bool[Tensor, "batch steps"], valid: Bool[Tensor, "batch steps"]
    ) -> None:
        self.keys = valid[:, None, None, :]
        self.present = present[:, None, :]
        self.valid = valid[:, None, :]


class Subsampling(nn.Module):
    """Two-dimensional convolution of stride 2 over time and features, then one linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, width, 3, 2), nn.ReLU(inplace=True))
        self.out = nn.Sequential(nn.Linear(width * ((SPEECH_FEATURE_DIM - 1) // 2), width))
        self.scale = math.sqrt(width)

    def forward(
        self, features: Float[Tensor, "batch steps feature"]
    ) -> Float[Tensor, "batch halved dim"]:
        """Halve the frames: (steps - 1) // 2 are left."""
        planes: Tensor = self.conv(features[:, None])
        hidden: Tensor = self.out(planes.transpose(1, 2).flatten(2))
        return hidden * self.scale


class ConformerBlock(nn.Module):
    """Attention, convolution and feed-forward, each with a residual, then a norm."""

    def __init__(self, sizes: ConditioningSizes) -> None:
        super().__init__()
        self.self_attn = KeyPositionAttention(sizes.width, sizes.heads)
        self.conv_module = ConvolutionModule(sizes.width)
        self.feed_forward = FeedForward(sizes.width, sizes.feed_forward)
        self.norm_mha = nn.LayerNorm(sizes.width)
        self.norm_conv = nn.LayerNorm(sizes.width)
        self.norm_ff = nn.LayerNorm(sizes.width)
        self.norm_final = nn.LayerNorm(sizes.width)

    def forward(
        self,
        hidden: Float[Tensor, "batch steps dim"],
        positions: Float[Tensor, "steps dim"],
        masks: Masks,
    ) -> Float[Tensor, "batch steps dim"]:
        """Apply the block."""
        hidden = hidden + self.self_attn(self.norm_mha(hidden), positions, masks)
        hidden = hidden + self.conv_module(self.norm_conv(hidden), masks)
        hidden = hidden + self.feed_forward(self.norm_ff(hidden))
        normed: Tensor = self.norm_final(hidden)
        return normed


class KeyPositionAttention(nn.Module):
    """Attention with score ((q + u) k + (q + v) p) / sqrt(d), p being the position of the key.

    Both products are one: queries [q + u, q + v] meet keys [k, p].
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, width // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, width // heads))

    def forward(
        self,
        hidden: Float[Tensor, "batch steps dim"],
        positions: Float[Tensor, "steps dim"],
        masks: Masks,
    ) -> Float[Tensor, "batch steps dim"]:
        """Attend to the valid frames."""
        query = self._split(self.linear_q(hidden))
        key = self._split(self.linear_k(hidden))
        value = self._split(self.linear_v(hidden))
        place = self._split(self.linear_pos(positions)[None]).expand_as(key)
        mixed = functional.scaled_dot_product_attention(
            torch.cat([query + self.pos_bias_u[:, None], query + self.pos_bias_v[:, None]], dim=-1),
            torch.cat([key, place], dim=-1),
            value,
            attn_mask=masks.keys,
            scale=1.0 / math.sqrt(value.shape[-1]),
        )
        out: Tensor = self.linear_out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, hidden: Tensor) -> Tensor:
        return hidden.view(*hidden.shape[:2], self.heads, -1).transpose(1, 2)


class ConvolutionModule(nn.Module):
    """Gated pointwise, depthwise and pointwise convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pointwise_conv1 = nn.Conv1d(width, 2 * width, 1)
        self.depthwise_conv = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.pointwise_conv2 = nn.Conv1d(width, width, 1)

    def forward(
        self, hidden: Float[Tensor, "batch steps dim"], masks: Masks
    ) -> Float[Tensor, "batch steps dim"]:
        """Convolve over the frames of each line alone."""
        signal = hidden.transpose(1, 2) * masks.valid
        signal = functional.glu(self.pointwise_conv1(signal), dim=1) * masks.present
        signal = self.depthwise_conv(signal)
        signal = functional.silu(self.norm(signal.transpose(1, 2))).transpose(1, 2)
        signal = self.pointwise_conv2(signal) * masks.valid
        out: Tensor = signal.transpose(1, 2)
        return out


class FeedForward(nn.Module):
    """Two linear layers with SiLU between."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, inner)
        self.w_2 = nn.Linear(inner, width)

    def forward(self, hidden: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps dim"]:
        """Apply both layers."""
        out: Tensor = self.w_2(functional.silu(self.w_1(hidden)))
        return out


def halved(lengths: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """Return how many frames the subsampling leaves: those whose three sources all exist."""
    return (lengths - 1) // 2


def frame_mask(lengths: Int[Tensor, " batch"], steps: int) -> Bool[Tensor, "batch steps"]:
    """Return True for the first `lengths` frames of every row."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def sinusoids(steps: int, like: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "steps dim"]:
    """Return the fixed position table: sine at even, cosine at odd places (Vaswani et al. 2017)."""
    width = like.shape[-1]
    even = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    rates = torch.exp(even * (-math.log(10000.0) / width))
    angles = torch.arange(steps, device=like.device, dtype=torch.float32)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(like.dtype)
