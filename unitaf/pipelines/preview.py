"""What a run would make, how long it would take and how big it would be; makes nothing."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from unitaf.config import GenerateConfig
from unitaf.pipelines.ledger import Counts
from unitaf.pipelines.planning import open_job
from unitaf.pipelines.shards import Recipe
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
    too_long: int
    """Lines whose text has more characters than the script allows."""
    uncast: dict[str, int]
    """Speakers that the job's cast does not name, with how many lines they have."""
    unheard: tuple[str, ...]
    """Speakers that it names and that have no line."""


def preview(script: str | Path, store: str, config: GenerateConfig) -> Preview:
    """Find what a run would make, without a worker, a model or a write.

    Speed and size are those of the newest run on the store that made something with the same engine
    and settings; without one, of a common desktop machine.

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
    measured = _measured(storage, job.cast.recipe, config)
    wall_s = audio_s / measured.audio_s_per_s + _START_S if counts.todo else 0.0
    payload_bytes = audio_s * measured.bytes_a_second
    return Preview(
        counts,
        audio_s,
        wall_s,
        payload_bytes,
        measured.basis,
        rejects,
        job.ledger.num_too_long,
        dict(job.cast.uncast.most_common()),
        job.cast.unheard,
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    audio_s_per_s: float
    bytes_a_second: float
    basis: str


def _measured(storage: Storage, recipe: Recipe, config: GenerateConfig) -> _Measured:
    names = [info.name for info in storage.list("runs/") if info.name.endswith("/report.json")]
    alike = {"tts": recipe.tts, "face": recipe.face, "audio_format": recipe.audio_format}
    for name in sorted(names, reverse=True):
        report = json.loads(storage.read(name))
        if report["made"] and all(report[key] == value for key, value in alike.items()):
            size = report["payload_bytes"] / report["audio_s"]
            basis = f"(at the speed of run {report['run']})"
            return _Measured(report["audio_s_per_s"], size, basis)
    workers = config.run.num_actors or os.cpu_count() or 1
    basis = "(no run like it to measure by yet)"
    return _Measured(workers * _AUDIO_S_PER_S_A_WORKER, _BYTES_A_SECOND, basis)
