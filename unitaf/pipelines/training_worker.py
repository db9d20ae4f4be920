"""A worker of a training on Ray: devices, other workers, checkpoints, and word to the driver."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import ray
import ray.train
import torch
from ray.train import Checkpoint
from ray.train.torch import get_device
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from unitaf.checkpoint.description import FaceModelDescription
from unitaf.checkpoint.face_model import write_face_model
from unitaf.checkpoint.files import DESCRIPTION_FILE
from unitaf.config import TrainConfig, WorkersConfig
from unitaf.errors import ConfigError, UnitafError
from unitaf.pipelines.training_loop import BatchSource, Pace, Training, Worker
from unitaf.pipelines.training_progress import TrainProgress, progress_of
from unitaf.pipelines.training_step import FaceMeasure
from unitaf.storage import Storage

STATE_FILE = "training.pt"
CHECKPOINTS = "checkpoints"
"""The folder of the finished stages' checkpoints."""
_FIRST_STEPS = 5
"""After these a worker knows how fast it is."""


class ClipSource(Protocol):
    """Gives each worker of a training its clips; goes to the workers by pickle."""

    def shard(self, rank: int, world: int) -> BatchSource:
        """Return the clips of one of some workers."""
        ...


class Board:
    """Where the first worker says how far it is and what went wrong; an actor of the driver's."""

    def __init__(self) -> None:
        self._progress: TrainProgress | None = None
        self._points: list[Any] = []
        self._error: UnitafError | None = None

    def tell(self, progress: TrainProgress, points: list[Any]) -> None:
        """Say how far it is."""
        self._progress, self._points = progress, points

    def fail(self, error: UnitafError) -> None:
        """Say what another try would not mend."""
        self._error = self._error or error

    def read(self) -> tuple[TrainProgress | None, list[Any], UnitafError | None]:
        """Return the last word, all points, and the error, if there is one."""
        return self._progress, self._points, self._error


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is to do; it goes to the workers by pickle."""

    config: TrainConfig
    described: FaceModelDescription
    measure: FaceMeasure
    clips: ClipSource
    out: Storage
    board: Any
    """The handle of a `Board`."""


def work(settings: dict[str, Any]) -> None:
    """Train in one of the processes that Ray Train has started."""
    assignment: Assignment = settings["assignment"]
    error = ray.get(assignment.board.read.remote())[2]
    try:
        if error is not None:
            raise error
        _train(assignment)
    except UnitafError as error:
        ray.get(assignment.board.fail.remote(error))
        raise


def _train(assignment: Assignment) -> None:
    config = assignment.config
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = get_device()
    torch.set_num_threads(max(1, int(config.workers.cpus_per_worker)))
    worker = Worker(rank, device, precision(config.workers, device), wrapper(config, world))
    training = Training(
        config,
        assignment.described,
        assignment.measure,
        assignment.clips.shard(rank, world),
        worker,
        _saved_state(),
    )
    pace = Pace(training)
    saving = _Saving(config.checkpoint_every_s, pace, world)
    told_s = 0.0
    _tell(assignment, training, pace, rank, world)
    for _ in training.run():
        if time.monotonic() - told_s >= config.progress_every_s:
            told_s = time.monotonic()
            _tell(assignment, training, pace, rank, world)
        if training.is_between_stages and rank == 0:
            keep_checkpoint(assignment.out, training)
        if training.is_between_stages or saving.is_due(training.steps_done):
            _save(training, rank)
            saving.plan(training.steps_done)
    _tell(assignment, training, pace, rank, world)


def precision(workers: WorkersConfig, device: torch.device) -> torch.dtype:
    """Return what a network computes in.

    Raises:
        ConfigError: If the device does not have what is asked for.
    """
    has_half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if workers.precision == "bfloat16" and device.type == "cuda" and not has_half:
        raise ConfigError(f"workers.precision: {device} has no bfloat16; use float32")
    if workers.precision == "float32" or (workers.precision == "auto" and not has_half):
        return torch.float32
    return torch.bfloat16


def wrapper(config: TrainConfig, world: int) -> Callable[[nn.Module], nn.Module]:
    """Return what makes the gradients of a network those of all workers."""

    def wrap(losses: nn.Module) -> nn.Module:
        if config.workers.sharding == "fsdp":
            _lengthen_scalars(losses)
            fully_shard(losses)  # In place.
            return losses
        return losses if world == 1 else DistributedDataParallel(losses)

    return wrap


def _lengthen_scalars(network: nn.Module) -> None:
    """Make lists of one number of parameters that are a number: FSDP cannot shard those."""
    for module in network.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            if value.dim() == 0:
                longer = nn.Parameter(value.detach()[None], value.requires_grad)
                module.register_parameter(name, longer)


class _Saving:
    """Decides at which steps the state is saved: the same for all workers, by the first's clock.

    A report costs up to two seconds when another came just before, so time decides, not steps.
    """

    def __init__(self, every_s: float, pace: Pace, world: int) -> None:
        self._every_s = every_s
        self._pace = pace
        self._world = world
        self._next_step = -1
        self._is_planned = False

    def is_due(self, steps_done: int) -> bool:
        if not self._is_planned and self._pace.steps_seen == _FIRST_STEPS:
            self.plan(steps_done)
        return steps_done == self._next_step

    def plan(self, steps_done: int) -> None:
        steps = [max(1, round(self._every_s * self._pace.steps_per_s))]
        if self._world > 1:
            distributed.broadcast_object_list(steps, src=0)
        self._next_step = steps_done + steps[0]
        self._is_planned = True


def _tell(assignment: Assignment, training: Training, pace: Pace, rank: int, world: int) -> None:
    if rank == 0:
        progress = progress_of(training, pace, world)
        assignment.board.tell.remote(progress, training.points)


def keep_checkpoint(out: Storage, training: Training) -> None:
    """Write the checkpoint of the stage that has just ended, unless an earlier try did."""
    described = training.described()
    folder = f"{CHECKPOINTS}/{described.stages[-1].name}"
    if not out.exists(f"{folder}/{DESCRIPTION_FILE}"):
        write_face_model(out, folder, described, training.weights())


def _save(training: Training, rank: int) -> None:
    """Report the state to Ray, which keeps it where every later try finds it."""
    state = training.state()
    metrics = {"steps_done": training.steps_done}
    if rank != 0:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory(prefix="unitaf-") as folder:
        torch.save(state, Path(folder) / STATE_FILE)
        ray.train.report(metrics, checkpoint=Checkpoint.from_directory(folder))


def _saved_state() -> Mapping[str, Any] | None:
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return None
    with checkpoint.as_directory() as folder:
        state: dict[str, Any] = torch.load(
            Path(folder) / STATE_FILE, map_location="cpu", weights_only=True
        )
        return state
