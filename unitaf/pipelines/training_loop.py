"""The loop over stages and steps: plain PyTorch, in one process of one or many.

Conventions: everything random about step k of a stage follows from (seed, stage, k, rank), and the
learning rate from k alone, so a run that is stopped anywhere and goes on from its `Training.state`
makes the very steps that it would have made. It knows nothing about Ray or files.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.nn.parallel import DistributedDataParallel

from unitaf.checkpoint.description import FaceModelDescription, StageSummary
from unitaf.config import OptimiserConfig, StageConfig, TrainConfig
from unitaf.errors import BackendError
from unitaf.face.model import FaceModel
from unitaf.pipelines.training_stages import begin_stage, describe_stage
from unitaf.pipelines.training_step import (
    ClipBatch,
    FaceMeasure,
    StageLosses,
    total_loss,
    with_pivot,
)

POINTS_PER_STAGE = 100
"""How many points the curve of a stage's losses has."""
_WHOLE = StateDictOptions(full_state_dict=True)
_BETAS = (0.9, 0.999)


class BatchSource(Protocol):
    """Where a worker's clips come from."""

    def batches(self, first: int) -> Iterator[ClipBatch]:
        """Yield this worker's batches without end, from the one at a position on."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that trains, among others."""

    rank: int
    device: torch.device
    precision: torch.dtype
    wrap: Callable[[nn.Module], nn.Module]
    """Makes the losses' gradients those of all workers."""


def lone_worker(device: str = "cpu") -> Worker:
    """Return the worker of a training in this process alone."""
    return Worker(0, torch.device(device), torch.float32, lambda module: module)


@dataclass(frozen=True, slots=True)
class Point:
    """The losses of a stage around a step on a worker's clips, averaged since the point before."""

    stage: str
    step: int
    learning_rate: float
    losses: dict[str, float]


@dataclass(slots=True)
class _Place:
    """Where a training stands; kept with its weights."""

    stage: int = 0
    step: int = 0
    """Steps done of the stage."""
    batches: int = 0
    """Batches that this worker has taken in all."""
    clips: int = 0
    """Clips that this worker has taken for the stage."""
    stages: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    """Of each loss, since the last point."""
    count: int = 0


class Training:
    """Trains a face model through the stages of a job.

    Args:
        config: The job.
        described: The network at the end; `describe_stage` says what it is at each stage.
        measure: How wrong curves are measured.
        source: This worker's clips.
        worker: This process.
        state: Of a training that was stopped, to go on with; None to begin.
    """

    def __init__(
        self,
        config: TrainConfig,
        described: FaceModelDescription,
        measure: FaceMeasure,
        source: BatchSource,
        worker: Worker,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._config = config
        self._described = described
        self._measure = measure.to(worker.device)
        self._worker = worker
        self._place = _Place(**state["place"]) if state else _Place()
        self._clips = source.batches(self._place.batches)
        self._weights: Mapping[str, Tensor] | None = state["model"] if state else None
        self._optimiser_state: dict[str, Any] | None = state["optimiser"] if state else None
        self._sums: dict[str, Tensor] = {}
        self.clips = 0
        """Clips that this worker has seen since it started."""

    def run(self) -> Iterator["Training"]:
        """Train, pausing after every step and once more after the last of a stage."""
        while self._place.stage < len(self._config.stages):
            self._open_stage()
            while self._place.step < self.stage.steps:
                self._do_step()
                yield self
            self._close_stage()
            yield self

    @property
    def stage(self) -> StageConfig:
        """The row that is being trained; the last one at the end."""
        return self._config.stages[min(self._place.stage, len(self._config.stages) - 1)]

    @property
    def step(self) -> int:
        """Steps done of the stage."""
        return self._place.step

    @property
    def is_between_stages(self) -> bool:
        """Whether a stage has just ended, or nothing has begun."""
        return self._place.step == 0

    @property
    def steps_done(self) -> int:
        """Steps done in all."""
        done = sum(stage.steps for stage in self._config.stages[: self._place.stage])
        return done + self._place.step

    @property
    def steps_total(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self._config.stages)

    @property
    def points(self) -> list[Point]:
        """The curve of the losses so far."""
        return [Point(**point) for point in self._place.points]

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on; every worker must ask at once."""
        if self.is_between_stages:
            weights, optimiser = self._weights, None
        else:
            weights = self._learnt()
            optimiser = get_optimizer_state_dict(self._losses, self._optimiser, options=_WHOLE)
        place = asdict(self._place)
        place["sums"] = {name: float(total) for name, total in self._sums.items()}
        return {"place": place, "model": weights, "optimiser": optimiser}

    def described(self) -> FaceModelDescription:
        """Describe the network as the last finished stage left it."""
        summaries = [StageSummary(**stage) for stage in self._place.stages]
        return describe_stage(self._described, self._config.stages, summaries)

    def weights(self) -> Mapping[str, Tensor]:
        """Return the network's tensors as the last finished stage left them."""
        if self._weights is None:
            raise ValueError("no stage has ended yet")
        return {name.removeprefix("model."): value for name, value in self._weights.items()}

    def _open_stage(self) -> None:
        stage, worker = self.stage, self._worker
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(self._config.seed, stage.name))
            model = self._network()
        losses = StageLosses(
            model.to(worker.device),
            stage,
            self._described.encoder.rate,
            self._measure,
            worker.precision,
        )
        self._shapes = {name: value.shape for name, value in losses.state_dict().items()}
        self._losses = worker.wrap(losses.train())
        self._learning = [p for p in self._losses.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._learning,
            stage.learning_rate,
            _BETAS,
            weight_decay=self._config.optimiser.weight_decay,
        )
        if self._optimiser_state is not None:
            set_optimizer_state_dict(
                self._losses, self._optimiser, self._optimiser_state, options=_WHOLE
            )
            self._optimiser_state = None
        self._sums = {
            name: torch.tensor(total, dtype=torch.float64, device=worker.device)
            for name, total in self._place.sums.items()
        }
        self._place.sums = {}

    def _network(self) -> FaceModel:
        weights = None if self._weights is None else self.weights()
        index = self._place.stage
        is_resumed = self._place.step > 0
        return begin_stage(self._described, self._config.stages, index, weights, is_resumed)

    def _do_step(self) -> None:
        place, settings, worker = self._place, self._config.optimiser, self._worker
        seed = seed_of(self._config.seed, self.stage.name, place.step, worker.rank)
        torch.manual_seed(seed)
        random = torch.Generator().manual_seed(seed)
        pivot = len(self._described.styles)
        for group in self._optimiser.param_groups:
            group["lr"] = scheduled_rate(self.stage, settings, place.step)
        self._optimiser.zero_grad(set_to_none=True)
        for left in reversed(range(settings.accumulation)):
            batch = with_pivot(next(self._clips), settings.pivot_share, pivot, random)
            place.batches += 1
            place.clips += len(batch.style_ids)
            self.clips += len(batch.style_ids)
            with nullcontext() if left == 0 else self._unshared():
                losses = self._losses(batch.to(worker.device))
                total = total_loss(losses, self.stage.losses) / settings.accumulation
                torch.autograd.backward([total])
            self._add(losses)
        nn.utils.clip_grad_norm_(self._learning, settings.gradient_clip)
        self._optimiser.step()
        place.step += 1
        every = max(1, self.stage.steps // POINTS_PER_STAGE)
        if place.step % every == 0 or place.step == self.stage.steps:
            self._note_point()

    def _unshared(self) -> AbstractContextManager[None]:
        """Return what keeps gradients with this worker until the last batch of a step.

        FSDP shares those of every batch: whole gradients are what it saves memory on.
        """
        if isinstance(self._losses, DistributedDataParallel):
            return self._losses.no_sync()
        return nullcontext()

    def _add(self, losses: Mapping[str, Tensor]) -> None:
        for name, loss in losses.items():
            before = self._sums.get(name, torch.zeros((), dtype=torch.float64, device=loss.device))
            self._sums[name] = before + loss.detach()
        self._place.count += 1

    def _note_point(self) -> None:
        place, count = self._place, self._place.count
        means = {name: float(total) / count for name, total in self._sums.items()}
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            raise BackendError(
                f"stage {self.stage.name}: the loss {bad[0]} is not finite at step {place.step}; "
                "lower its learning_rate"
            )
        rate = scheduled_rate(self.stage, self._config.optimiser, place.step - 1)
        place.points.append(asdict(Point(self.stage.name, place.step, rate, means)))
        self._sums, place.count = {}, 0

    def _learnt(self) -> dict[str, Tensor]:
        """Return all tensors of the network, on the processor, as they were before wrapping."""
        weights: dict[str, Any] = get_model_state_dict(self._losses, options=_WHOLE)
        return {name: value.cpu().reshape(self._shapes[name]) for name, value in weights.items()}

    def _close_stage(self) -> None:
        place, stage = self._place, self.stage
        self._weights = self._learnt()
        summary = StageSummary(
            name=stage.name,
            steps=stage.steps,
            clips=place.clips * self._config.workers.num_workers,
            losses=place.points[-1]["losses"],
        )
        place.stages.append(summary.model_dump())
        place.stage, place.step, place.clips = place.stage + 1, 0, 0
        del self._losses, self._optimiser


def scheduled_rate(stage: StageConfig, settings: OptimiserConfig, step: int) -> float:
    """Return the learning rate of a step: a straight warm-up, then half a cosine to its end.

    Args:
        stage: Its peak and number of steps.
        settings: Its warm-up and last value.
        step: From 0.
    """
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    half = 0.5 * (1.0 + math.cos(math.pi * step / stage.steps))
    low = settings.final_learning_rate
    return stage.learning_rate * warm * (low + (1.0 - low) * half)


def seed_of(*parts: object) -> int:
    """Return a seed that follows from names and numbers."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")


class Pace:
    """How fast steps are made.

    Args:
        training: What to watch.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._start_s = time.perf_counter()
        self._first_step, self._first_clips = training.steps_done, training.clips

    @property
    def steps_seen(self) -> int:
        """Since the process began to train."""
        return self._training.steps_done - self._first_step

    @property
    def steps_per_s(self) -> float:
        """Since the process began to train."""
        return self.steps_seen / self._elapsed_s

    @property
    def clips_per_s(self) -> float:
        """Of this worker."""
        return (self._training.clips - self._first_clips) / self._elapsed_s

    @property
    def _elapsed_s(self) -> float:
        return max(time.perf_counter() - self._start_s, 1e-9)
