"""The estimator of the flow: a diffusion transformer and a WaveNet (Peebles and Xie 2023).

Everything that depends on time alone, or on nothing that changes between steps, is computed once
for a whole flow: `Schedule` and `Surroundings`. Conventions: a batch is padded at the right, and
what lies behind a line changes nothing.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.conformer import frame_mask
from unitaf.tts.indextts2.sizes import S2MelSizes
from unitaf.tts.indextts2.wavenet import WaveNet, reflected_index

_TIME_WAVES = 256
_TIME_SCALE = 1000.0
_BASE = 10000.0
_MULTIPLE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """What the estimator needs of each time, a row for each."""

    attention_norms: list[Tensor]
    """Weight and bias of the norm before attention, of each layer."""
    feed_forward_norms: list[Tensor]
    last_norm: Float[Tensor, "times twice"]
    gates: Float[Tensor, "times conditions"]
    """What time adds to the WaveNet's gates."""
    modulation: Float[Tensor, "times twice"]
    """Shift and scale of the final layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What stays the same over the steps of a flow."""

    merged: Float[Tensor, "batch frames dim"]
    """The part of the input layer that comes from prompt, content and style."""
    mask: Bool[Tensor, "batch 1 frames"]
    reflected: Int64[Tensor, "batch padded"]
    rotation: Float[Tensor, "frames half 2"]
    """Cosine and sine of the rotary positions."""


class Estimator(nn.Module):
    """Velocity of the mel at a time, given prompt, content and style.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: S2MelSizes) -> None:
        super().__init__()
        width, mels = sizes.width, sizes.num_mels
        self.num_mels = mels
        merged = 2 * mels + width + sizes.style_dim
        self.transformer = Transformer(sizes)
        self.cond_projection = nn.Linear(sizes.content_dim, width)
        self.cond_x_merge_linear = nn.Linear(merged, width)
        self.t_embedder = TimeEmbedding(width)
        self.t_embedder2 = TimeEmbedding(width)
        self.skip_linear = nn.Linear(width + mels, width)
        self.conv1 = nn.Linear(width, width)
        self.wavenet = WaveNet(width, sizes.wavenet_layers, sizes.wavenet_kernel)
        self.res_projection = nn.Linear(width, width)
        self.final_layer = FinalLayer(width)
        self.conv2 = nn.Conv1d(width, mels, 1)

    def schedule(self, times: Float[Tensor, " times"]) -> Schedule:
        """Compute all that depends on time alone."""
        time, second = self.t_embedder(times), self.t_embedder2(times)
        blocks = self.transformer.blocks()
        return Schedule(
            attention_norms=[block.attention_norm.project_layer(time) for block in blocks],
            feed_forward_norms=[block.ffn_norm.project_layer(time) for block in blocks],
            last_norm=self.transformer.norm.project_layer(time),
            gates=self.wavenet.conditions(second),
            modulation=self.final_layer.adaLN_modulation(time),
        )

    def surroundings(
        self,
        prompt: Float[Tensor, "batch mels frames"],
        content: Float[Tensor, "batch frames content"],
        style: Float[Tensor, "batch style"],
        lengths: Int[Tensor, " batch"],
    ) -> Surroundings:
        """Compute all that stays the same over the steps.

        Args:
            prompt: Mel of the voice, zero where the line is to be made.
            content: Content of voice and line.
            style: Style vector of the voice.
            lengths: Frames of voice and line.
        """
        frames = content.shape[1]
        known = torch.cat(
            [
                prompt.transpose(1, 2),
                self.cond_projection(content),
                style[:, None].expand(-1, frames, -1),
            ],
            dim=-1,
        )
        merge = self.cond_x_merge_linear
        return Surroundings(
            merged=functional.linear(known, merge.weight[:, self.num_mels :], merge.bias),
            mask=frame_mask(lengths, frames)[:, None],
            reflected=reflected_index(lengths, frames, self.wavenet.kernel // 2),
            rotation=rotary_table(frames, self.transformer.head_dim, content),
        )

    def forward(
        self,
        noisy: Float[Tensor, "batch mels frames"],
        around: Surroundings,
        schedule: Schedule,
        step: int,
    ) -> Float[Tensor, "batch mels frames"]:
        """Return the velocity at one time of the schedule."""
        frames = noisy.transpose(1, 2)
        weight = self.cond_x_merge_linear.weight[:, : self.num_mels]
        merged = functional.linear(frames, weight) + around.merged
        hidden = self.transformer(merged, around, schedule, step)
        hidden = self.skip_linear(torch.cat([hidden, frames], dim=-1))
        waves = self.wavenet(
            self.conv1(hidden).transpose(1, 2), schedule.gates[step], around.reflected, around.mask
        )
        hidden = waves.transpose(1, 2) + self.res_projection(hidden)
        hidden = self.final_layer(hidden, schedule.modulation[step])
        velocity: Tensor = self.conv2(hidden.transpose(1, 2))
        return velocity


class TimeEmbedding(nn.Module):
    """Cosines and sines of a time, then two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(_TIME_WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, times: Float[Tensor, " times"]) -> Float[Tensor, "times dim"]:
        """Embed times from 0 to 1, given in float32."""
        half = _TIME_WAVES // 2
        place = torch.arange(half, device=times.device, dtype=torch.float32)
        rates = _TIME_SCALE * torch.exp(-math.log(_BASE) * place / half)
        angles = times[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        embedded: Tensor = self.mlp(waves.to(next(self.parameters()).dtype))
        return embedded


class Transformer(nn.Module):
    """Blocks, the first half of which hands outputs to the second: U-ViT (Bao et al. 2023)."""

    def __init__(self, sizes: S2MelSizes) -> None:
        super().__init__()
        self.head_dim = sizes.width // sizes.heads
        half = sizes.layers // 2
        self.layers = nn.ModuleList(
            Block(sizes.width, sizes.heads, has_skip=layer > half) for layer in range(sizes.layers)
        )
        self.norm = AdaptiveNorm(sizes.width)

    def blocks(self) -> list["Block"]:
        """Return the blocks in order."""
        return [layer for layer in self.layers if isinstance(layer, Block)]

    def forward(
        self,
        hidden: Float[Tensor, "batch frames dim"],
        around: Surroundings,
        schedule: Schedule,
        step: int,
    ) -> Float[Tensor, "batch frames dim"]:
        """Run all blocks at one time."""
        kept: list[Tensor] = []
        half = len(self.layers) // 2
        for number, block in enumerate(self.blocks()):
            if block.skip_in_linear is not None:
                hidden = block.skip_in_linear(torch.cat([hidden, kept.pop()], dim=-1))
            norms = (
                schedule.attention_norms[number][step],
                schedule.feed_forward_norms[number][step],
            )
            hidden = block(hidden, around, *norms)
            if number < half:
                kept.append(hidden)
        normed: Tensor = self.norm(hidden, schedule.last_norm[step])
        return normed


class Block(nn.Module):
    """Attention and feed-forward behind norms that depend on time."""

    def __init__(self, width: int, heads: int, *, has_skip: bool) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width)
        self.attention_norm = AdaptiveNorm(width)
        self.ffn_norm = AdaptiveNorm(width)
        self.skip_in_linear = nn.Linear(2 * width, width) if has_skip else None

    def forward(
        self,
        hidden: Float[Tensor, "batch frames dim"],
        around: Surroundings,
        attention_norm: Float[Tensor, " twice"],
        feed_forward_norm: Float[Tensor, " twice"],
    ) -> Float[Tensor, "batch frames dim"]:
        """Apply the block."""
        hidden = hidden + self.attention(self.attention_norm(hidden, attention_norm), around)
        out: Tensor = hidden + self.feed_forward(self.ffn_norm(hidden, feed_forward_norm))
        return out


class AdaptiveNorm(nn.Module):
    """Root mean square norm, then a weight and bias that depend on time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.project_layer = nn.Linear(width, 2 * width)

    def forward(
        self, hidden: Float[Tensor, "batch frames dim"], projected: Float[Tensor, " twice"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Normalise at one time, for which `project_layer` has been computed."""
        weight, bias = projected.chunk(2)
        out: Tensor = self.norm(hidden) * weight + bias
        return out


class Attention(nn.Module):
    """Attention with rotary positions over voice and line (Su et al. 2021)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.wqkv = nn.Linear(width, 3 * width, bias=False)
        self.wo = nn.Linear(width, width, bias=False)

    def forward(
        self, hidden: Float[Tensor, "batch frames dim"], around: Surroundings
    ) -> Float[Tensor, "batch frames dim"]:
        """Attend to the frames of the line."""
        batch, frames, width = hidden.shape
        projected = self.wqkv(hidden).view(batch, frames, 3, self.heads, width // self.heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(
            rotate(query, around.rotation),
            rotate(key, around.rotation),
            value,
            attn_mask=around.mask[:, None],
        )
        out: Tensor = self.wo(mixed.transpose(1, 2).reshape(batch, frames, width))
        return out


class FeedForward(nn.Module):
    """Two layers, gated with SiLU (Shazeer 2020, SwiGLU)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = -(-int(8 * width / 3) // _MULTIPLE) * _MULTIPLE
        self.w1 = nn.Linear(width, inner, bias=False)
        self.w2 = nn.Linear(inner, width, bias=False)
        self.w3 = nn.Linear(width, inner, bias=False)

    def forward(
        self, hidden: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Apply both layers."""
        out: Tensor = self.w2(functional.silu(self.w1(hidden)) * self.w3(hidden))
        return out


class FinalLayer(nn.Module):
    """Layer norm, shifted and scaled by time, then a linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.linear = nn.Linear(width, width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(
        self, hidden: Float[Tensor, "batch frames dim"], modulation: Float[Tensor, " twice"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Modulate at one time and project."""
        shift, scale = modulation.chunk(2)
        out: Tensor = self.linear(self.norm_final(hidden) * (1.0 + scale) + shift)
        return out


def rotary_table(frames: int, head_dim: int, like: Tensor) -> Float[Tensor, "frames half 2"]:
    """Return cosine and sine of every frame and pair of places."""
    pair = torch.arange(0, head_dim, 2, device=like.device, dtype=torch.float32)
    rates = 1.0 / _BASE ** (pair / head_dim)
    angles = torch.arange(frames, device=like.device, dtype=torch.float32)[:, None] * rates
    return torch.stack([angles.cos(), angles.sin()], dim=-1).to(like.dtype)


def rotate(
    heads: Float[Tensor, "batch heads frames head_dim"], table: Float[Tensor, "frames half 2"]
) -> Float[Tensor, "batch heads frames head_dim"]:
    """Turn each pair of neighbouring places by the angle of its frame."""
    first, second = heads[..., 0::2], heads[..., 1::2]
    cosine, sine = table[..., 0], table[..., 1]
    turned = [first * cosine - second * sine, second * cosine + first * sine]
    return torch.stack(turned, dim=-1).flatten(-2)
