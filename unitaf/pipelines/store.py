"""A store of takes, opened for reading: catalog, takes, status, and what may be thrown away."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.catalog import REJECTS_SCHEMA, merge_catalogs
from unitaf.pipelines.planning import read_manifests
from unitaf.pipelines.shards import decode_plan
from unitaf.pipelines.takes import decode_takes
from unitaf.script.language import canonical_language
from unitaf.storage import ObjectFile, ObjectInfo, Storage, open_storage, read_many
from unitaf.types import Take


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One call of ``generate`` on this store."""

    name: str
    report: dict[str, Any] | None
    """The run's ``report.json``; None if it has not ended, or was killed."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store holds and what is left to make."""

    takes: int
    shards: int
    audio_s: float
    payload_bytes: int
    languages: tuple[str, ...]
    open_shards: int
    """Shards of the newest plan that has open ones: what a killed run has left."""
    open_lines: int
    runs: tuple[RunStatus, ...]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Objects that nothing refers to."""

    objects: tuple[ObjectInfo, ...]

    @property
    def size_bytes(self) -> int:
        """How much room they take."""
        return sum(info.size_bytes for info in self.objects)


class TakeStore:
    """The takes of a store, found through its catalogs.

    Args:
        storage: The store.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def uri(self) -> str:
        """The folder or ``s3://`` address."""
        return self._storage.uri

    def catalog(self) -> pa.Table:
        """Return the newest catalog of every script that was generated into this store.

        A line that stands in several scripts is taken from the newest run. Columns are those of
        `pipelines.catalog.SCHEMA` and the script's own.

        Raises:
            ConfigError: If no run has ended on this store yet.
            StorageError: If a catalog is damaged.
        """
        tables = list(self._newest("catalog.parquet"))
        if not tables:
            raise ConfigError(
                f"{self.uri} has no catalog; no run of 'unitaf generate' has ended there yet"
            )
        return merge_catalogs(tables)

    def rejects(self) -> pa.Table:
        """Return the rejected lines of the newest run of every script."""
        tables = list(self._newest("rejects.parquet"))
        return pa.concat_tables(tables) if tables else REJECTS_SCHEMA.empty_table()

    def take(self, line_id: str, language: str | None = None) -> Take:
        """Return the take of one line.

        Args:
            line_id: As in the script.
            language: Needed if the line exists in several.

        Raises:
            ConfigError: If there is no such line, it exists in several languages, or the language
                is not a tag.
        """
        catalog = self.catalog()
        found = catalog.filter(pc.equal(catalog["line_id"], line_id))
        if language is not None:
            language = _canonical(language)
            found = found.filter(pc.equal(found["language"], language))
        if len(found) == 0:
            tail = f" in {language}" if language else ""
            raise ConfigError(f"{self.uri} has no take of line {line_id!r}{tail}")
        if len(found) > 1:
            languages = ", ".join(found["language"].to_pylist())
            raise ConfigError(f"line {line_id!r} exists in {languages}; say which with --language")
        return next(self.takes(found))[1]

    def takes(self, catalog: pa.Table) -> Iterator[tuple[dict[str, Any], Take]]:
        """Yield catalog rows with their takes, file by file: each row group is read once.

        Raises:
            StorageError: If a file is damaged.
        """
        ordered = catalog.sort_by(
            [("file", "ascending"), ("row_group", "ascending"), ("file_row", "ascending")]
        )
        name, group = None, None
        takes: dict[str, Take] = {}
        for row in _rows(ordered):
            if row["file"] != name:
                name, group = row["file"], None
                with self._reading(row["file"]):
                    file = pq.ParquetFile(pa.PythonFile(ObjectFile(self._storage, name), "r"))
            if row["row_group"] != group:
                group = row["row_group"]
                with self._reading(row["file"]):
                    table = file.read_row_group(group)
                takes = {take.key: take for take in decode_takes(table)}
            take = takes[row["take_key"]]
            # Lines that are said alike share one take; each has its own id, speaker and spelling.
            said = replace(
                take.utterance, id=row["line_id"], speaker=row["speaker"], text=row["text"]
            )
            yield row, replace(take, utterance=said)

    def status(self) -> StoreStatus:
        """Count what is there and what a killed run has left to make.

        Raises:
            ConfigError: If nothing was ever generated there.
        """
        takes = shards = payload_bytes = 0
        audio_s = 0.0
        committed, languages = set(), set()
        for manifest in read_manifests(self._storage):
            shards += 1
            takes += len(manifest.takes)
            payload_bytes += manifest.payload_bytes
            audio_s += sum(take.num_samples for take in manifest.takes) / manifest.sample_rate
            committed.add(manifest.shard)
            languages.add(manifest.language)
        runs = tuple(self._runs())
        if not runs:
            raise self._no_store()
        open_shards, open_lines = self._open_work(committed)
        return StoreStatus(
            takes=takes,
            shards=shards,
            audio_s=audio_s,
            payload_bytes=payload_bytes,
            languages=tuple(sorted(languages)),
            open_shards=open_shards,
            open_lines=open_lines,
            runs=runs,
        )

    def garbage(self, older_than_s: float) -> Garbage:
        """Find what nothing refers to: payloads that lost a race, leftovers of killed writers.

        Do not delete it while a run that continues a killed one is at work: it may take up a
        payload that was left behind without a manifest.

        Args:
            older_than_s: Younger ones are left alone: a run may be about to refer to them.

        Raises:
            ConfigError: If nothing was ever generated there.
        """
        if not any(self._runs()):
            raise self._no_store()
        before = time.time() - older_than_s
        found = [
            info
            for listed in (
                self._storage.list("takes/"),
                self._storage.list("plans/"),
                self._storage.leftovers(),
            )
            for info in listed
            if info.modified_s < before and not _is_plan(info)
        ]
        # References are read after the objects are listed, so that one made meanwhile counts.
        used = {manifest.payload for manifest in read_manifests(self._storage)}
        for _, data in read_many(self._storage, self._plan_names()):
            used |= {shard.part for shard in decode_plan(data).shards}
        return Garbage(tuple(info for info in found if info.name not in used))

    def delete(self, garbage: Garbage) -> None:
        """Remove garbage."""
        for info in garbage.objects:
            self._storage.delete(info.name)

    def _newest(self, name: str) -> Iterator[pa.Table]:
        """Yield a table of the newest run of every script, newest first."""
        seen = set()
        names = [
            info.name for info in self._storage.list("runs/") if info.name.endswith("/" + name)
        ]
        for path in sorted(names, reverse=True):
            with self._reading(path):
                file = pq.ParquetFile(pa.PythonFile(ObjectFile(self._storage, path), "r"))
            script = file.schema_arrow.metadata[b"script"]
            if script not in seen:
                seen.add(script)
                with self._reading(path):
                    table = file.read()
                yield table

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise StorageError(f"{name} in {self.uri} is damaged: {error}") from error

    def _runs(self) -> Iterator[RunStatus]:
        names = {info.name for info in self._storage.list("runs/")}
        for run in sorted({name.split("/")[1] for name in names}, reverse=True):
            report = f"runs/{run}/report.json"
            data = json.loads(self._storage.read(report)) if report in names else None
            yield RunStatus(run, data)

    def _no_store(self) -> ConfigError:
        return ConfigError(f"{self.uri} is no store: 'unitaf generate' has not been there")

    def _plan_names(self) -> Iterator[str]:
        return (info.name for info in self._storage.list("plans/") if _is_plan(info))

    def _open_work(self, committed: set[str]) -> tuple[int, int]:
        plans = [info for info in self._storage.list("plans/") if _is_plan(info)]
        for info in sorted(plans, key=lambda plan: plan.modified_s, reverse=True):
            shards = decode_plan(self._storage.read(info.name)).shards
            left = [shard for shard in shards if shard.id not in committed]
            if left:
                return len(left), sum(shard.num_lines for shard in left)
        return 0, 0


def open_store(uri: str | Path) -> TakeStore:
    """Open a store of takes for reading.

    Args:
        uri: A folder or ``s3://bucket/prefix``.
    """
    return TakeStore(open_storage(str(uri)))


def _is_plan(info: ObjectInfo) -> bool:
    return info.name.endswith("/plan.json")


def _canonical(language: str) -> str:
    try:
        return canonical_language(language)
    except ValueError as error:
        raise ConfigError(f"the language {error}") from error


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()
