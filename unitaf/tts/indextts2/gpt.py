"""The GPT that writes speech codes, without any rule of how codes are chosen.

A GPT-2 body under its published names. Tokens and positions are looked up in two pairs of tables
(text and codes); there is no rotary or relative position, so a key does not depend on where it is
kept. A block does not know where keys and values live: it asks `attend`.

Conventions: hidden states that leave this module have passed both final norms.
"""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from unitaf.tts.indextts2.sizes import GptSizes

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""Layer number, queries, keys, values (batch, heads, steps, head_dim) to what was attended to."""

_EXTRA_CODE_POSITIONS = 3
_EXTRA_TEXT_POSITIONS = 2


class SpeechGpt(nn.Module):
    """Text and code embeddings, the transformer, and the two heads.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: GptSizes) -> None:
        super().__init__()
        width = sizes.width
        self.sizes = sizes
        self.text_embedding = nn.Embedding(sizes.num_text_ids + 1, width)
        self.mel_embedding = nn.Embedding(sizes.num_codes, width)
        self.text_pos_embedding = PositionTable(sizes.max_text_ids + _EXTRA_TEXT_POSITIONS, width)
        self.mel_pos_embedding = PositionTable(sizes.max_codes + _EXTRA_CODE_POSITIONS, width)
        self.speed_emb = nn.Embedding(2, width)
        self.gpt = Transformer(sizes.layers, width, sizes.heads)
        self.final_norm = nn.LayerNorm(width)
        self.text_head = nn.Linear(width, sizes.num_text_ids + 1)
        self.mel_head = nn.Linear(width, sizes.num_codes)

    def forward(
        self, embeddings: Float[Tensor, "batch steps dim"], attend: Attend
    ) -> Float[Tensor, "batch steps dim"]:
        """Return the hidden state of every embedding, both final norms applied."""
        states: Tensor = self.final_norm(self.gpt(embeddings, attend))
        return states

    def embed_text(
        self, ids: Int[Tensor, "*batch"], positions: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch dim"]:
        """Embed text ids at their positions; start_text is at 0."""
        embedded: Tensor = self.text_embedding(ids) + self.text_pos_embedding(positions)
        return embedded

    def embed_codes(
        self, codes: Int[Tensor, "*batch"], positions: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch dim"]:
        """Embed speech codes at their positions; the start code is at 0."""
        embedded: Tensor = self.mel_embedding(codes) + self.mel_pos_embedding(positions)
        return embedded

    def code_logits(self, states: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch codes"]:
        """Return what each state expects as its next code, unnormalised."""
        logits: Tensor = self.mel_head(states)
        return logits

    def text_logits(self, states: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch text"]:
        """Return what each state expects as its next text id; needed in training only."""
        logits: Tensor = self.text_head(states)
        return logits


class PositionTable(nn.Module):
    """A learned vector for each position."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(positions, width)

    def forward(self, positions: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """Look positions up."""
        embedded: Tensor = self.emb(positions)
        return embedded


class Transformer(nn.Module):
    """The blocks of GPT-2 (Radford et al. 2019) and the first of the two final norms."""

    def __init__(self, layers: int, width: int, heads: int) -> None:
        super().__init__()
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(
        self, hidden: Float[Tensor, "batch steps dim"], attend: Attend
    ) -> Float[Tensor, "batch steps dim"]:
        """Run all blocks."""
        for layer, block in enumerate(self.h):
            hidden = block(hidden, layer, attend)
        normed: Tensor = self.ln_f(hidden)
        return normed


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and with a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(
        self, hidden: Float[Tensor, "batch steps dim"], layer: int, attend: Attend
    ) -> Float[Tensor, "batch steps dim"]:
        """Apply the block."""
        hidden = hidden + self.attn(self.ln_1(hidden), layer, attend)
        out: Tensor = hidden + self.mlp(self.ln_2(hidden))
        return out


class SelfAttention(nn.Module):
    """The projections of attention; `attend` does the rest."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = _linear(width, 3 * width)
        self.c_proj = _linear(width, width)

    def forward(
        self, hidden: Float[Tensor, "batch steps dim"], layer: int, attend: Attend
    ) -> Float[Tensor, "batch steps dim"]:
        """Attend from every step."""
        projected = self.c_attn(hidden).view(*hidden.shape[:2], 3, self.heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(layer, query, key, value)
        out: Tensor = self.c_proj(mixed.transpose(1, 2).flatten(2))
        return out


class FeedForward(nn.Module):
    """Two layers, four times as wide inside, with the tanh form of GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = _linear(width, 4 * width)
        self.c_proj = _linear(4 * width, width)

    def forward(self, hidden: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps dim"]:
        """Apply both layers."""
        out: Tensor = self.c_proj(functional.gelu(self.c_fc(hidden), approximate="tanh"))
        return out


def attend_causally(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Let every step attend to itself and to the steps before it; nothing is kept."""
    del layer
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def _linear(inputs: int, outputs: int) -> nn.Module:
    """Return a linear layer that keeps its weight as GPT-2 does, (in, out)."""
    return Conv1D(outputs, inputs)  # type: ignore[no-untyped-call]
