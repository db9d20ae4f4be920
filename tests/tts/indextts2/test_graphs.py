"""A graph of a step does what the step does, though it knows nothing of Python any more.

Without a GPU a trace stands in for the graph: it too repeats the same operations on the same
tensors, and whatever Python decided when it was made, lengths and slices, stays as it was.
"""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from tests.tts.indextts2 import tiny
from tests.tts.indextts2.test_decoding import LENGTHS, MODES, conditions, run, texts
from unitaf.tts.indextts2.cache import KeyValueCache
from unitaf.tts.indextts2.decoding import TRAINED_POSITION, Decoded, decode, make_search
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.graphs import GraphedStep, PlainStep, Step, Work
from unitaf.tts.indextts2.prompt import generation_prompts
from unitaf.tts.indextts2.random import SeededNoise


def capture_trace(work: Work) -> Work:
    """As `graphs.capture_graph`: work is done once and then repeated into the same result."""
    graph = make_fx(partial(work))()
    result = torch.empty_like(work())

    def replay() -> Tensor:
        return result.copy_(graph())

    return replay


def assert_equal(graphed: Decoded, plain: Decoded) -> None:
    assert [path.codes for path in graphed.paths] == [path.codes for path in plain.paths]
    assert [path.is_stopped for path in graphed.paths] == [path.is_stopped for path in plain.paths]
    torch.testing.assert_close(graphed.states, plain.states, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_graph_decodes_as_plain_steps_do(mode: str) -> None:
    gpt, every = tiny.gpt(), list(range(len(LENGTHS)))
    captured: list[int] = []

    def graphed(gpt: SpeechGpt, cache: KeyValueCache) -> Step:
        captured.append(cache.num_slots)
        return GraphedStep(gpt, cache, capture_trace)

    decoded = run(gpt, every, MODES[mode], 20, TRAINED_POSITION, graphed)
    assert_equal(decoded, run(gpt, every, MODES[mode], 20, TRAINED_POSITION, PlainStep))
    assert len(captured) > 1  # Lines have left.
    assert len({path.codes for path in decoded.paths}) > 10


def test_a_graph_is_made_anew_when_the_cache_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unitaf.tts.indextts2.decoding._FIRST_CAPACITY", 4)
    gpt, rules = tiny.gpt(), MODES["beam_sample"]
    graphed = partial(GraphedStep, capture=capture_trace)
    assert_equal(
        run(gpt, [0, 3], rules, 20, TRAINED_POSITION, graphed),
        run(gpt, [0, 3], rules, 20, TRAINED_POSITION, PlainStep),
    )


def test_a_step_is_captured_once_and_gets_codes_and_position_anew() -> None:
    gpt, works = tiny.gpt(), []
    cache = KeyValueCache(torch.tensor([3, 2]), 1, 8)
    plain_cache = KeyValueCache(torch.tensor([3, 2]), 1, 8)
    for each in (cache, plain_cache):
        gpt(torch.zeros(2, 3, tiny.GPT.width), each.attend_to_prompt)

    def capture(work: Work) -> Work:
        works.append(work)
        return work

    graphed, plain = GraphedStep(gpt, cache, capture), PlainStep(gpt, plain_cache)
    states = []
    for position, codes in enumerate(([[5], [6]], [[7], [8]], [[7], [8]]), start=2):
        for each in (cache, plain_cache):
            each.begin_step(torch.zeros(2, 1, dtype=torch.int64))
        given = torch.tensor(codes)
        states.append(graphed(given, position).clone())
        torch.testing.assert_close(states[-1], plain(given, position), atol=1e-5, rtol=1e-5)
    assert len(works) == 1
    assert not states[1].allclose(states[2], atol=1e-3)  # Same codes, another position and past.


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("mode", MODES)
def test_a_cuda_graph_decodes_as_plain_steps_do(mode: str) -> None:
    gpt, every = tiny.gpt().cuda(), list(range(len(LENGTHS)))
    limits = torch.tensor([20 + line for line in every], device="cuda")

    def decoded(step: type[GraphedStep] | type[PlainStep]) -> Decoded:
        noise = SeededNoise([1000 + line for line in every], torch.device("cuda"))
        search = make_search(tiny.GPT, MODES[mode], limits, noise)
        prompts = generation_prompts(gpt, conditions(gpt.cpu()).cuda(), texts())
        return decode(gpt.cuda(), prompts, search, TRAINED_POSITION, step)

    assert_equal(decoded(GraphedStep), decoded(PlainStep))
