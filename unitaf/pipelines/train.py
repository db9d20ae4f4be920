"""A corpus becomes a face model: the interval of the mouth, the stages on Ray Train, the report.

Killed at any point and called again with the same job, a training goes on from its last saved
state. In the run's folder::

    config.yaml, progress.ndjson, report.json      the job, how it went
    openness.png, losses.png                       the mouth's interval, the curves of the losses
    checkpoints/<stage>/                           a face model after every stage
    state/                                         what a killed run goes on from
"""

import io
import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import torch
import yaml
from jaxtyping import Float32
from matplotlib.figure import Figure
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from tensorboardX import SummaryWriter

from unitaf.checkpoint.describe import checkpoint_licence
from unitaf.checkpoint.description import FaceModelDescription, MouthInterval
from unitaf.config import TrainConfig, check_train_config, dump_config
from unitaf.errors import BackendError, ConfigError
from unitaf.face.emotion_channels import emotion_channels
from unitaf.losses import (
    FaceGeometry,
    MouthWeighting,
    OpennessInterval,
    face_geometry,
    mouth_openness,
    search_openness_interval,
)
from unitaf.metrics.plots import plot_losses, plot_openness
from unitaf.pipelines.cluster import ray_running
from unitaf.pipelines.training_clips import TrainingClips
from unitaf.pipelines.training_loop import Point, Training, lone_worker
from unitaf.pipelines.training_progress import OnTrainProgress, TrainProgress, TrainReport
from unitaf.pipelines.training_stages import begin_stage
from unitaf.pipelines.training_step import MOUTH_LOSSES, FaceMeasure
from unitaf.pipelines.training_worker import (
    CHECKPOINTS,
    Assignment,
    Board,
    keep_checkpoint,
    work,
)
from unitaf.rigs.head import procedural_head
from unitaf.storage import Storage, check_storage, open_storage

_POLL_S = 0.2
_STATE = "state"
_FREE = ("out", "tensorboard", "progress_every_s", "checkpoint_every_s")
"""Settings that a training may go on with changed."""


def train(config: TrainConfig, on_progress: OnTrainProgress | None = None) -> TrainReport:
    """Train a face model on a corpus, or go on where a run of the same job was stopped.

    Args:
        config: The job.
        on_progress: Called every now and then, from another thread.

    Raises:
        ConfigError: If the corpus, the folder or a setting cannot be used.
        BackendError: If the training failed; what was saved stays.
        StorageError: If the storage failed.
        Exception: What ``on_progress`` raised, once all is trained and written.
    """
    started = time.perf_counter()
    out = open_storage(config.out)
    check_storage(out.uri)
    _keep_job(config, out)
    if out.exists("report.json"):
        return TrainReport.from_json(out.read("report.json"))
    clips, measure, described = _read_corpus(config, out)
    _check_starts(config, described)
    prepared = time.perf_counter()
    with ray_running():
        board = ray.remote(num_cpus=0)(Board).remote()
        assignment = Assignment(_found_anywhere(config), described, measure, clips, out, board)
        with _Listener(config, out, board, on_progress) as listener:
            fit_on_ray(assignment)
            progress, points = listener.last()
    trained = time.perf_counter()
    _draw(out, "losses.png", plot_losses([(p.stage, p.step, p.losses) for p in points]))
    report = TrainReport(
        out=out.uri,
        corpus=config.corpus,
        checkpoint=f"{out.uri}/{CHECKPOINTS}/{config.stages[-1].name}",
        clips=clips.counts(),
        workers=config.workers.num_workers,
        seconds={"prepare": prepared - started, "train": trained - prepared},
        clips_per_s=progress.clips_per_s,
        points=points,
    )
    out.create("report.json", report.to_json().encode())
    listener.raise_failure()
    return report


def train_alone(config: TrainConfig) -> None:
    """Train in this process, without Ray: the same steps, for short trials.

    Writes the checkpoints of the stages; one that was stopped begins anew from the first stage.

    Raises:
        ConfigError: If the corpus or a setting cannot be used.
    """
    training, out = prepare_training(config), open_storage(config.out)
    for _ in training.run():
        if training.is_between_stages:
            keep_checkpoint(out, training)


def prepare_training(config: TrainConfig) -> Training:
    """Return the training of a job in this process, not yet begun.

    Raises:
        ConfigError: If the corpus or a setting cannot be used.
    """
    clips, measure, described = _read_corpus(config, open_storage(config.out))
    return Training(config, described, measure, clips.shard(0, 1), lone_worker())


def geometry_of(channels: Sequence[str]) -> FaceGeometry:
    """Return our own head for the vertex losses, its channels in the order of a model's."""
    rig = procedural_head()
    deltas = np.zeros((len(channels), *rig.neutral.shape), np.float32)
    for row, name in enumerate(channels):
        if name in rig.channels:
            deltas[row] = rig.deltas[rig.channels.index(name)]
    return face_geometry(
        torch.from_numpy(rig.neutral), torch.from_numpy(deltas), torch.from_numpy(rig.lips)
    )


def _keep_job(config: TrainConfig, out: Storage) -> None:
    """Write the job; where there is one, see that it trains the same."""
    if out.create("config.yaml", dump_config(config).encode()).holds:
        return
    kept = check_train_config(yaml.safe_load(out.read("config.yaml")), f"{out.uri}/config.yaml")
    free = {name: getattr(config, name) for name in _FREE}
    if kept.model_copy(update=free) != config:
        raise ConfigError(f"{out.uri} holds another training: give a new folder, or its own job")


def _read_corpus(
    config: TrainConfig, out: Storage
) -> tuple[TrainingClips, FaceMeasure, FaceModelDescription]:
    """Return a corpus, how its curves are measured, and the network that it is to teach."""
    clips = TrainingClips.open(config)
    measure, interval = _measure(config, clips, out)
    return clips, measure, _describe(config, clips, interval)


def _check_starts(config: TrainConfig, described: FaceModelDescription) -> None:
    """See now, not in hours, that what a stage begins from fits."""
    for index, stage in enumerate(config.stages):
        if stage.init_from is not None:
            begin_stage(described, config.stages, index, None, is_resumed=False)


def _found_anywhere(config: TrainConfig) -> TrainConfig:
    """Return the job with whole paths: Ray's workers run in folders of their own."""
    stages = tuple(
        stage.model_copy(update={"init_from": stage.init_from and _for_ray(stage.init_from)})
        for stage in config.stages
    )
    return config.model_copy(update={"stages": stages})


def _measure(
    config: TrainConfig, clips: TrainingClips, out: Storage
) -> tuple[FaceMeasure, MouthInterval | None]:
    """Return how curves are measured, and the interval of the mouth where a stage needs one."""
    geometry = geometry_of(clips.channels)
    free = [i for i, is_free in enumerate(emotion_channels(clips.channels)) if is_free]
    scale = config.mouth.decoupled_scale
    if all(MOUTH_LOSSES.isdisjoint(stage.losses) for stage in config.stages):
        return FaceMeasure(geometry, None, scale, free), None
    openness = _openness(clips, geometry)
    try:
        found = search_openness_interval(
            openness,
            coverage=config.mouth.coverage,
            alpha=config.mouth.alpha,
            gamma=config.mouth.gamma,
            base=config.mouth.base,
        )
    except ValueError as error:
        raise ConfigError(f"the mouths of {config.corpus} give no interval: {error}") from error
    _draw(out, "openness.png", plot_openness(openness, found))
    return FaceMeasure(geometry, found.weighting, scale, free), _interval(found)


def _openness(clips: TrainingClips, geometry: FaceGeometry) -> Float32[np.ndarray, " frames"]:
    values = [
        mouth_openness(torch.from_numpy(curves)[None], geometry)[0].numpy()
        for curves in clips.train_curves()
    ]
    if not values:
        raise ConfigError("the corpus has no clip to train on")
    return np.concatenate(values)


def _interval(found: OpennessInterval) -> MouthInterval:
    weighting: MouthWeighting = found.weighting
    return MouthInterval(**asdict(weighting))


def _describe(
    config: TrainConfig, clips: TrainingClips, interval: MouthInterval | None
) -> FaceModelDescription:
    return FaceModelDescription(
        features=clips.features,
        encoder=clips.encoder,
        fps=clips.fps,
        channels=clips.channels,
        styles=clips.styles,
        sizes=config.network.sizes,
        has_expression=False,
        mouth_interval=interval,
        licence=config.licence or _terms(config, clips),
        corpus=config.corpus,
        stages=(),
    )


def _terms(config: TrainConfig, clips: TrainingClips) -> str:
    """Return the terms of the corpus and of what stages begin from, each once."""
    starts = [stage.init_from for stage in config.stages if stage.init_from is not None]
    licences = [clips.licence, *map(checkpoint_licence, starts)]
    return "; ".join(dict.fromkeys("; ".join(licences).split("; ")))


def fit_on_ray(assignment: Assignment) -> None:
    """Train on Ray until the last stage has ended.

    Raises:
        BackendError: If more workers failed than the job allows, or one in a way that will recur.
    """
    config, workers = assignment.config, assignment.config.workers
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    trainer = TorchTrainer(
        work,
        train_loop_config={"assignment": assignment},
        scaling_config=ScalingConfig(
            num_workers=workers.num_workers,
            use_gpu=workers.use_gpu,
            resources_per_worker={"CPU": workers.cpus_per_worker, "GPU": int(workers.use_gpu)},
        ),
        run_config=RunConfig(
            name=_STATE,
            storage_path=_for_ray(config.out),
            failure_config=FailureConfig(max_failures=workers.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        told = ray.get(assignment.board.read.remote())[2]
        if told is not None:
            raise told from error
        raise BackendError(f"a worker of the training failed: {_root_cause(error)}") from error


class _Listener:
    """Passes on what the workers tell: to the caller, to ``progress.ndjson``, to TensorBoard.

    Args:
        config: The job.
        out: The run's folder.
        board: The handle of the `Board` that the workers write on.
        on_progress: The caller's.
    """

    def __init__(
        self, config: TrainConfig, out: Storage, board: Any, on_progress: OnTrainProgress | None
    ) -> None:
        self._board = board
        self._on_progress = on_progress
        self._log = out.open_log("progress.ndjson")
        self._curves = SummaryWriter(config.tensorboard) if config.tensorboard else None
        self._is_over = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="training-progress")
        self._listening: Future[None] = Future()
        self._told: TrainProgress | None = None
        self._drawn = 0

    def __enter__(self) -> "_Listener":
        self._listening = self._pool.submit(self._listen)
        self._listening.add_done_callback(_log_failure)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._pool.shutdown()
        self._log.close()
        if self._curves is not None:
            self._curves.close()

    def raise_failure(self) -> None:
        """Raise what stopped the telling of progress, if anything did."""
        self._listening.result()

    def last(self) -> tuple[TrainProgress, list[Point]]:
        """Return the last word of a training that has ended, and all points."""
        progress, points, _ = ray.get(self._board.read.remote())
        return progress, points

    def _listen(self) -> None:
        while not self._is_over.wait(_POLL_S):
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        progress, points, _ = ray.get(self._board.read.remote())
        if progress is None or progress == self._told:
            return
        self._told = progress
        self._log.append_line(json.dumps({"time_s": round(time.time(), 3), **asdict(progress)}))
        if self._on_progress is not None:
            self._on_progress(progress)
        if self._curves is not None:
            for point in points[self._drawn :]:
                for name, value in point.losses.items():
                    self._curves.add_scalar(f"{point.stage}/{name}", value, point.step)
                self._curves.add_scalar(
                    f"{point.stage}/learning_rate", point.learning_rate, point.step
                )
            self._drawn = len(points)


def _log_failure(listening: Future[None]) -> None:
    if (error := listening.exception()) is not None:
        logging.getLogger(__name__).error("no more progress is told: %r", error)


def _root_cause(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _for_ray(uri: str) -> str:
    """Return a place as Ray and its workers find it: a whole path, or s3://."""
    return uri if uri.startswith("s3://") else str(Path(uri.removeprefix("file://")).absolute())


def _draw(out: Storage, name: str, figure: Figure) -> None:
    """Keep a figure; one that is there already shows the same."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    out.create(name, data.getvalue())
