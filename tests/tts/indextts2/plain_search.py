"""The rules of decoding again, as slow loops over lists: what the batched searches must equal."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unitaf.tts.indextts2.search import FAKE_PROMPT_CODE, Noise, Rules, Sampling, Vocabulary


@dataclass
class Beam:
    codes: list[int]
    score: float
    seen: set[int]


@dataclass
class Line:
    """One line with its finished answers."""

    beams: list[Beam]
    answers: list[tuple[float, list[int], bool]] = field(default_factory=list)

    def offer(self, score: float, codes: list[int], is_stopped: bool) -> None:
        self.answers.append((score, codes, is_stopped))
        self.answers.sort(key=lambda answer: -answer[0])
        del self.answers[len(self.beams) :]


def penalised(values: list[float], seen: set[int], penalty: float) -> list[float]:
    return [
        value if code not in seen else value / penalty if value > 0 else value * penalty
        for code, value in enumerate(values)
    ]


def filtered(values: list[float], sampling: Sampling, min_kept: int) -> list[float]:
    """Keep the top k, then those that have a share of top p; the others become -inf."""
    values = [value / sampling.temperature for value in values]
    order = sorted(range(len(values)), key=lambda code: -values[code])
    kept = order[: max(sampling.top_k, min_kept)]
    weights = [math.exp(values[code] - values[order[0]]) for code in kept]
    inside = {
        code
        for rank, code in enumerate(kept)
        if rank < min_kept or sum(weights[rank:]) / sum(weights) > 1 - sampling.top_p
    }
    return [value if code in inside else -math.inf for code, value in enumerate(values)]


def search_one(
    table: Tensor, vocabulary: Vocabulary, rules: Rules, limit: int, noise: Noise, number: int
) -> tuple[list[int], bool, float]:
    """Search one line on a table of logits by step and last code."""
    seen = {FAKE_PROMPT_CODE, vocabulary.start}
    idle = [0.0] + [-1e9] * (rules.num_beams - 1)
    line = Line([Beam([], score, set(seen)) for score in idle])
    lasts = [vocabulary.start] * rules.num_beams
    for step in range(limit):
        scored = []
        for index, (beam, last) in enumerate(zip(line.beams, lasts, strict=True)):
            logits = table[step, last]
            values = logits.log_softmax(-1) if rules.num_beams > 1 else logits
            processed = penalised(values.tolist(), beam.seen, rules.repetition_penalty)
            if rules.sampling:
                processed = filtered(processed, rules.sampling, min(rules.num_beams, 2))
            scored += [(value + beam.score, code, index) for code, value in enumerate(processed)]
        chosen = drawn(scored, rules, noise, step, number) if rules.sampling else scored
        chosen = sorted(chosen, key=lambda item: -item[0])
        if rules.num_beams == 1:
            _, code, _ = chosen[0]
            if code == vocabulary.stop:
                return line.beams[0].codes, True, 0.0
            line.beams = [Beam([*line.beams[0].codes, code], 0.0, line.beams[0].seen | {code})]
            lasts = [code]
            continue
        if advance(line, chosen[: 2 * rules.num_beams], vocabulary, rules):
            break
        lasts = [beam.codes[-1] for beam in line.beams]
    else:
        if rules.num_beams == 1:
            return line.beams[0].codes, False, 0.0
        for beam in line.beams:
            line.offer(beam.score, beam.codes, is_stopped=False)
    score, codes, is_stopped = line.answers[0]
    return codes, is_stopped, score


def drawn(
    scored: list[tuple[float, int, int]], rules: Rules, noise: Noise, step: int, number: int
) -> list[tuple[float, int, int]]:
    places = torch.arange(len(scored))[None]
    luck = noise.exponential(torch.tensor([number]), step, places)[0].tolist()
    count = 1 if rules.num_beams == 1 else 2 * rules.num_beams
    order = sorted(range(len(scored)), key=lambda i: -(scored[i][0] - math.log(luck[i])))
    return [scored[i] for i in order[:count]]


def advance(
    line: Line, ranked: list[tuple[float, int, int]], vocabulary: Vocabulary, rules: Rules
) -> bool:
    new: list[Beam] = []
    for rank, (score, code, parent) in enumerate(ranked):
        beam = line.beams[parent]
        if code == vocabulary.stop:
            if rank < rules.num_beams:
                line.offer(score, beam.codes, is_stopped=True)
        elif len(new) < rules.num_beams:
            new.append(Beam([*beam.codes, code], score, beam.seen | {code}))
    line.beams = new
    return len(line.answers) == rules.num_beams and line.answers[-1][0] >= ranked[0][0]
