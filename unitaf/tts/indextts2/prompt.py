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

from unitaf.tts.indextts2.gpt import SpeechGpt


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
    return build_prompts(gpt, conditions, texts, [[gpt.sizes.start_code] for _ in texts])


def build_prompts(
    gpt: SpeechGpt,
    conditions: Float[Tensor, "lines conditions dim"],
    texts: Sequence[Sequence[int]],
    codes: Sequence[Sequence[int]],
) -> Prompts:
    """Build rows of conditions, texts between start and stop, and codes as they are fed.

    Args:
        gpt: Holds the embeddings.
        conditions: As from `join_conditions`.
        texts: Text ids of each line, start and stop not included.
        codes: Codes of each line, start included.
    """
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
