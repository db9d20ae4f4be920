"""From a script and a store to the shards that are left: no model is loaded, no worker started."""

import io
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from unitaf.build import build_script_defaults
from unitaf.config import GenerateConfig, RunConfig
from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.casting import Cast, casting_of
from unitaf.pipelines.ledger import Assigned, Counts, Cut, Ledger
from unitaf.pipelines.making import LINES_SCHEMA, encode_lines
from unitaf.pipelines.shards import (
    Manifest,
    Plan,
    PlannedShard,
    decode_manifest,
    decode_plan,
    default_shard_size,
    encode_plan,
    manifest_name,
    plan_id,
    plan_name,
    plan_part_name,
    shard_id,
    take_key,
)
from unitaf.script.lexicon import Lexicon, read_lexicon
from unitaf.script.lines import Reject, ScriptLine
from unitaf.script.script import is_script, open_script
from unitaf.storage import Creation, Storage, open_storage, read_many
from unitaf.tts.misaki import symbols_of_ipa

_LINES_A_PART = 8192


class Job:
    """A script read and held against a store.

    Args:
        ledger: The script's lines.
        storage: The store.
        cast: Who makes which line.
    """

    def __init__(self, ledger: Ledger, storage: Storage, cast: Cast) -> None:
        self.ledger = ledger
        self.storage = storage
        self.cast = cast
        self.committed: set[str] = set()
        """The shards that the store holds, as of the last `refresh`."""

    def refresh(self) -> bool:
        """Read the manifests that have come since the last time; say whether there were any."""
        known = len(self.committed)
        for manifest in read_manifests(self.storage, self.committed):
            self.ledger.mark_done([manifest])
            self.committed.add(manifest.shard)
        return len(self.committed) > known

    def counts(self) -> Counts:
        """Count what is there and what is left, as of the last `refresh`."""
        return self.ledger.counts()


@dataclass(frozen=True, slots=True)
class Work:
    """The shards that a driver has to see committed."""

    pending: tuple[PlannedShard, ...]
    is_joined: bool
    """Whether another driver had created the plan: it may be at work on the same shards."""


@contextmanager
def open_job(script: str, storage: Storage, config: GenerateConfig) -> Iterator[Job]:
    """Read a script, compute every take key and find what the store already holds.

    Raises:
        ConfigError: If the script or a setting cannot be used.
        StorageError: If the store cannot be read.
    """

    def assign(line: ScriptLine) -> Assigned | Reject:
        said = line.utterance
        performer = cast.performer_of(said)
        reject = check_language(line, performer.tts.languages)
        if reject is not None:
            return reject
        text = lexicon.apply(
            said.text, said.language, said.speaker, reads_ipa=performer.tts.reads_ipa
        )
        said = replace(said, text=text)
        recipe = replace(performer.recipe, tts=performer.tts.fingerprint_of(said.speaker))
        return Assigned(said, take_key(said, recipe), performer.role.id)

    folder = Path(tempfile.mkdtemp(prefix="unitaf-"))
    ledger = Ledger(folder)
    try:
        fetch = partial(fetch_file, folder=folder, patience_s=config.run.retry_budget_s)
        path = fetch_script(script, folder, config.run.retry_budget_s)
        cast = Cast(config, casting_of(config, partial(fetch, what="casting file")))
        lexicon = _lexicon([fetch(uri, what="lexicon") for uri in config.script.lexicon])
        ledger.load(open_script(path, build_script_defaults(config)), assign)
        job = Job(ledger, storage, cast)
        job.refresh()
        yield job
    finally:
        ledger.close()
        shutil.rmtree(folder)


def _lexicon(files: Sequence[Path]) -> Lexicon:
    """Read pronunciation files, and check that their sounds are known.

    Raises:
        ConfigError: Naming the file, the line and what is wrong there.
    """
    lexicon = read_lexicon(files)
    for entry, place in lexicon.entries:
        if entry.ipa is not None:
            try:
                symbols_of_ipa(entry.ipa)
            except ValueError as error:
                raise ConfigError(f"{place}: {error}") from error
    return lexicon


def fetch_script(uri: str, folder: Path, patience_s: float) -> Path:
    """Return a script as a local file or folder: from S3 it is copied into a folder first.

    Raises:
        ConfigError: If it is on S3 and not there, or is a whole bucket.
    """
    address = uri.rstrip("/")
    parent, _, name = address.rpartition("/")
    if "://" not in uri:
        return Path(uri)
    if not address.startswith("s3://") or "/" not in address.removeprefix("s3://"):
        raise ConfigError(
            f"script {uri!r}: give a local file or folder, or s3://bucket/name of either"
        )
    if open_storage(parent, patience_s).exists(name):
        return fetch_file(address, folder, patience_s, "script")
    storage = open_storage(address, patience_s)
    names = (info.name for info in storage.list() if is_script(info.name))
    local = Path(tempfile.mkdtemp(dir=folder), name)
    for found, data in read_many(storage, names, threads=4):
        file = local / found
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    if not local.exists():
        raise ConfigError(f"there is no script {uri}: no file, and no folder with one in it")
    return local


def fetch_file(uri: str, folder: Path, patience_s: float, what: str) -> Path:
    """Return a file of the user as a local one: from S3 it is copied into a folder first.

    Others with its name may be there, so that each has a folder of its own.

    Raises:
        ConfigError: If it is on S3 and not there.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Path(uri)
    parent, _, name = uri.rpartition("/")
    if scheme != "s3" or "/" not in rest or not name or name.startswith("."):
        raise ConfigError(f"{what} {uri!r}: give a local file or s3://bucket/name")
    storage = open_storage(parent, patience_s)
    if not storage.exists(name):
        raise ConfigError(f"there is no {what} {uri}")
    local = Path(tempfile.mkdtemp(dir=folder), name)
    local.write_bytes(storage.read(name))
    return local


def check_language(line: ScriptLine, languages: frozenset[str]) -> Reject | None:
    """Return the reject of a line in a language that the engine does not speak."""
    tag = line.utterance.language
    if {"*", tag, tag.split("-")[0]} & languages:
        return None
    known = ", ".join(sorted(languages))
    reason = f"the engine does not speak {tag!r}; it speaks {known}"
    return Reject(line.row, line.utterance.id, "language", reason)


def read_manifests(storage: Storage, known: Collection[str] = ()) -> Iterator[Manifest]:
    """Read the manifests of a store, except of known shards, in order of shard id.

    Raises:
        StorageError: If one is not a manifest.
    """
    skipped = {manifest_name(shard) for shard in known}
    names = (info.name for info in storage.list("manifests/") if info.name not in skipped)
    for name, data in read_many(storage, names):
        try:
            yield decode_manifest(data)
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{storage.uri}: {name} is not a manifest: {error}") from error


def plan_work(job: Job, config: GenerateConfig) -> Work:
    """Return what is left to make, by the job's plan in the store; create the plan if need be.

    A plan is used if its open shards hold just what is left. It may hold more, when another job has
    made some of its lines meanwhile; then the next plan is used or created.
    """
    generation = 0
    while True:
        name = plan_id(job.ledger.keys(), config.run.shard_size, generation, job.cast.roles)
        plan, is_joined = _read_plan(job.storage, name), True
        if plan is None:
            plan, is_joined = _create_plan(job, name, config.run)
        pending = tuple(shard for shard in plan.shards if shard.id not in job.committed)
        if sum(shard.num_lines for shard in pending) == job.counts().todo:
            return Work(pending, is_joined)
        # Either the store has moved on since it was read, or this plan is out of date.
        if not job.refresh():
            generation += 1


def _read_plan(storage: Storage, plan: str) -> Plan | None:
    if not storage.exists(plan_name(plan)):
        return None
    return decode_plan(storage.read(plan_name(plan)))


def _create_plan(job: Job, name: str, run: RunConfig) -> tuple[Plan, bool]:
    storage = job.storage
    call_size = job.cast.call_size if run.gpus_per_actor else 1
    size = run.shard_size or default_shard_size(job.counts().todo, call_size)
    shards: list[PlannedShard] = []
    part: list[Cut] = []
    index = 0
    for cut in job.ledger.cut(size):
        part.append(cut)
        if sum(len(cut.lines) for cut in part) >= _LINES_A_PART:
            shards += _create_part(storage, name, index, part)
            part, index = [], index + 1
    if part:
        shards += _create_part(storage, name, index, part)
    # The greatest first: what is left for the end is small.
    shards.sort(key=lambda shard: (-shard.num_characters, shard.id))
    plan = Plan(name, tuple(shards))
    if storage.create(plan_name(name), encode_plan(plan)) is Creation.CREATED:
        return plan, False
    return decode_plan(storage.read(plan_name(name))), True


def _create_part(storage: Storage, plan: str, index: int, shards: list[Cut]) -> list[PlannedShard]:
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, LINES_SCHEMA, compression="zstd") as writer:
        for _, lines in shards:
            writer.write_batch(encode_lines(lines), row_group_size=len(lines))
    data = sink.getvalue()
    part = plan_part_name(plan, index, data)
    storage.create(part, data)
    return [
        PlannedShard(
            id=shard_id(key for _, key in lines),
            language=lines[0][0].language,
            num_lines=len(lines),
            num_characters=sum(len(said.text) for said, _ in lines),
            part=part,
            row_group=row_group,
            role=role,
        )
        for row_group, (role, lines) in enumerate(shards)
    ]
