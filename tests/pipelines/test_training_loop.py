import io
import itertools
import math
from pathlib import Path

import pytest
import torch

from tests.pipelines.tiny_training import (
    DESCRIBED,
    DIM,
    STAGES,
    MadeUpClips,
    made_up_batch,
    tiny_config,
    tiny_measure,
)
from unitaf.checkpoint.description import FeatureSpace
from unitaf.checkpoint.face_model import load_face_model, write_face_model
from unitaf.config import OptimiserConfig, TrainConfig
from unitaf.errors import BackendError, ConfigError
from unitaf.pipelines.training_loop import Training, lone_worker, scheduled_rate
from unitaf.pipelines.training_stages import begin_stage
from unitaf.pipelines.training_step import with_pivot
from unitaf.storage import open_storage


def training(config: TrainConfig | None = None, state: dict | None = None) -> Training:
    config = config or tiny_config()
    return Training(config, DESCRIBED, tiny_measure(), MadeUpClips(), lone_worker(), state)


def finished(run: Training) -> Training:
    for _ in run.run():
        pass
    return run


@pytest.fixture(scope="module")
def whole() -> Training:
    return finished(training())


def test_every_stage_learns(whole: Training) -> None:
    for stage in STAGES:
        points = [point for point in whole.points if point.stage == stage.name]
        assert [point.step for point in points] == list(range(1, 13))
        for name in stage.losses:
            first, last = points[0].losses[name], points[-1].losses[name]
            assert last < 0.8 * first, (stage.name, name)


@pytest.mark.parametrize("stop", [1, 11, 12, 13, 31, 45])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(whole: Training, stop: int) -> None:
    steps = training().run()
    for _ in range(stop):
        stopped = next(steps)
    file = io.BytesIO()
    torch.save(stopped.state(), file)
    file.seek(0)
    resumed = finished(training(state=torch.load(file, weights_only=True)))
    assert resumed.points == whole.points
    assert resumed.described() == whole.described()
    for name, value in whole.weights().items():
        torch.testing.assert_close(resumed.weights()[name], value, rtol=0.0, atol=1e-6)


def test_what_is_frozen_stays() -> None:
    seen = {}
    for run in training().run():
        if run.is_between_stages:
            seen[run.described().stages[-1].name] = dict(run.weights())
    for stage, before in (("align", "a2f"), ("joint", "align"), ("expression", "joint")):
        trained = next(row.trains for row in STAGES if row.name == stage)
        for name, value in seen[before].items():
            is_moved = not torch.equal(value, seen[stage][name])
            assert is_moved <= (name.split(".")[0] in trained), (stage, name)


def test_a_stage_begins_from_a_checkpoint(whole: Training, tmp_path: Path) -> None:
    described = whole.described()
    write_face_model(open_storage(str(tmp_path)), "model", described, whole.weights())
    start = STAGES[2].model_copy(update={"init_from": str(tmp_path / "model"), "steps": 1})
    run = training(tiny_config(stages=(start,)))
    first = next(run.run()).points[0].losses["coefficient"]
    untrained = STAGES[2].model_copy(update={"steps": 1})
    assert (
        first
        < 0.5
        * next(training(tiny_config(stages=(untrained,))).run()).points[0].losses["coefficient"]
    )
    other = DESCRIBED.model_copy(update={"fps": 25.0})
    run = Training(
        tiny_config(stages=(start,)), other, tiny_measure(), MadeUpClips(), lone_worker()
    )
    with pytest.raises(ConfigError, match=r"init_from .*: its fps is 30\.0, but the corpus has 25"):
        next(run.run())


def test_another_engine_gets_an_adapter_of_its_own(whole: Training, tmp_path: Path) -> None:
    write_face_model(open_storage(str(tmp_path)), "model", whole.described(), whole.weights())
    engine = FeatureSpace(name="other/1", dim=64, rate=40.0)
    described = DESCRIBED.model_copy(update={"features": engine})
    align, expression = (
        STAGES[row].model_copy(update={"init_from": str(tmp_path / "model")}) for row in (1, 3)
    )
    torch.manual_seed(3)
    model = begin_stage(described, (align, STAGES[3]), 0, None, is_resumed=False)
    old = whole.weights()
    for name, value in model.state_dict().items():
        is_adopted = (
            name in old and value.shape == old[name].shape and torch.equal(value, old[name])
        )
        assert is_adopted == name.startswith(("decoder.", "head.")), name

    newer = DESCRIBED.model_copy(
        update={"features": FeatureSpace(name="engine/2", dim=DIM, rate=80.0)}
    )
    model = begin_stage(newer, (align,), 0, None, is_resumed=False)
    assert torch.equal(model.state_dict()["adapter.norm.weight"], old["adapter.norm.weight"])

    with pytest.raises(
        ConfigError, match=r"no adapter for other/1, 64 at 40 Hz, and stage expression"
    ):
        begin_stage(described, (expression,), 0, None, is_resumed=False)


def test_the_checkpoint_moves_a_face(whole: Training, tmp_path: Path) -> None:
    write_face_model(open_storage(str(tmp_path)), "m", whole.described(), whole.weights())
    model = load_face_model(str(tmp_path / "m")).model
    batch = made_up_batch(4, 999)
    with torch.inference_mode():
        curves = model(
            batch.features, batch.step_mask, batch.frame_mask, batch.style_ids, batch.emotion
        )
    error = (curves - batch.curves)[batch.frame_mask].square().mean()
    spread = batch.curves[batch.frame_mask].var(0).mean()
    assert error < spread


def test_accumulated_batches_are_one_step() -> None:
    settings = {"clips": 4, "accumulation": 3, "warmup_steps": 2}
    run = finished(training(tiny_config(optimiser=settings)))
    assert [stage.clips for stage in run.described().stages] == [12 * 3 * 4] * 4


def test_a_loss_that_explodes_stops_the_run() -> None:
    stage = STAGES[0].model_copy(update={"learning_rate": 1e30})
    with pytest.raises(BackendError, match="lower its learning_rate"):
        finished(training(tiny_config(stages=(stage,))))


def test_the_learning_rate_rises_and_falls() -> None:
    stage = STAGES[0].model_copy(update={"steps": 100, "learning_rate": 1.0})
    settings = OptimiserConfig(warmup_steps=9, final_learning_rate=0.1)
    rates = [scheduled_rate(stage, settings, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=0.03)
    assert rates[-1] == pytest.approx(0.1, abs=0.001)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert not any(math.isnan(rate) for rate in rates)


def test_some_clips_move_in_nobodys_style() -> None:
    batch = made_up_batch(1000, 0)
    moved = with_pivot(batch, 0.1, 2, torch.Generator().manual_seed(0))
    share = (moved.style_ids == 2).float().mean()
    assert 0.07 < share < 0.13
    kept = moved.style_ids != 2
    assert torch.equal(moved.style_ids[kept], batch.style_ids[kept])
