import pytest
import torch
from torch import Tensor

from tests.tts.indextts2 import tiny
from unitaf.tts.indextts2.cache import KeyValueCache
from unitaf.tts.indextts2.decoding import (
    SKIPPED_POSITION,
    TRAINED_POSITION,
    Decoded,
    code_limit,
    decode,
    make_search,
)
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.graphs import Step, StepMaker, make_step
from unitaf.tts.indextts2.prompt import generation_prompts, join_conditions
from unitaf.tts.indextts2.random import SeededNoise
from unitaf.tts.indextts2.search import Rules, Sampling
from unitaf.tts.indextts2.teaching import code_latents

MODES = {
    "greedy": Rules(1, 10.0, None),
    "sample": Rules(1, 10.0, Sampling()),
    "beam": Rules(3, 10.0, None),
    "beam_sample": Rules(3, 10.0, Sampling()),
}
LENGTHS = [5, 120, 33, 8, 64, 17, 90, 5, 41, 12, 101, 26, 7, 55, 76, 19]


@pytest.fixture(scope="module")
def gpt() -> SpeechGpt:
    return tiny.gpt()


def texts() -> list[list[int]]:
    random = torch.Generator().manual_seed(2)
    return [torch.randint(2, 60, (n,), generator=random).tolist() for n in LENGTHS]


def conditions(gpt: SpeechGpt) -> Tensor:
    random = torch.Generator().manual_seed(3)
    latents = torch.randn(len(LENGTHS), 32, tiny.GPT.width, generator=random)
    emotion = torch.randn(len(LENGTHS), tiny.GPT.width, generator=random)
    return join_conditions(gpt, latents, emotion)


def run(
    gpt: SpeechGpt,
    order: list[int],
    rules: Rules,
    limit: int,
    second: int,
    new_step: StepMaker = make_step,
) -> Decoded:
    noise = SeededNoise([1000 + line for line in order], torch.device("cpu"))
    limits = torch.tensor([limit + line for line in order])
    search = make_search(tiny.GPT, rules, limits, noise)
    given = [texts()[line] for line in order]
    prompts = generation_prompts(gpt, conditions(gpt)[order], given)
    return decode(gpt, prompts, search, second, new_step)


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_batches_of_any_size_and_order_give_the_codes_of_lines_alone(
    gpt: SpeechGpt, mode: str
) -> None:
    alone = {
        line: run(gpt, [line], MODES[mode], 20, SKIPPED_POSITION).paths[0]
        for line in range(len(LENGTHS))
    }
    for size in (4, 16):
        order = torch.randperm(16, generator=torch.Generator().manual_seed(size)).tolist()
        for start in range(0, 16, size):
            batch = order[start : start + size]
            for line, path in zip(
                batch, run(gpt, batch, MODES[mode], 20, SKIPPED_POSITION).paths, strict=True
            ):
                assert path.codes == alone[line].codes
                assert path.is_stopped == alone[line].is_stopped
                assert path.score == pytest.approx(alone[line].score, abs=1e-3)
    assert len({path.codes for path in alone.values()}) > 10
    assert {path.is_stopped for path in alone.values()} == {True, False}


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_states_of_decoding_are_the_latents_where_positions_are_those_of_training(
    gpt: SpeechGpt, mode: str
) -> None:
    order = [0, 3, 5, 9, 12, 15]
    decoded = run(gpt, order, MODES[mode], 30, TRAINED_POSITION)
    codes = [path.codes for path in decoded.paths]
    given = [texts()[line] for line in order]
    latents = code_latents(gpt, conditions(gpt)[order], given, codes)
    torch.testing.assert_close(decoded.states, latents, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_lines_leave_when_half_of_the_batch_is_done(gpt: SpeechGpt) -> None:
    present: list[int] = []

    def watched(gpt: SpeechGpt, cache: KeyValueCache) -> Step:
        step = make_step(gpt, cache)

        def run_step(codes: Tensor, position: int) -> Tensor:
            present.append(len(codes))
            return step(codes, position)

        return run_step

    decoded = run(gpt, list(range(16)), MODES["sample"], 20, SKIPPED_POSITION, watched)
    # A line that is cut is done with its last code, another with the stop behind it.
    fed = [len(path.codes) - (not path.is_stopped) for path in decoded.paths]
    for step, lines in enumerate(present):
        still_open = sum(count > step for count in fed)
        assert still_open <= lines < 2 * still_open
    assert len(set(present)) > 1


@torch.no_grad()
def test_with_the_skipped_position_states_are_not_latents(gpt: SpeechGpt) -> None:
    assert run(gpt, [0], MODES["greedy"], 5, SKIPPED_POSITION).states is None


@torch.no_grad()
def test_a_line_may_outgrow_the_first_room_of_the_cache(gpt: SpeechGpt) -> None:
    rules = Rules(1, 1.0, Sampling(temperature=1.5))
    with torch.no_grad():
        bias = gpt.mel_head.bias.clone()
        gpt.mel_head.bias[tiny.GPT.stop_code] = -30.0
    decoded = run(gpt, [0, 3], rules, 300, TRAINED_POSITION)
    gpt.mel_head.bias.copy_(bias)
    assert [len(path.codes) for path in decoded.paths] == [300, 303]
    codes = [path.codes for path in decoded.paths]
    given = [texts()[line] for line in (0, 3)]
    latents = code_latents(gpt, conditions(gpt)[[0, 3]], given, codes)
    torch.testing.assert_close(decoded.states, latents, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_seeds_decide_what_is_drawn(gpt: SpeechGpt) -> None:
    paths = set()
    for seed in range(8):
        noise = SeededNoise([seed], torch.device("cpu"))
        search = make_search(tiny.GPT, MODES["sample"], torch.tensor([20]), noise)
        prompts = generation_prompts(gpt, conditions(gpt)[:1], texts()[:1])
        paths.add(decode(gpt, prompts, search, SKIPPED_POSITION).paths[0].codes)
    assert len(paths) > 2


def test_the_limit_grows_with_the_text_and_never_beyond_the_reference() -> None:
    assert code_limit(1) < code_limit(10) < code_limit(30)
    assert code_limit(120) == 1500
