import io
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tests.pipelines.tiny_training import (
    DESCRIBED,
    STAGES,
    MadeUpClips,
    tiny_config,
    tiny_measure,
)
from unitaf.config import OptimiserConfig, TrainConfig, WorkersConfig
from unitaf.pipelines.training_loop import Training, Worker, lone_worker
from unitaf.pipelines.training_worker import precision, wrapper

SHARDED = WorkersConfig(use_gpu=True, sharding="fsdp")


@pytest.fixture
def lone_group() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def training(config: TrainConfig, worker: Worker, state: dict | None = None) -> Training:
    return Training(config, DESCRIBED, tiny_measure(), MadeUpClips(), worker, state)


def finished(run: Training) -> Training:
    for _ in run.run():
        pass
    return run


@pytest.mark.usefixtures("lone_group")
def test_a_sharded_network_learns_the_same_and_goes_on() -> None:
    """On the processor, where FSDP runs as on GPUs."""
    stages = tuple(stage.model_copy(update={"steps": 3}) for stage in STAGES)
    config = tiny_config(stages=stages, workers=SHARDED)
    sharded = Worker(0, torch.device("cpu"), torch.float32, wrapper(config, 1))
    run, states = training(config, sharded), []
    for _ in run.run():
        file = io.BytesIO()
        torch.save(run.state(), file)
        states.append(file)
    states[8].seek(0)  # After a step of the third stage.
    kept = torch.load(states[8], weights_only=True)
    resumed, alone = (
        finished(training(config, worker, state))
        for worker, state in ((sharded, kept), (lone_worker(), None))
    )
    assert resumed.points == run.points
    for name, value in alone.weights().items():
        assert run.weights()[name].shape == value.shape
        torch.testing.assert_close(run.weights()[name], value, rtol=1e-4, atol=1e-5)
        assert torch.equal(resumed.weights()[name], run.weights()[name])


@pytest.mark.usefixtures("lone_group")
@pytest.mark.parametrize("accumulation", [1, 3])
def test_workers_share_gradients_once_a_step(accumulation: int) -> None:
    shared: list[int] = []

    def share(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:
        shared.append(bucket.index())
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    def wrap(losses: nn.Module) -> nn.Module:
        wrapped = DistributedDataParallel(losses)
        wrapped.register_comm_hook(None, share)
        return wrapped

    stages = tuple(stage.model_copy(update={"steps": 3}) for stage in STAGES)
    config = tiny_config(stages=stages, optimiser=OptimiserConfig(accumulation=accumulation))
    together = Worker(0, torch.device("cpu"), torch.float32, wrap)
    run, alone = (finished(training(config, worker)) for worker in (together, lone_worker()))
    assert shared.count(0) == run.steps_total
    for name, value in alone.weights().items():
        torch.testing.assert_close(run.weights()[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auto", torch.float32),
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
    ],
)
def test_a_processor_computes_in_what_is_asked_for(asked: str, found: torch.dtype) -> None:
    workers = WorkersConfig.model_validate({"precision": asked})
    assert precision(workers, torch.device("cpu")) == found


def test_every_stage_learns_in_bfloat16() -> None:
    worker = Worker(0, torch.device("cpu"), torch.bfloat16, lambda module: module)
    run = finished(training(tiny_config(), worker))
    for stage in STAGES:
        points = [point for point in run.points if point.stage == stage.name]
        for name in stage.losses:
            assert points[-1].losses[name] < 0.8 * points[0].losses[name], (stage.name, name)
