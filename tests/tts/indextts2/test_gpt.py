import pytest
import torch
from torch import Tensor

from tests.tts.indextts2 import tiny
from unitaf.audio import torchaudio_functional
from unitaf.tts.indextts2.cache import KeyValueCache
from unitaf.tts.indextts2.gpt import SpeechGpt, attend_causally
from unitaf.tts.indextts2.prompt import generation_prompts, join_conditions
from unitaf.tts.indextts2.teaching import code_latents, teach, teaching_losses

TEXTS = [[5, 6, 7], [9, 8, 7, 6, 5, 4, 3, 2], [11]]
CODES = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9, 7, 9]]


@pytest.fixture(scope="module")
def gpt() -> SpeechGpt:
    return tiny.gpt()


def conditions(gpt: SpeechGpt, lines: int) -> Tensor:
    random = torch.Generator().manual_seed(4)
    latents = torch.randn(lines, 32, tiny.GPT.width, generator=random)
    return join_conditions(gpt, latents, torch.randn(lines, tiny.GPT.width, generator=random))


@torch.no_grad()
def test_the_blocks_are_those_of_transformers(gpt: SpeechGpt) -> None:
    torchaudio_functional()
    from transformers import GPT2Config, GPT2Model

    sizes = tiny.GPT
    reference = GPT2Model(
        GPT2Config(
            vocab_size=1,
            n_positions=64,
            n_embd=sizes.width,
            n_layer=sizes.layers,
            n_head=sizes.heads,
        )
    ).eval()
    missing, unexpected = reference.load_state_dict(gpt.gpt.state_dict(), strict=False)
    assert not unexpected
    assert set(missing) == {"wte.weight", "wpe.weight"}
    reference.wpe.weight.zero_()
    embeddings = torch.randn(2, 20, sizes.width)
    expected = reference(inputs_embeds=embeddings).last_hidden_state
    torch.testing.assert_close(gpt.gpt(embeddings, attend_causally), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_prompts_drop_marks_inside_the_text_and_pad_at_the_right(gpt: SpeechGpt) -> None:
    prompts = generation_prompts(gpt, conditions(gpt, 2), [[5, 0, 1, 6], [7]])
    alone = generation_prompts(gpt, conditions(gpt, 2)[:1], [[5, 6]])
    assert prompts.lengths.tolist() == [34 + 4 + 1, 34 + 3 + 1]
    torch.testing.assert_close(prompts.embeddings[0], alone.embeddings[0])
    assert not prompts.embeddings[1, 38:].any()


@torch.no_grad()
def test_a_latent_does_not_depend_on_its_own_code_or_on_its_mates(gpt: SpeechGpt) -> None:
    given = conditions(gpt, 3)
    latents = code_latents(gpt, given, TEXTS, CODES)
    for row, codes in enumerate(CODES):
        changed = [[*codes[:-1], 40]]
        alone = code_latents(gpt, given[row : row + 1], TEXTS[row : row + 1], changed)[0]
        torch.testing.assert_close(latents[row, : len(codes)], alone, atol=1e-5, rtol=1e-5)
        assert not latents[row, len(codes) :].any()


@torch.no_grad()
def test_a_line_without_codes_has_no_latents(gpt: SpeechGpt) -> None:
    latents = code_latents(gpt, conditions(gpt, 2), TEXTS[:2], [[], [4]])
    assert latents.shape == (2, 1, tiny.GPT.width)
    assert not latents[0].any()


def test_losses_count_tokens_not_lines(gpt: SpeechGpt) -> None:
    given = conditions(gpt, 3)
    fed = [[tiny.GPT.start_code, *codes] for codes in CODES]
    together = teaching_losses(gpt, teach(gpt, given, TEXTS, fed), TEXTS, CODES)
    total_text = total_codes = 0.0
    for row in range(3):
        one = slice(row, row + 1)
        taught = teach(gpt, given[one], TEXTS[one], fed[one])
        losses = teaching_losses(gpt, taught, TEXTS[one], CODES[one])
        total_text += losses.text.item() * (len(TEXTS[row]) + 1)
        total_codes += losses.codes.item() * (len(CODES[row]) + 1)
    assert together.text.item() == pytest.approx(total_text / (12 + 3), rel=1e-5)
    assert together.codes.item() == pytest.approx(total_codes / (15 + 3), rel=1e-5)
    together.codes.backward()
    assert gpt.gpt.h[0].attn.c_attn.weight.grad.isfinite().all()
    gpt.zero_grad()


@torch.no_grad()
def test_steps_over_the_cache_give_the_states_of_one_pass(gpt: SpeechGpt) -> None:
    prompts = generation_prompts(gpt, conditions(gpt, 3), TEXTS)
    cache = KeyValueCache(prompts.lengths, num_beams=1, capacity=2)
    gpt(prompts.embeddings, cache.attend_to_prompt)
    expected = teach(gpt, conditions(gpt, 3), TEXTS, [[tiny.GPT.start_code, 3, 1, 4, 1]] * 3).codes[
        :, 1:
    ]
    for step, code in enumerate((3, 1, 4, 1)):
        if step == 2:
            cache.reserve(4)
        cache.begin_step(torch.zeros(3, 1, dtype=torch.int64))
        cache.num_read = cache.num_used
        codes = torch.full((3, 1), code)
        states = gpt(gpt.embed_codes(codes, torch.full_like(codes, step + 1)), cache.attend_to_past)
        torch.testing.assert_close(states[:, 0], expected[:, step], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_beams_see_their_ancestors_only_and_unread_slots_change_nothing(gpt: SpeechGpt) -> None:
    prompts = generation_prompts(gpt, conditions(gpt, 3)[1:], TEXTS[1:])
    cache = KeyValueCache(prompts.lengths, num_beams=2, capacity=8)
    gpt(prompts.embeddings, cache.attend_to_prompt)
    # Beams: 0 says 3 7, 1 says 9 7; then both go on from beam 1, and lines change places.
    for step, (parents, codes) in enumerate([([0, 0], [3, 9]), ([0, 1], [7, 7]), ([1, 1], [2, 5])]):
        cache.begin_step(torch.tensor([parents, parents]))
        fed = torch.tensor([codes, codes])
        embedded = gpt.embed_codes(fed, torch.full_like(fed, step + 1))
        states = gpt(embedded, cache.attend_to_past)
        if step == 1:
            cache.keep(torch.tensor([1, 0]))
    start = tiny.GPT.start_code
    for beam, last in enumerate((2, 5)):
        expected = teach(gpt, conditions(gpt, 3)[1:], TEXTS[1:], [[start, 9, 7, last]] * 2).codes
        torch.testing.assert_close(states[:, beam], expected[:, 3].flip(0), atol=1e-5, rtol=1e-5)
