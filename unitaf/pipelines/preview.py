"""What a run would make, how long it would take and how big it would be; makes nothing."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from unitaf.config import GenerateConfig
from unitaf.pipelines.ledger import Counts
from unitaf.pipelines.planning import open_job
from unitaf.storage import Storage, open_storage

_CHARACTERS_A_SECOND = 15.0
_AUDIO_S_PER_S_A_WORKER = 80.0
_BYTES_A_SECOND = 45_000.0
_START_S = 6.0
_REJECTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do."""

    counts: Counts
    audio_s: float
    wall_s: float
    payload_bytes: float
    basis: str
    """Where the estimate comes from."""
    first_rejects: tuple[tuple[int, str, str, str], ...]
    """Row, line id, column and reason of the first rejected lines."""


def preview(script: str | Path, store: str, config: GenerateConfig) -> Preview:
    """Find what a run would make, without a worker, a model or a write.

    Speed and size are those of the newest run on the store that made something; without one, of a
    common desktop machine.

    Raises:
        ConfigError: If the script or a setting cannot be used.
        StorageError: If the store cannot be read.
    """
    storage = open_storage(store, config.run.retry_budget_s)
    with open_job(str(script), storage, config) as job:
        counts = job.counts()
        rejects = tuple(
            (row, line_id, column, reason)
            for row, line_id, column, reason, _ in itertools.islice(
                job.ledger.rejects(), _REJECTS_SHOWN
            )
        )
    audio_s = counts.todo_characters / _CHARACTERS_A_SECOND
    speed, bytes_a_second, basis = _measured(storage, config)
    wall_s = audio_s / speed + _START_S if counts.todo else 0.0
    return Preview(counts, audio_s, wall_s, audio_s * bytes_a_second, basis, rejects)


def _measured(storage: Storage, config: GenerateConfig) -> tuple[float, float, str]:
    names = [info.name for info in storage.list("runs/") if info.name.endswith("/report.json")]
    for name in sorted(names, reverse=True):
        report = json.loads(storage.read(name))
        if report["made"]:
            speed, size = report["audio_s_per_s"], report["payload_bytes"] / report["audio_s"]
            return speed, size, f"(at the speed of run {report['run']})"
    workers = config.run.num_actors or os.cpu_count() or 1
    return workers * _AUDIO_S_PER_S_A_WORKER, _BYTES_A_SECOND, "(no run to measure by yet)"
