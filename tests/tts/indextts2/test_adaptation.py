import resource
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tests.tts.indextts2 import tiny
from tests.tts.indextts2.published import write_model
from unitaf.errors import ConfigError, StorageError
from unitaf.tts.indextts2 import teaching
from unitaf.tts.indextts2.adaptation import Lesson, Teaching, adapt, mean_loss, write_adapted
from unitaf.tts.indextts2.gpt import SpeechGpt, attend_causally
from unitaf.tts.indextts2.loading import load_networks
from unitaf.tts.indextts2.prompt import join_conditions

FAST = Teaching(steps=30, learning_rate=2e-2, rank=4, seed=1)


def lessons(count: int) -> list[Lesson]:
    """Lines with few codes, which a GPT can learn to expect."""
    random = torch.Generator().manual_seed(0)
    return [
        Lesson(
            tuple(torch.randint(2, 60, (4 + number,), generator=random).tolist()),
            tuple(torch.randint(3, 9, (10 + 3 * number,), generator=random).tolist()),
            torch.randn(32, tiny.GPT.width, generator=random),
            torch.randn(tiny.GPT.width, generator=random),
        )
        for number in range(count)
    ]


@pytest.fixture
def gpt() -> SpeechGpt:
    return deepcopy(tiny.gpt()).requires_grad_(False)


def teach(gpt: SpeechGpt, how: Teaching = FAST) -> list[tuple[int, float]]:
    told: list[tuple[int, float]] = []
    adapt(gpt, lessons(4), how, lambda step, loss: told.append((step, loss)))
    return told


def test_what_is_taught_is_expected(gpt: SpeechGpt) -> None:
    before = mean_loss(gpt, lessons(4))
    told = teach(gpt)
    assert [step for step, _ in told] == list(range(1, 31))
    assert mean_loss(gpt, lessons(4)) < 0.8 * before
    assert told[-1][1] < told[0][1]


@torch.no_grad()
def test_the_codes_weigh_four_times_what_the_text_does(gpt: SpeechGpt) -> None:
    (lesson,) = lessons(1)
    conditions = join_conditions(gpt, lesson.speaker_latents[None], lesson.emotion[None])
    text, codes = [lesson.text_ids], [lesson.codes]
    taught = teaching.teach(gpt, conditions, text, [[tiny.GPT.start_code, *lesson.codes]])
    losses = teaching.teaching_losses(gpt, taught, text, codes)
    expected = 0.2 * losses.text + 0.8 * losses.codes
    assert mean_loss(gpt, [lesson]) == pytest.approx(expected.item())


def test_the_merged_network_is_a_plain_one(gpt: SpeechGpt) -> None:
    original = tiny.gpt().state_dict()
    teach(gpt)
    changed = {key for key, value in gpt.state_dict().items() if not value.equal(original[key])}
    assert gpt.state_dict().keys() == original.keys()
    assert changed == {
        f"gpt.h.{layer}.{part}.weight"
        for layer in range(tiny.GPT.layers)
        for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }
    assert not any(parameter.requires_grad for parameter in gpt.parameters())
    gpt(torch.zeros(1, 3, tiny.GPT.width), attend_causally)


def test_teaching_is_repeatable(gpt: SpeechGpt) -> None:
    again, other = deepcopy(gpt), deepcopy(gpt)
    state = torch.get_rng_state()
    assert teach(gpt) == teach(again)
    assert torch.get_rng_state().equal(state)
    assert teach(other, Teaching(30, learning_rate=2e-2, rank=4, seed=2)) != teach(again)


def test_steps_are_no_longer_than_the_clip(gpt: SpeechGpt) -> None:
    with torch.no_grad():
        gpt.mel_head.weight.mul_(20.0)
    lengths: list[float] = []

    def watch(optimiser: torch.optim.Optimizer, *_: object) -> None:
        given = [each.grad for group in optimiser.param_groups for each in group["params"]]
        lengths.append(float(torch.nn.utils.get_total_norm([g for g in given if g is not None])))

    hook = register_optimizer_step_pre_hook(watch)
    teach(gpt, replace(FAST, steps=3))
    hook.remove()
    assert lengths == pytest.approx([1.0] * 3, abs=1e-3)


def test_a_disk_that_is_full_leaves_nothing(gpt: SpeechGpt, tmp_path: Path) -> None:
    published, out = write_model(tmp_path / "model"), tmp_path / "out/taught"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*/taught: the disk is full"):
            write_adapted(published, out, gpt)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(out.parent.iterdir())
    write_adapted(published, out, gpt)
    load_networks(out)


def test_the_result_is_a_model_like_the_published_one(gpt: SpeechGpt, tmp_path: Path) -> None:
    published = write_model(tmp_path / "model")
    teach(gpt)
    write_adapted(published, tmp_path / "taught", gpt)
    loaded = load_networks(tmp_path / "taught")
    for key, value in gpt.state_dict().items():
        torch.testing.assert_close(loaded.gpt.state_dict()[key], value)
    kept = tiny.networks().conditioner.state_dict()
    assert all(loaded.conditioner.state_dict()[key].equal(kept[key]) for key in kept)
    assert "gpt.pth was changed" in (tmp_path / "taught/NOTICE.txt").read_text()
    with pytest.raises(ConfigError, match="exists already"):
        write_adapted(published, tmp_path / "taught", gpt)
    with pytest.raises(ConfigError, match=r"gpt\.pth is missing"):
        write_adapted(tmp_path, tmp_path / "other", gpt)
