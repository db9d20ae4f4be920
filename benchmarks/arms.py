"""Three ways to make the same shards of the same plan with the same code, to be compared.

``seq``     one process, one shard after the other
``mp``      processes by `multiprocessing`, no Ray: what a careful person writes in an afternoon
``unitaf``  `unitaf.generate`, on Ray

All plan alike, make shards with `ShardMaker`, which writes and commits them, and leave a record of
each in the store's ``progress.ndjson``. ``unitaf`` also writes catalog, rejects and report. Each
arm is a process of its own, ``python -m benchmarks.arms ARM SCRIPT STORE CONFIG``, that begins with
nothing loaded.
"""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import unitaf
from unitaf.build import build_face, build_tts
from unitaf.config import GenerateConfig, dump_config, load_config
from unitaf.pipelines.making import ShardMaker, ShardRecord
from unitaf.pipelines.planning import open_job, plan_work, read_manifests
from unitaf.pipelines.shards import PlannedShard
from unitaf.pipelines.takes import decode_takes
from unitaf.storage import open_storage

_ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def start_arm(
    arm: str, script: Path, folder: Path, config: GenerateConfig
) -> Iterator[subprocess.Popen[bytes]]:
    """Run an arm as a process; leaving the context waits for its end.

    Every process is held to one thread. Ray's own files go into the folder, where they can be
    looked at.

    Args:
        arm: One of `ARMS`.
        script: The lines.
        folder: The arm makes ``store`` in it.
        config: The job.

    Raises:
        RuntimeError: If the arm fails, with what it said.
    """
    job, log = folder / "job.yaml", folder / "log.txt"
    job.write_text(dump_config(config), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.arms", arm]
    command += map(str, (script, folder / "store", job))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with (
        log.open("wb") as said,
        subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=said, stderr=said) as process,
    ):
        yield process
    if process.returncode:
        raise RuntimeError(f"arm {arm} failed:\n{log.read_text(errors='replace')}")


def read_records(folder: Path) -> list[ShardRecord]:
    """Return the records of the shards that an arm made, from its progress file."""
    (path,) = folder.glob("store/runs/*/progress.ndjson")
    names = [field.name for field in fields(ShardRecord)]
    return [
        ShardRecord(**{name: event[name] for name in names})
        for event in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if event["event"] == "shard"
    ]


def read_report(folder: Path) -> dict[str, Any]:
    """Return the report that the arm ``unitaf`` left in its folder."""
    (path,) = folder.glob("store/runs/*/report.json")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a store."""

    takes: int
    audio_s: float
    digest: str
    """Of all that is heard and seen, take by take, in the order of their keys."""


def read_written(folder: Path) -> Written:
    """Read every take that an arm made back from its files."""
    store = folder / "store"
    takes: dict[str, str] = {}
    audio_s = 0.0
    for manifest in read_manifests(open_storage(str(store))):
        for take in decode_takes(pq.read_table(store / manifest.payload, partitioning=None)):
            digest = hashlib.sha256(take.speech.waveform.tobytes())
            digest.update(take.motion.curves.tobytes())
            digest.update(repr((take.speech.phones, take.speech.words)).encode())
            takes[take.key] = digest.hexdigest()
            audio_s += take.speech.duration_s
    every = "\n".join(f"{key} {takes[key]}" for key in sorted(takes))
    return Written(len(takes), audio_s, hashlib.sha256(every.encode()).hexdigest())


def _run_seq(script: str, store: str, job: str) -> None:
    _keep(store, (_make(store, job, shard) for shard in _plan(script, store, job)))


def _run_mp(script: str, store: str, job: str) -> None:
    shards = _plan(script, store, job)
    workers = load_config(job).run.num_actors
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        _keep(store, pool.map(partial(_make, store, job), shards))


def _run_unitaf(script: str, store: str, job: str) -> None:
    unitaf.generate(script, store, load_config(job))


ARMS: dict[str, Callable[[str, str, str], None]] = {
    "seq": _run_seq,
    "mp": _run_mp,
    "unitaf": _run_unitaf,
}


def _keep(store: str, records: Iterable[ShardRecord]) -> None:
    with open_storage(store).open_log("runs/benchmark/progress.ndjson") as log:
        for record in records:
            log.append_line(json.dumps({"event": "shard", **asdict(record)}))


def _plan(script: str, store: str, job: str) -> tuple[PlannedShard, ...]:
    config = load_config(job)
    with open_job(script, open_storage(store), config) as opened:
        return plan_work(opened, config).pending


def _make(store: str, job: str, shard: PlannedShard) -> ShardRecord:
    return _maker(store, job).make(shard)


@cache
def _maker(store: str, job: str) -> ShardMaker:
    """Return the process's only maker: its models stay loaded from shard to shard."""
    config = load_config(job)
    tts = build_tts(config.tts)
    face = build_face(config.face, tts)
    return ShardMaker(open_storage(store), tts, face, config.output)


def main() -> None:
    """Run one arm."""
    arm, script, store, job = sys.argv[1:]
    ARMS[arm](script, store, job)


if __name__ == "__main__":
    main()
