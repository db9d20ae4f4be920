"""A script becomes takes in a store: plan, make on Ray, write the catalog.

One row of the data set is one shard. Actors hold the engine and the animator together, read their
lines from the plan in the store and write their own files; only a small record comes back.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import ray
import ray.data

from unitaf.build import build_face, build_tts
from unitaf.config import GenerateConfig, dump_config
from unitaf.errors import BackendError, BackendUnavailable, ConfigError, StorageError, UnitafError
from unitaf.pipelines.catalog import write_catalog, write_rejects
from unitaf.pipelines.ledger import Counts
from unitaf.pipelines.making import ShardMaker, ShardRecord
from unitaf.pipelines.planning import Job, Work, open_job, plan_work
from unitaf.pipelines.progress import OnProgress, Recorder, Report
from unitaf.pipelines.shards import PlannedShard
from unitaf.storage import Storage, check_storage, open_storage

_ERRORS = {
    error.__name__: error for error in (BackendError, BackendUnavailable, StorageError, ConfigError)
}


class ShardActor:
    """Makes shards in a Ray worker.

    Args:
        config: The job.
        storage: The store; opened again in the worker.
    """

    def __init__(self, config: GenerateConfig, storage: Storage) -> None:
        self._config = config
        self._storage = storage

    @cached_property
    def _maker(self) -> ShardMaker:
        tts, face = build_tts(self._config.tts), build_face(self._config.face)
        return ShardMaker(self._storage, tts, face, self._config.output)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Make the shards of a batch; an error of ours goes back as a value, not as Ray's."""
        rows = []
        for row in batch.to_pylist():
            try:
                record = self._maker.make(PlannedShard(**row))
                outcome = {"error": "", "message": "", **asdict(record)}
            except UnitafError as error:
                outcome = {"error": type(error).__name__, "message": str(error)}
            rows.append(outcome)
        return pa.Table.from_pylist(rows, schema=_OUTCOME)


_OUTCOME = pa.schema(
    [("error", pa.string()), ("message", pa.string())]
    + [
        (name, {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}[kind])
        for name, kind in ShardRecord.__annotations__.items()
    ]
)


def generate(
    script: str | Path,
    store: str | Storage,
    config: GenerateConfig | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Voice and animate every line of a script that the store does not hold yet.

    Killed at any point and called again, it makes only what is missing: same keys, same bytes.

    Args:
        script: A CSV, TSV, JSONL or Parquet file.
        store: A folder or ``s3://bucket/prefix``.
        config: The job; the embedded voice and face by default.
        on_progress: Called after every shard.

    Raises:
        ConfigError: If the script, the store or a setting cannot be used; nothing has been made.
        BackendError: If the engine failed; what was committed stays.
        StorageError: If the store failed for longer than ``run.retry_budget_s``.
    """
    config = config or GenerateConfig()
    storage = open_storage(store, config.run.retry_budget_s) if isinstance(store, str) else store
    started = time.perf_counter()
    with open_job(str(script), storage, config) as job:
        counts = job.counts()
        run = Run(storage, str(script), counts)
        check_storage(storage.uri)
        storage.create(f"{run.folder}/config.yaml", run.describe(config).encode())
        log = storage.open_log(f"{run.folder}/progress.ndjson")
        recorder = Recorder(log, on_progress, counts.todo, counts.rejects)
        recorder.seconds["plan"] = time.perf_counter() - started
        try:
            actors = 0
            if counts.todo:
                work = plan_work(job, config)
                recorder.enter("start")
                actors = _make(work, config, storage, recorder)
            recorder.enter("end")
            return run.finish(job, recorder, actors)
        finally:
            recorder.close()


class Run:
    """One call of `generate`: its folder in the store, and the files it leaves there at the end.

    Args:
        storage: The store.
        script: The script, as the user named it.
        counts: How the script divided when the run began.
    """

    def __init__(self, storage: Storage, script: str, counts: Counts) -> None:
        self.folder = f"runs/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}"
        self._storage = storage
        self._script = script
        self._counts = counts

    def describe(self, config: GenerateConfig) -> str:
        """Return the job file of the run: given to ``--config``, it does the same again."""
        return f"# unitaf generate {self._script} {self._storage.uri}\n{dump_config(config)}"

    def finish(self, job: Job, recorder: Recorder, actors: int) -> Report:
        """Write catalog, rejects and report.

        Raises:
            StorageError: If a take that was made cannot be found again.
        """
        job.refresh()
        counts = job.counts()
        if counts.todo:
            raise StorageError(
                f"{self._storage.uri}: {counts.todo} takes have no manifest although their shards"
                " ended; was something deleted meanwhile? Run the same command again"
            )
        job.ledger.note_engine_rejects()
        with tempfile.TemporaryDirectory(prefix="unitaf-") as scratch:
            tables = Path(scratch)
            takes = write_catalog(job.ledger, tables / "catalog.parquet", self._script)
            rejects = write_rejects(job.ledger, tables / "rejects.parquet", self._script)
            for name in ("rejects.parquet", "catalog.parquet"):
                self._storage.create(f"{self.folder}/{name}", (tables / name).read_bytes())
        recorder.stop()
        report = self._report(recorder, actors, takes, rejects)
        self._storage.create(f"{self.folder}/report.json", report.to_json().encode())
        return report

    def _report(
        self, recorder: Recorder, actors: int, takes: int, rejects: dict[str, int]
    ) -> Report:
        seconds = recorder.seconds
        made_s = seconds.get("make", 0.0)
        model_s = seconds.get("tts_s", 0.0) + seconds.get("face_s", 0.0)
        return Report(
            run=self.folder.removeprefix("runs/"),
            store=self._storage.uri,
            script=self._script,
            lines=self._counts.lines,
            takes=takes,
            made=recorder.made,
            reused=self._counts.done,
            rejects=sum(rejects.values()),
            rejects_by_column=rejects,
            audio_s=recorder.audio_s,
            payload_bytes=recorder.payload_bytes,
            shards=recorder.shards,
            actors=actors,
            seconds=seconds,
            audio_s_per_s=recorder.audio_s / made_s if made_s else 0.0,
            overhead=actors * made_s / model_s if model_s else 0.0,
        )


def _make(work: Work, config: GenerateConfig, storage: Storage, recorder: Recorder) -> int:
    """See every pending shard committed; return how many actors worked."""
    shards = [asdict(shard) for shard in work.pending]
    if work.is_joined:
        shards.reverse()  # Meet the driver that began at the other end in the middle.
    with _ray_running():
        actors = _num_actors(config, len(shards))
        rows = ray.data.from_items(shards, override_num_blocks=len(shards))
        outcomes = rows.map_batches(
            ShardActor,
            fn_constructor_args=(config, storage),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
            num_cpus=config.run.cpus_per_actor,
            num_gpus=config.run.gpus_per_actor or None,
        )
        for row in outcomes.iter_rows():
            error, message = row.pop("error"), row.pop("message")
            if error:
                raise _ERRORS[error](message)
            recorder.add(ShardRecord(**row))
    return actors


def _num_actors(config: GenerateConfig, num_shards: int) -> int:
    available = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no types here
    room = int(available.get("CPU", 0.0) / config.run.cpus_per_actor)
    if config.run.gpus_per_actor:
        room = min(room, int(available.get("GPU", 0.0) / config.run.gpus_per_actor))
    wanted = config.run.num_actors or room
    if wanted > room:
        raise ConfigError(
            f"run.num_actors: {wanted} actors do not fit on this cluster; there is room for {room}"
        )
    if room == 0:
        raise ConfigError(
            f"run: the cluster has {available.get('CPU', 0):g} CPUs and"
            f" {available.get('GPU', 0):g} GPUs, not enough for one actor;"
            " lower run.cpus_per_actor or run.gpus_per_actor"
        )
    return min(wanted, num_shards)


@contextmanager
def _ray_running() -> Iterator[None]:
    """Use the cluster that is there (a job, an open session), or have a private one for a while."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    # Ray's C++ part prints to stderr whatever the levels above; it reads this when it starts.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
