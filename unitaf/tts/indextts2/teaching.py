"""The GPT over texts and codes that are known: latents of a line, and the losses that train it.

Conventions: one causal pass. The latent of a code is the state that expects it and has seen the
codes before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from unitaf.tts.indextts2.gpt import SpeechGpt, attend_causally
from unitaf.tts.indextts2.prompt import build_prompts


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
    prompts = build_prompts(gpt, conditions, texts, codes)
    states = gpt(prompts.embeddings, attend_causally)[:, conditions.shape[1] :]
    text_rows, code_rows = [], []
    for row, text_ids, fed in zip(states, texts, codes, strict=True):
        num_text = len(text_ids) + 2
        text_rows.append(row[:num_text])
        code_rows.append(row[num_text : num_text + len(fed)])
    return TaughtStates(
        pad_sequence(text_rows, batch_first=True), pad_sequence(code_rows, batch_first=True)
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


@dataclass(frozen=True, slots=True, eq=False)
class TeachingLosses:
    """Mean cross entropies; what is behind the end of a line does not count."""

    text: Float[Tensor, ""]
    codes: Float[Tensor, ""]


def teaching_losses(
    gpt: SpeechGpt,
    taught: TaughtStates,
    texts: Sequence[Sequence[int]],
    codes: Sequence[Sequence[int]],
) -> TeachingLosses:
    """Return how badly the GPT expects known lines, their stops included.

    Args:
        gpt: The network.
        taught: As from `teach`, with at least the codes fed that are to be expected here.
        texts: Text ids of each line.
        codes: Codes of each line.
    """
    stop_text, stop_code = gpt.sizes.stop_text, gpt.sizes.stop_code
    text_targets = [[*text_ids, stop_text] for text_ids in texts]
    code_targets = [[*line, stop_code] for line in codes]
    return TeachingLosses(
        text=_cross_entropy(gpt.text_logits, taught.text, text_targets),
        codes=_cross_entropy(gpt.code_logits, taught.codes, code_targets),
    )


def _cross_entropy(
    head: Callable[[Tensor], Tensor],
    states: Float[Tensor, "lines steps dim"],
    targets: Sequence[Sequence[int]],
) -> Float[Tensor, ""]:
    kept = torch.cat([row[: len(line)] for row, line in zip(states, targets, strict=True)])
    expected = torch.tensor([target for line in targets for target in line], device=states.device)
    return functional.cross_entropy(head(kept).float(), expected)
