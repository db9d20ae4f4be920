import pytest
import torch
from torch import Tensor

from tests.tts.indextts2.plain_search import search_one
from unitaf.tts.indextts2.beam_search import BeamSearch
from unitaf.tts.indextts2.random import SeededNoise
from unitaf.tts.indextts2.search import (
    Path,
    Rules,
    Sampling,
    SingleSearch,
    Vocabulary,
    nucleus,
    penalise,
)

VOCABULARY = Vocabulary(num_codes=14, start=12, stop=13)
LINES = 24
STEPS = 12
SAMPLING = Sampling(temperature=0.8, top_k=6, top_p=0.8)
RULES = [
    Rules(num_beams, penalty, sampling)
    for num_beams in (1, 3)
    for penalty in (1.0, 1.5)
    for sampling in (None, SAMPLING)
]


def tables(seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    logits = 2.0 * torch.randn(LINES, STEPS, 14, 14, generator=random)
    logits[..., VOCABULARY.stop] += 0.5
    return logits


def run(logits: Tensor, rules: Rules, limits: Tensor, *, thin: bool) -> list[Path]:
    """Search on tables; with `thin`, lines leave as soon as they are done."""
    noise = SeededNoise(list(range(100, 100 + len(logits))), torch.device("cpu"))
    kind = SingleSearch if rules.num_beams == 1 else BeamSearch
    search = kind(VOCABULARY, rules, limits, noise)
    lasts = torch.full((len(logits), rules.num_beams), VOCABULARY.start)
    for step in range(search.max_steps):
        present = logits[search.lines, step]
        rows = torch.arange(len(present))[:, None]
        lasts = search.advance(present[rows, lasts]).codes
        if thin:
            left = (~search.done).nonzero()[:, 0]
            search.keep(left)
            lasts = lasts[left]
        if search.done.all():
            break
    return search.paths()


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("thin", [False, True])
def test_a_batch_gives_each_line_what_plain_loops_give(rules: Rules, thin: bool) -> None:
    logits = tables(int(rules.repetition_penalty * 10))
    limits = torch.arange(LINES) % STEPS + 1
    noise = SeededNoise(list(range(100, 100 + LINES)), torch.device("cpu"))
    paths = run(logits, rules, limits, thin=thin)
    for number, path in enumerate(paths):
        limit = int(limits[number])
        expected = search_one(logits[number], VOCABULARY, rules, limit, noise, number)
        assert (list(path.codes), path.is_stopped) == expected[:2], number
        assert path.score == pytest.approx(expected[2], abs=1e-3)
        assert len(path.beams) == len(path.codes)
    assert {path.is_stopped for path in paths} == {True, False}


def test_the_penalty_makes_seen_codes_less_likely_whatever_their_sign() -> None:
    scores = torch.tensor([2.0, -3.0, 4.0])
    seen = torch.tensor([True, True, False])
    assert penalise(scores, seen, 10.0).tolist() == [pytest.approx(0.2), -30.0, 4.0]


def test_the_nucleus_keeps_at_least_what_is_asked() -> None:
    certain = torch.tensor([[9.0, 0.0, -1.0, -2.0]])
    kept, codes = nucleus(certain, Sampling(1.0, 4, 0.5), min_kept=1)
    assert kept.isfinite().tolist() == [[True, False, False, False]]
    kept, _ = nucleus(certain, Sampling(1.0, 1, 0.5), min_kept=2)
    assert kept.tolist() == [[9.0, 0.0]]
    assert codes.tolist() == [[0, 1, 2, 3]]


def test_the_nucleus_of_equal_codes_is_a_share_of_them() -> None:
    kept, _ = nucleus(torch.zeros(1, 10), Sampling(1.0, 10, 0.75), min_kept=1)
    assert kept.isfinite().sum().item() == 8
