"""Beam search over codes, best or drawn, with the stop rules of the reference.

A line keeps as many finished answers as it has beams. Of the 2 x beams best candidates of a step, a
stop counts only among the first `num_beams`; the others, in order, are the new beams. A line ends
when it has all its answers and the worst of them is no worse than the best candidate, or at its
limit, where the open beams compete with the answers. Answers are kept as (length, beam) and read
back through the parents.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from unitaf.tts.indextts2.search import (
    MINUS_INFINITY,
    Choice,
    Noise,
    Path,
    Rules,
    Sampling,
    Vocabulary,
    first_seen,
    nucleus,
    penalise,
)

_IDLE_SCORE = -1e9
"""Start score of all beams but the first, which are copies of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Possible next codes of each line, best first."""

    scores: Float32[Tensor, "lines candidates"]
    codes: Int64[Tensor, "lines candidates"]
    beams: Int64[Tensor, "lines candidates"]
    """Which beam each continues."""

    def ranked(self, order: Int64[Tensor, "lines chosen"]) -> "Candidates":
        """Return some of the candidates, in another order."""
        return Candidates(
            self.scores.gather(1, order), self.codes.gather(1, order), self.beams.gather(1, order)
        )


class BeamSearch:
    """Several beams for every line; interface as `search.Search`.

    Args:
        vocabulary: Codes.
        rules: Beams, penalty and sampling.
        limits: Most codes of each line.
        noise: Decides the draws; not asked when nothing is drawn.

    Attributes:
        scores: Score of every beam of the present lines.
    """

    def __init__(
        self, vocabulary: Vocabulary, rules: Rules, limits: Int64[Tensor, " lines"], noise: Noise
    ) -> None:
        lines, beams, device = len(limits), rules.num_beams, limits.device
        self._vocabulary, self._rules, self._noise = vocabulary, rules, noise
        self._step = 0
        self.num_beams = beams
        self.max_steps = int(limits.max())
        self.lines = torch.arange(lines, device=device)
        self._limits = limits
        seen = first_seen(lines, vocabulary, device)
        self._seen = seen[:, None].repeat(1, beams, 1)
        self.scores = torch.full((lines, beams), _IDLE_SCORE, device=device)
        self.scores[:, 0] = 0.0
        self._history = _History(self.max_steps, lines, beams, device)
        self._answers = _Answers(lines, beams, device)
        self.done = torch.zeros_like(limits, dtype=torch.bool)

    def processed(
        self, logits: Float[Tensor, "lines beams codes"]
    ) -> Float32[Tensor, "lines beams codes"]:
        """Return log-probabilities after the repetition penalty of the present step."""
        scores = logits.float().log_softmax(-1)
        return penalise(scores, self._seen, self._rules.repetition_penalty)

    def propose(self, logits: Float[Tensor, "lines beams codes"]) -> Candidates:
        """Return the 2 x beams candidates of the present step, best first."""
        scores = self.processed(logits)
        if self._rules.sampling is not None:
            return self._drawn(scores, self._rules.sampling)
        total = (scores + self.scores[..., None]).flatten(1)
        best, place = total.topk(2 * self._rules.num_beams, dim=-1)
        num_codes = self._vocabulary.num_codes
        return Candidates(best, place % num_codes, place // num_codes)

    def accept(self, candidates: Candidates) -> Choice:
        """Take the answers and the new beams from candidates, and end lines that are done."""
        is_stop = candidates.codes == self._vocabulary.stop
        for rank in range(self._rules.num_beams):
            is_answer = is_stop[:, rank] & ~self.done
            end = _End(self._step, candidates.beams[:, rank], is_stopped=True)
            self._answers.offer(is_answer, candidates.scores[:, rank], end)
        order = is_stop.byte().argsort(dim=1, stable=True)[:, : self._rules.num_beams]
        chosen = candidates.ranked(order)
        self._history.append(self.lines, self._step, chosen)
        self._step += 1
        is_settled = self._answers.worst() >= candidates.scores[:, 0]
        is_last = (self._step >= self._limits) & ~self.done & ~is_settled
        for beam in range(self._rules.num_beams):
            end = _End(self._step, torch.full_like(self.lines, beam), is_stopped=False)
            self._answers.offer(is_last, chosen.scores[:, beam], end)
        self.done = self.done | is_settled | is_last
        parents = chosen.beams[..., None].expand_as(self._seen)
        self._seen = self._seen.gather(1, parents).scatter(2, chosen.codes[..., None], True)
        self.scores = chosen.scores
        return Choice(chosen.codes, chosen.beams)

    def advance(self, logits: Float[Tensor, "lines beams codes"]) -> Choice:
        """Choose the next code and parent of every beam."""
        return self.accept(self.propose(logits))

    def keep(self, lines: Int64[Tensor, " kept"]) -> None:
        """Let all other lines leave; their answers stay."""
        self._answers.keep(lines)
        self.lines, self._limits = self.lines[lines], self._limits[lines]
        self._seen, self.scores = self._seen[lines], self.scores[lines]
        self.done = self.done[lines]

    def paths(self) -> list[Path]:
        """Return the answer of every line, in the order in which they came."""
        return self._history.read(self._answers)

    def _drawn(
        self, scores: Float32[Tensor, "lines beams codes"], sampling: Sampling
    ) -> Candidates:
        """Draw 2 x beams without replacement: the largest of log p - log e (Gumbel), then by score.

        Sorting is stable, so that candidates without probability come in a fixed order too.
        """
        kept, codes = nucleus(scores, sampling, min_kept=2)
        beams = torch.arange(self._rules.num_beams, device=codes.device)[:, None].expand_as(codes)
        total = kept + self.scores[..., None]
        every = Candidates(total.flatten(1), codes.flatten(1), beams.flatten(1))
        place = every.beams * self._vocabulary.num_codes + every.codes
        noise = self._noise.exponential(self.lines, self._step, place)
        luck = (every.scores - noise.log()).sort(dim=1, descending=True, stable=True).indices
        drawn = every.ranked(luck[:, : 2 * self._rules.num_beams])
        return drawn.ranked(drawn.scores.sort(dim=1, descending=True, stable=True).indices)


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Where an answer ends: after `length` codes, the last of them held by `beam`."""

    length: int
    beam: Int64[Tensor, " lines"]
    is_stopped: bool

    def packed(self) -> Int64[Tensor, "lines 3"]:
        length = torch.full_like(self.beam, self.length)
        return torch.stack([length, self.beam, torch.full_like(length, self.is_stopped)], dim=1)


class _History:
    """Codes and parents of every step, for all lines that ever were in the batch."""

    def __init__(self, steps: int, lines: int, beams: int, device: torch.device) -> None:
        self._codes = torch.zeros(steps, lines, beams, dtype=torch.int64, device=device)
        self._parents = torch.zeros_like(self._codes)

    def append(self, lines: Int64[Tensor, " lines"], step: int, chosen: Candidates) -> None:
        self._codes[step, lines] = chosen.codes
        self._parents[step, lines] = chosen.beams

    def read(self, answers: "_Answers") -> list[Path]:
        """Follow the best answer of each line back to its first code."""
        codes, parents = self._codes.cpu().numpy(), self._parents.cpu().numpy()
        paths = []
        for line, (length, last, score, is_stopped) in enumerate(answers.best()):
            beams = [last]
            for step in reversed(range(1, length)):
                beams.append(int(parents[step, line, beams[-1]]))
            held = tuple(beams[::-1][:length])
            spoken = tuple(int(codes[step, line, beam]) for step, beam in enumerate(held))
            paths.append(Path(spoken, held, score, is_stopped))
        return paths


class _Answers:
    """The best answers of each line: their scores, and where each ends in the history."""

    def __init__(self, lines: int, beams: int, device: torch.device) -> None:
        self._lines = torch.arange(lines, device=device)
        self._scores = torch.full((lines, beams), MINUS_INFINITY, device=device)
        self._ends = torch.zeros(lines, beams, 3, dtype=torch.int64, device=device)
        self._all_scores, self._all_ends = self._scores.clone(), self._ends.clone()

    def offer(
        self, mask: Bool[Tensor, " lines"], score: Float[Tensor, " lines"], end: _End
    ) -> None:
        """Where `mask` is true, keep an answer that beats the worst, or fills an empty place."""
        slot = self._scores.argmin(dim=1, keepdim=True)
        is_better = mask & (score > self.worst())
        placed = torch.zeros_like(self._scores, dtype=torch.bool).scatter(
            1, slot, is_better[:, None]
        )
        self._scores = torch.where(placed, score[:, None], self._scores)
        self._ends = torch.where(placed[..., None], end.packed()[:, None], self._ends)

    def worst(self) -> Float[Tensor, " lines"]:
        """Return the lowest score of each line, -inf while places are empty."""
        return self._scores.amin(dim=1)

    def keep(self, lines: Int64[Tensor, " kept"]) -> None:
        self._store()
        self._lines, self._scores, self._ends = (
            self._lines[lines],
            self._scores[lines],
            self._ends[lines],
        )

    def best(self) -> list[tuple[int, int, float, bool]]:
        """Return length, last beam, score and whether it stopped, of each line's best answer."""
        self._store()
        scores, place = self._all_scores.max(dim=1)
        ends = self._all_ends[torch.arange(len(place), device=place.device), place]
        return [
            (length, beam, score, bool(is_stopped))
            for (length, beam, is_stopped), score in zip(
                ends.tolist(), scores.tolist(), strict=True
            )
        ]

    def _store(self) -> None:
        self._all_scores[self._lines], self._all_ends[self._lines] = self._scores, self._ends
