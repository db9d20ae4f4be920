"""What the GPT reads: the conditions of a voice, the text, and the codes that are known.

Conventions: a row is conditions, start_text, text ids, stop_text, start_code, codes. Rows of a
batch are each without a gap and padded at the right, so that causal attention needs no mask and a
row's numbers are those of the row alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unitaf.tts.indextts2.gpt import SpeechGpt, attend_causally


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """A batch of rows for the GPT."""

    embeddings: Float[Tensor, "lines steps dim"]
    lengths: Int64[Tensor, " lines"]
    """Tokens of each row; what follows is padding."""


def join_conditions(
    gpt: SpeechGpt,
    speaker_latents: Float[Tensor, "batch latents dim"],
    emotion: Float[Tensor, "batch dim"],
) -> Float[Tensor, "batch conditions dim"]:
    """Return what every row begins with: latents with the emotion added, then two speed vectors.

    The second speed vector comes first. No speed is chosen with them in version 2.0.
    """
    speed = gpt.speed_emb.weight.flip(0).expand(len(emotion), -1, -1)
    return torch.cat([speaker_latents + emotion[:, None], speed], dim=1)


def spoken_ids(gpt: SpeechGpt, text_ids: Sequence[int]) -> list[int]:
    """Return text ids as generation sees them: without the start and stop ids inside the text."""
    marks = (gpt.sizes.start_text, gpt.sizes.stop_text)
    return [text_id for text_id in text_ids if text_id not in marks]


def generation_prompts(
    gpt: SpeechGpt,
    conditions: Float[Tensor, "lines conditions dim"],
    texts: Sequence[Sequence[int]],
) -> Prompts:
    """Build the rows from which codes are decoded: up to and including start_code."""
    texts = [spoken_ids(gpt, text_ids) for text_ids in texts]
    return _build(gpt, conditions, texts, [[gpt.sizes.start_code] for _ in texts])


@dataclass(frozen=True, slots=True, eq=False)
class TaughtStates:
    """Hidden states of a pass over known texts and codes, padded at the right."""

    text: Float[Tensor, "lines text_steps dim"]
    """State at start_text and at every text id and at stop_text."""
    codes: Float[Tensor, "lines code_steps dim"]
    """State at every code that was fed."""


def teach(
    gpt: SpeechGpt,
    conditions: Float[Tensor, "lines conditions dim"],
    texts: Sequence[Sequence[int]],
    codes: Sequence[Sequence[int]],
) -> TaughtStates:
    """Run the GPT over texts and codes that are given, in one causal pass.

    Args:
        gpt: The network.
        conditions: As from `join_conditions`.
        texts: Text ids of each line, start and stop not included.
        codes: Codes of each line as they are fed, start included.
    """
    prompts = _build(gpt, conditions, texts, codes)
    states = gpt(prompts.embeddings, attend_causally)
    first_text = conditions.shape[1]
    rows = [
        row[first_text:].split(
            [len(text_ids) + 2, len(fed), len(row) - first_text - len(text_ids) - 2 - len(fed)]
        )
        for row, text_ids, fed in zip(states, texts, codes, strict=True)
    ]
    return TaughtStates(
        pad_sequence([row[0] for row in rows], batch_first=True),
        pad_sequence([row[1] for row in rows], batch_first=True),
    )


def code_latents(
    gpt: SpeechGpt,
    conditions: Float[Tensor, "lines conditions dim"],
    texts: Sequence[Sequence[int]],
    codes: Sequence[Sequence[int]],
) -> Float[Tensor, "lines code_steps dim"]:
    """Return the latent of every code: the state that expects it, before it is known.

    Args:
        gpt: The network.
        conditions: As from `join_conditions`.
        texts: Text ids of each line.
        codes: Codes of each line, neither start nor stop included.

    Returns:
        Row i holds ``len(codes[i])`` latents, then zeros.
    """
    fed = [[gpt.sizes.start_code, *line[:-1]] if line else [] for line in codes]
    return teach(gpt, conditions, texts, fed).codes


def _build(
    gpt: SpeechGpt,
    conditions: Float[Tensor, "lines conditions dim"],
    texts: Sequence[Sequence[int]],
    codes: Sequence[Sequence[int]],
) -> Prompts:
    device = conditions.device
    start, stop = gpt.sizes.start_text, gpt.sizes.stop_text
    text = _padded([[start, *text_ids, stop] for text_ids in texts], device)
    fed = _padded(codes, device)
    text_part = gpt.embed_text(text, torch.arange(text.shape[1], device=device).expand_as(text))
    code_part = gpt.embed_codes(fed, torch.arange(fed.shape[1], device=device).expand_as(fed))
    rows = [
        torch.cat(
            [conditions[line], text_part[line, : len(text_ids) + 2], code_part[line, : len(row)]]
        )
        for line, (text_ids, row) in enumerate(zip(texts, codes, strict=True))
    ]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return Prompts(pad_sequence(rows, batch_first=True), lengths)


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> Int64[Tensor, "rows longest"]:
    tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
    return pad_sequence(tensors, batch_first=True).to(device)
