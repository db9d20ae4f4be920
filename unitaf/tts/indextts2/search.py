"""How codes are chosen from logits: penalty, sampling, and the end of a line; one beam.

Nothing here knows the network or the other lines of the batch: every rule works on each line alone,
on the device, without asking the host. Rules and their order are the reference's: with one beam the
penalty acts on raw logits, with several (`beam_search`) on log-probabilities.

Conventions: at a step each beam gets a code and a parent, the beam of the step before that it
continues.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

FAKE_PROMPT_CODE = 1
"""The reference fills the prompt with this id, so this code counts as seen from the start."""

MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The codes that a search may choose."""

    num_codes: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """From which codes one is drawn; the defaults are the published ones."""

    temperature: float = 0.8
    top_k: int = 30
    """At most so many codes of each beam."""
    top_p: float = 0.8
    """Of these, the likeliest that have this share of the probability together."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How lines are decoded; the defaults are the published ones."""

    num_beams: int = 3
    repetition_penalty: float = 10.0
    sampling: Sampling | None = field(default_factory=Sampling)
    """None: the best are taken, nothing is drawn."""


@runtime_checkable
class Noise(Protocol):
    """Where the randomness of a draw comes from."""

    def exponential(
        self, lines: Int64[Tensor, " lines"], step: int, index: Int64[Tensor, "lines candidates"]
    ) -> Float32[Tensor, "lines candidates"]:
        """Return standard exponential numbers for lines, a step, and places in beams x codes."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What each beam continues with."""

    codes: Int64[Tensor, "lines beams"]
    parents: Int64[Tensor, "lines beams"]


@dataclass(frozen=True, slots=True)
class Path:
    """The answer of one line."""

    codes: tuple[int, ...]
    """Without the stop code."""
    beams: tuple[int, ...]
    """The beam that held each code."""
    score: float
    """Sum of the processed log-probabilities, the stop included; 0 with one beam."""
    is_stopped: bool
    """False if the line was cut at its limit."""


@runtime_checkable
class Search(Protocol):
    """Chooses codes for a batch of lines, step by step."""

    @property
    def num_beams(self) -> int:
        """Beams a line."""
        ...

    @property
    def max_steps(self) -> int:
        """The limit of the line that has the highest."""
        ...

    @property
    def lines(self) -> Int64[Tensor, " lines"]:
        """Which lines are present, as numbers in the order in which they came."""
        ...

    @property
    def done(self) -> Bool[Tensor, " lines"]:
        """Which of the present lines have their answer."""
        ...

    def advance(self, logits: Float[Tensor, "lines beams codes"]) -> Choice:
        """Take the logits of every present line and choose the next codes."""
        ...

    def keep(self, lines: Int64[Tensor, " kept"]) -> None:
        """Let all other lines leave; their answers stay."""
        ...

    def paths(self) -> list[Path]:
        """Return the answer of every line, in the order in which they came."""
        ...


class SingleSearch:
    """One beam: the best code, or one drawn, at every step.

    Args:
        vocabulary: Codes.
        rules: Penalty and sampling.
        limits: Most codes of each line.
        noise: Decides the draws; not asked when nothing is drawn.
    """

    def __init__(
        self, vocabulary: Vocabulary, rules: Rules, limits: Int64[Tensor, " lines"], noise: Noise
    ) -> None:
        self._vocabulary, self._rules, self._noise = vocabulary, rules, noise
        self._step = 0
        self.num_beams = 1
        self.max_steps = int(limits.max())
        self.lines = torch.arange(len(limits), device=limits.device)
        self._limits = limits
        self._seen = first_seen(len(limits), vocabulary, limits.device)
        self._codes = limits.new_zeros((self.max_steps, len(limits)))
        self._lengths = limits.clone()
        self._is_stopped = torch.zeros_like(limits, dtype=torch.bool)
        self.done = torch.zeros_like(limits, dtype=torch.bool)

    def penalised(self, logits: Float[Tensor, "lines 1 codes"]) -> Float32[Tensor, "lines codes"]:
        """Return the logits after the repetition penalty of the present step."""
        return penalise(logits[:, 0].float(), self._seen, self._rules.repetition_penalty)

    def advance(self, logits: Float[Tensor, "lines 1 codes"]) -> Choice:
        """Choose one code for every line."""
        scores = self.penalised(logits)
        codes = scores.argmax(-1) if self._rules.sampling is None else self._drawn(scores)
        is_stop = codes == self._vocabulary.stop
        is_last = self._step + 1 >= self._limits
        ends = is_stop & ~self.done
        self._codes[self._step, self.lines] = codes
        self._lengths[self.lines] = torch.where(ends, self._step, self._lengths[self.lines])
        self._is_stopped[self.lines] |= ends
        self.done = self.done | is_stop | is_last
        self._seen.scatter_(1, codes[:, None], True)
        self._step += 1
        return Choice(codes[:, None], torch.zeros_like(codes[:, None]))

    def keep(self, lines: Int64[Tensor, " kept"]) -> None:
        """Let all other lines leave; their answers stay."""
        self.lines, self._limits = self.lines[lines], self._limits[lines]
        self._seen, self.done = self._seen[lines], self.done[lines]

    def paths(self) -> list[Path]:
        """Return the answer of every line, in the order in which they came."""
        history, lengths = self._codes.T.tolist(), self._lengths.tolist()
        return [
            Path(tuple(codes[:length]), (0,) * length, 0.0, is_stopped)
            for codes, length, is_stopped in zip(
                history, lengths, self._is_stopped.tolist(), strict=True
            )
        ]

    def _drawn(self, scores: Float32[Tensor, "lines codes"]) -> Int64[Tensor, " lines"]:
        assert self._rules.sampling is not None
        kept, codes = nucleus(scores, self._rules.sampling, min_kept=1)
        noise = self._noise.exponential(self.lines, self._step, codes)
        best = (kept - noise.log()).argmax(-1, keepdim=True)
        return codes.gather(-1, best)[:, 0]


def first_seen(
    lines: int, vocabulary: Vocabulary, device: torch.device
) -> Bool[Tensor, "lines codes"]:
    """Return which codes count as seen before the first step."""
    seen = torch.zeros(lines, vocabulary.num_codes, dtype=torch.bool, device=device)
    seen[:, [FAKE_PROMPT_CODE, vocabulary.start]] = True
    return seen


def penalise(
    scores: Float32[Tensor, "*batch codes"], seen: Bool[Tensor, "*batch codes"], penalty: float
) -> Float32[Tensor, "*batch codes"]:
    """Make seen codes less likely, once each: positive scores / penalty, negative x penalty."""
    changed = torch.where(scores > 0, scores / penalty, scores * penalty)
    return torch.where(seen, changed, scores)


def nucleus(
    scores: Float32[Tensor, "*batch codes"], sampling: Sampling, min_kept: int
) -> tuple[Float32[Tensor, "*batch kept"], Int64[Tensor, "*batch kept"]]:
    """Return the likeliest codes, best first: score / temperature, -inf beyond top-p, and the code.

    Args:
        scores: Penalised logits or log-probabilities.
        sampling: Temperature, top-k and top-p.
        min_kept: So many codes are kept in any case.
    """
    top_k = min(max(sampling.top_k, min_kept), scores.shape[-1])
    kept, codes = (scores / sampling.temperature).topk(top_k, dim=-1)
    at_most = kept.softmax(-1).flip(-1).cumsum(-1).flip(-1)
    is_outside = at_most <= 1.0 - sampling.top_p
    is_outside[..., :min_kept] = False
    return kept.masked_fill(is_outside, MINUS_INFINITY), codes
