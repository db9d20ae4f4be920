"""The decoding loop: prompts in, codes out, many lines at once.

Lines stop on their own and leave the batch when half of it is done; none of them sees the others.
On a GPU a step is one CUDA graph and the host looks only every few steps whether lines are done.

Conventions: the reference embeds start_code at position 0 and the codes at 2, 3, 4 ... while it
decodes, though it was trained, and reads latents, with 1, 2, 3 ... With `SKIPPED_POSITION` codes
are the reference's and latents need a second pass; with `TRAINED_POSITION` the states of decoding
are the latents.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unitaf.tts.indextts2.beam_search import BeamSearch
from unitaf.tts.indextts2.cache import KeyValueCache
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.graphs import StepMaker, make_step
from unitaf.tts.indextts2.prompt import Prompts
from unitaf.tts.indextts2.search import (
    Choice,
    Noise,
    Path,
    Rules,
    Search,
    SingleSearch,
    Vocabulary,
)
from unitaf.tts.indextts2.sizes import GptSizes

MAX_CODES = 1500
"""The reference's limit: 30 seconds."""

SKIPPED_POSITION = 2
TRAINED_POSITION = 1

_FIRST_CAPACITY = 256
_STEPS_BETWEEN_LOOKS = 8
_BASE_CODES = 150
_CODES_A_TEXT_ID = 40


def code_limit(num_text_ids: int) -> int:
    """Return after how many codes a line is taken for one that never stops.

    Speech has about 11 codes a text id; the limit leaves more than three times that and 3 seconds.
    """
    return min(MAX_CODES, _BASE_CODES + _CODES_A_TEXT_ID * num_text_ids)


def make_search(
    sizes: GptSizes, rules: Rules, limits: Int64[Tensor, " lines"], noise: Noise
) -> Search:
    """Return the search for some rules: one beam, or several.

    Args:
        sizes: Sizes of the GPT.
        rules: How lines are decoded.
        limits: Most codes of each line, on the GPT's device.
        noise: Decides the draws.
    """
    vocabulary = Vocabulary(sizes.num_codes, sizes.start_code, sizes.stop_code)
    search = SingleSearch if rules.num_beams == 1 else BeamSearch
    return search(vocabulary, rules, limits, noise)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What decoding gave."""

    paths: list[Path]
    """The answer of each line."""
    states: Float[Tensor, "lines code_steps dim"] | None
    """The state that expected each code, zeros behind the end: the latents, if they are exact."""


@torch.no_grad()
def decode(
    gpt: SpeechGpt,
    prompts: Prompts,
    search: Search,
    second_position: int,
    new_step: StepMaker = make_step,
) -> Decoded:
    """Decode every line of a batch to its end.

    Args:
        gpt: The network.
        prompts: As from `prompt.generation_prompts`.
        search: Fresh, as from `make_search`, for the lines of the prompts.
        second_position: Position of the first code, `SKIPPED_POSITION` or `TRAINED_POSITION`.
        new_step: How a step is run.
    """
    batch = _Batch(gpt, prompts, search, new_step)
    log = _StateLog()
    looks = 1 if prompts.lengths.device.type == "cpu" else _STEPS_BETWEEN_LOOKS
    states = batch.read_prompts(prompts)
    for step in range(search.max_steps):
        if second_position == TRAINED_POSITION:
            log.append(states, search.lines)
        choice = search.advance(gpt.code_logits(states))
        if step + 1 == search.max_steps:
            break
        if (step + 1) % looks == 0:
            open_lines = (~search.done).nonzero()[:, 0]
            if len(open_lines) == 0:
                break
            if 2 * len(open_lines) <= len(search.done):
                choice = batch.thin_out(open_lines, choice)
        states = batch.run_step(choice, step + second_position)
    paths = search.paths()
    return Decoded(paths, log.along(paths) if second_position == TRAINED_POSITION else None)


class _Batch:
    """The lines that are still being decoded: their search, cache and step."""

    def __init__(
        self, gpt: SpeechGpt, prompts: Prompts, search: Search, new_step: StepMaker
    ) -> None:
        self._gpt, self._search, self._new_step = gpt, search, new_step
        capacity = min(_FIRST_CAPACITY, search.max_steps)
        self._cache = KeyValueCache(prompts.lengths, search.num_beams, capacity)
        self._step = new_step(gpt, self._cache)

    def read_prompts(self, prompts: Prompts) -> Float[Tensor, "lines beams dim"]:
        """Return the state at the last token of each prompt, for every beam."""
        hidden = self._gpt(prompts.embeddings, self._cache.attend_to_prompt)
        rows = torch.arange(len(hidden), device=hidden.device)
        last: Tensor = hidden[rows, prompts.lengths - 1]
        return last[:, None].expand(-1, self._search.num_beams, -1)

    def run_step(self, choice: Choice, position: int) -> Float[Tensor, "lines beams dim"]:
        """Feed the chosen codes and return the states that expect the next ones."""
        if self._cache.num_steps == self._cache.capacity:
            self._cache.reserve(min(2 * self._cache.capacity, self._search.max_steps))
            self._step = self._new_step(self._gpt, self._cache)
        self._cache.begin_step(choice.parents)
        return self._step(choice.codes, position)

    def thin_out(self, lines: Int64[Tensor, " kept"], choice: Choice) -> Choice:
        """Let all lines but some leave."""
        self._search.keep(lines)
        self._cache.keep(lines)
        self._step = self._new_step(self._gpt, self._cache)
        return Choice(choice.codes[lines], choice.parents[lines])


class _StateLog:
    """The states of every step, to be read along the paths that won."""

    def __init__(self) -> None:
        self._states: list[Float[Tensor, "lines beams dim"]] = []
        self._lines: list[Int64[Tensor, " lines"]] = []

    def append(
        self, states: Float[Tensor, "lines beams dim"], lines: Int64[Tensor, " lines"]
    ) -> None:
        self._states.append(states.clone())
        self._lines.append(lines)

    def along(self, paths: list[Path]) -> Float[Tensor, "lines code_steps dim"]:
        """Return the states that expected the codes of each path, zeros behind the end."""
        longest = max(len(path.codes) for path in paths)
        first = self._states[0]
        read = first.new_zeros(len(paths), longest, first.shape[-1])
        for step in range(longest):
            lines = self._lines[step].tolist()
            rows = [row for row, line in enumerate(lines) if len(paths[line].codes) > step]
            beams = [paths[lines[row]].beams[step - 1] if step else 0 for row in rows]
            read[[lines[row] for row in rows], step] = self._states[step][rows, beams]
        return read
