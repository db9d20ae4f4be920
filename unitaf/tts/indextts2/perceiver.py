"""The perceiver that sums up a voice in a fixed number of vectors (Jaegle et al. 2021)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

_HEAD_DIM = 64
_LAYERS = 2


class Perceiver(nn.Module):
    """Learned latents that read a sequence of any length.

    Args:
        num_latents: How many vectors come out.
        width: Their width.
        context_width: Width of the sequence.
        heads: Attention heads of 64.
        mult: Inner width of the feed-forward is two thirds of this times the width.
    """

    def __init__(
        self, num_latents: int, width: int, context_width: int, heads: int, mult: float
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(num_latents, width))
        self.proj_context = nn.Linear(context_width, width)
        inner = int(width * mult * 2 / 3)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    LatentAttention(width, heads),
                    nn.Sequential(
                        nn.Linear(width, 2 * inner), GatedGelu(), nn.Linear(inner, width)
                    ),
                ]
            )
            for _ in range(_LAYERS)
        )
        self.norm = LatentNorm(width)

    def forward(
        self,
        context: Float[Tensor, "batch steps context"],
        valid: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch latents dim"]:
        """Read the valid part of every row."""
        projected = self.proj_context(context)
        latents = self.latents.expand(len(context), -1, -1)
        kept = torch.ones_like(valid[:, :1]).expand(-1, latents.shape[1])
        keys = torch.cat([kept, valid], dim=1)[:, None, None, :]
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = latents + attention(latents, projected, keys)
            latents = latents + feed_forward(latents)
        normed: Tensor = self.norm(latents)
        return normed


class LatentAttention(nn.Module):
    """Latents attend to themselves and to the context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, heads * _HEAD_DIM, bias=False)
        self.to_kv = nn.Linear(width, 2 * heads * _HEAD_DIM, bias=False)
        self.to_out = nn.Linear(heads * _HEAD_DIM, width, bias=False)

    def forward(
        self,
        latents: Float[Tensor, "batch latents dim"],
        context: Float[Tensor, "batch steps dim"],
        keys: Bool[Tensor, "batch 1 1 keys"],
    ) -> Float[Tensor, "batch latents dim"]:
        """Attend where `keys` is true."""
        key, value = self.to_kv(torch.cat([latents, context], dim=1)).chunk(2, dim=-1)
        mixed = functional.scaled_dot_product_attention(
            self._split(self.to_q(latents)), self._split(key), self._split(value), attn_mask=keys
        )
        out: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, hidden: Tensor) -> Tensor:
        return hidden.view(*hidden.shape[:2], self.heads, _HEAD_DIM).transpose(1, 2)


class GatedGelu(nn.Module):
    """The first half, weighted by the GELU of the second (Shazeer 2020, GEGLU)."""

    def forward(self, hidden: Float[Tensor, "*batch double"]) -> Float[Tensor, "*batch half"]:
        """Halve the width."""
        value, gate = hidden.chunk(2, dim=-1)
        return value * functional.gelu(gate)


class LatentNorm(nn.Module):
    """Root mean square norm: x / |x| * sqrt(dim) * gamma."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, hidden: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normalise every vector."""
        unit = functional.normalize(hidden, dim=-1)
        return unit * math.sqrt(hidden.shape[-1]) * self.gamma
