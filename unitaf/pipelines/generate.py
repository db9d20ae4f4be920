"""A script becomes takes in a store: plan, make on Ray, write the catalog.

Workers hold the engine and the animator together, read their lines from the plan in the store and
write their own files; only a small record comes back.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from unitaf.build import build_face, build_tts
from unitaf.config import GenerateConfig, OutputConfig, dump_config
from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.casting import Role
from unitaf.pipelines.catalog import write_catalog, write_rejects
from unitaf.pipelines.cluster import Pool
from unitaf.pipelines.ledger import Counts
from unitaf.pipelines.making import ShardMaker, ShardRecord
from unitaf.pipelines.planning import Job, Work, open_job, plan_work
from unitaf.pipelines.progress import OnProgress, Recorder, Report
from unitaf.pipelines.runs import new_run_folder
from unitaf.pipelines.shards import PlannedShard
from unitaf.storage import Storage, check_storage, open_storage


def build_work(
    roles: Mapping[str, Role], output: OutputConfig, storage: Storage
) -> Callable[[PlannedShard], ShardRecord]:
    """Return the function that makes a shard; called in the worker.

    Args:
        roles: Who makes the shards, by id; their models are loaded when they are first needed.
        output: Frame rate and audio format.
        storage: The store; opened again in the worker.
    """

    @cache
    def maker(name: str) -> ShardMaker:
        role = roles[name]
        tts = build_tts(role.tts)
        face = build_face(role.face, tts)
        for found, planned in zip(
            (tts.fingerprint, face.fingerprint), role.fingerprints, strict=True
        ):
            if found != planned:
                raise ConfigError(
                    f"a worker has {found!r}, but the run was planned with {planned!r}: its takes"
                    " would have the wrong keys; give every node the same packages and files"
                )
        return ShardMaker(storage, tts, face, output)

    return lambda planned: maker(planned.role).make(planned)


def generate(
    script: str | Path,
    store: str | Path | Storage,
    config: GenerateConfig | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Voice and animate every line of a script that the store does not hold yet.

    Killed at any point and called again, it makes only what is missing: same keys, same bytes.

    Args:
        script: A file in any format of `unitaf.script`, a folder of them, or the same on S3.
        store: A folder or ``s3://bucket/prefix``.
        config: The job; the embedded voice and face by default.
        on_progress: Called after every shard.

    Raises:
        ConfigError: If the script, the store or a setting cannot be used; nothing has been made.
        BackendError: If the engine failed; what was committed stays.
        StorageError: If the store failed for longer than ``run.retry_budget_s``.
    """
    config = config or GenerateConfig()
    if isinstance(store, str | Path):
        storage = open_storage(str(store), config.run.retry_budget_s)
    else:
        storage = store
    started = time.perf_counter()
    with open_job(str(script), storage, config) as job:
        counts = job.counts()
        run = Run(storage, str(script), config.model_copy(update={"cast": job.cast.config}), counts)
        check_storage(storage.uri)
        storage.create(f"{run.folder}/config.yaml", run.describe().encode())
        log = storage.open_log(f"{run.folder}/progress.ndjson")
        with Recorder(log, on_progress, counts.todo, counts.rejects, "generate") as recorder:
            recorder.seconds["plan"] = time.perf_counter() - started
            return _run(job, run, config, recorder)


def _run(job: Job, run: "Run", config: GenerateConfig, recorder: Recorder) -> Report:
    actors = 0
    if job.counts().todo:
        work = plan_work(job, config)
        recorder.enter("start")
        actors = _make(job, work, config, recorder)
    recorder.enter("end")
    return run.finish(job, recorder, actors)


class Run:
    """One call of `generate`: its folder in the store, and the files it leaves there at the end.

    Args:
        storage: The store.
        script: The script, as the user named it.
        config: The job, with its cast in it.
        counts: How the script divided when the run began.
    """

    def __init__(
        self, storage: Storage, script: str, config: GenerateConfig, counts: Counts
    ) -> None:
        self.folder = new_run_folder()
        self._storage = storage
        self._script = script if "://" in script else str(Path(script).resolve())
        self._name = config.script.name or self._script
        self._config = config
        self._counts = counts

    def describe(self) -> str:
        """Return the job file of the run: given to ``--config``, it does the same again."""
        script = self._config.script.model_copy(update={"path": self._script})
        update = {"script": script, "store": self._storage.uri}
        return dump_config(self._config.model_copy(update=update))

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
            takes = write_catalog(job.ledger, tables / "catalog.parquet", self._name)
            rejects = write_rejects(job.ledger, tables / "rejects.parquet", self._name)
            for name in ("rejects.parquet", "catalog.parquet"):
                self._storage.create(f"{self.folder}/{name}", tables / name)
        recorder.stop()
        report = self._report(job, recorder, actors, takes, rejects)
        self._storage.create(f"{self.folder}/report.json", report.to_json().encode())
        return report

    def _report(
        self,
        job: Job,
        recorder: Recorder,
        actors: int,
        takes: int,
        rejects: dict[str, int],
    ) -> Report:
        seconds, recipe = recorder.seconds, job.cast.recipe
        made_s = seconds.get("make", 0.0)
        model_s = seconds.get("tts_s", 0.0) + seconds.get("face_s", 0.0)
        return Report(
            run=self.folder.removeprefix("runs/"),
            store=self._storage.uri,
            script=self._script,
            lines=self._counts.lines,
            left_out=self._counts.left_out,
            takes=takes,
            made=recorder.made,
            reused=self._counts.done,
            rejects=sum(rejects.values()),
            rejects_by_column=rejects,
            off_target=job.ledger.num_off_target(),
            too_long=job.ledger.num_too_long,
            uncast=dict(job.cast.uncast.most_common()),
            unheard=job.cast.unheard,
            unemphasised=job.cast.num_unemphasised,
            audio_s=recorder.audio_s,
            payload_bytes=recorder.payload_bytes,
            shards=recorder.shards,
            actors=actors,
            tts=recipe.tts,
            face=recipe.face,
            fps=recipe.fps,
            audio_format=recipe.audio_format,
            seconds=seconds,
            audio_s_per_s=recorder.audio_s / made_s if made_s else 0.0,
            overhead=actors * made_s / model_s if model_s else 0.0,
        )


def _make(job: Job, work: Work, config: GenerateConfig, recorder: Recorder) -> int:
    """See every pending shard committed; return how many actors worked."""
    shards = list(work.pending)
    if work.is_joined:
        shards.reverse()  # Meet the driver that began at the other end in the middle.
    pool = Pool(shards, partial(build_work, job.cast.roles, config.output, job.storage), config.run)
    for record in pool.records(recorder.begin):
        recorder.add(record)
    return pool.num_actors
