"""Recordings become a training corpus: list, make clips and features on Ray, write the catalog.

Recordings are grouped into shards by their content, so that one that is added or changed touches
its own shard only. Killed at any point and called again, it makes only what is missing.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from unitaf.build import build_extractors, build_listener, build_transcriber, build_tts
from unitaf.config import PrepareConfig, dump_config
from unitaf.data.clips import KEY_VERSION, ClipMaker, EmotionListener
from unitaf.data.corpus import CorpusInfo
from unitaf.data.features import Extractor
from unitaf.data.importers import list_recordings
from unitaf.data.manifests import (
    ClipManifest,
    FeatureManifest,
    clips_manifest_name,
    decode_clip_manifest,
    decode_feature_manifest,
    digest,
    features_manifest_name,
)
from unitaf.data.recordings import Recording, Refusal, Source, open_source
from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.cluster import Pool
from unitaf.pipelines.corpus_catalog import Contents, encode_tables
from unitaf.pipelines.corpus_report import PrepareReport, report_on
from unitaf.pipelines.preparing import CorpusMaker, PrepareRecord, RecordingShard
from unitaf.pipelines.progress import OnProgress, Recorder
from unitaf.pipelines.runs import new_run_folder
from unitaf.storage import Storage, check_storage, open_storage, read_many

Manifest = TypeVar("Manifest", ClipManifest, FeatureManifest)

_MIN_SHARD, _MAX_SHARD, _SHARDS_A_JOB = 4, 32, 16


@dataclass(frozen=True, slots=True)
class Plan:
    """A source held against a corpus."""

    shards: tuple[RecordingShard, ...]
    refusals: tuple[Refusal, ...]
    """Recordings that were refused when the source was listed."""
    extractors: tuple[Extractor, ...]


def prepare(
    source: str | Path,
    corpus: str | Path | Storage,
    config: PrepareConfig | None = None,
    on_progress: OnProgress | None = None,
) -> PrepareReport:
    """Make a training corpus of recordings with face capture, or complete one.

    Args:
        source: A folder of recordings or a list of them, on a disk or ``s3://bucket/prefix``.
        corpus: A folder or ``s3://bucket/prefix``.
        config: The job; the embedded voice and Whisper's encoder by default.
        on_progress: Called after every shard.

    Raises:
        ConfigError: If the source, the corpus or a setting cannot be used; nothing has been made.
        BackendError: If a model failed; what was committed stays.
        StorageError: If a storage failed for longer than ``run.retry_budget_s``.
    """
    config = config or PrepareConfig()
    if isinstance(corpus, str | Path):
        storage = open_storage(str(corpus), config.run.retry_budget_s)
    else:
        storage = corpus
    opened = open_source(str(source), config.source.language, config.source.speaker)
    started = time.perf_counter()
    plan = make_plan(opened, config)
    check_storage(storage.uri)
    pending = pending_shards(storage, plan)
    run = new_run_folder()
    named = config.source.model_copy(update={"path": opened.uri})
    described = config.model_copy(update={"source": named, "corpus": storage.uri})
    storage.create(f"{run}/config.yaml", dump_config(described).encode())
    total = sum(len(shard.recordings) for shard in pending)
    log = storage.open_log(f"{run}/progress.ndjson")
    with Recorder(log, on_progress, total, len(plan.refusals), "prepare") as recorder:
        recorder.seconds["plan"] = time.perf_counter() - started
        if pending:
            recorder.enter("start")
            build = partial(build_work, config, opened.storage, storage)
            for record in Pool(pending, build, config.run).records(recorder.begin):
                recorder.add(record)
        recorder.enter("end")
        contents = read_contents(storage, plan, config.max_alignment_cost)
        for name, data in encode_tables(contents, _info(opened, config, plan)).items():
            storage.create(f"{run}/{name}", data)
        recorder.stop()
        report = report_on(run, opened.uri, storage.uri, contents, recorder)
        storage.create(f"{run}/report.json", report.to_json().encode())
    return report


def make_plan(source: Source, config: PrepareConfig) -> Plan:
    """List a source and group its recordings into shards.

    Raises:
        ConfigError: If the source is none, or a model that is needed is not installed.
    """
    engine = build_tts(config.tts)
    listener = build_listener(config, engine)
    recordings: list[Recording] = []
    refusals: list[Refusal] = []
    for found in list_recordings(source, config.source.kind):
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            recordings.append(found)
    if not recordings and not refusals:
        raise ConfigError(f"source {source.uri} lists no recordings")
    transcriber = build_transcriber(config)
    recipe = json.dumps(
        [
            KEY_VERSION,
            config.clips.model_dump(mode="json"),
            transcriber.fingerprint if transcriber else "none",
            *([listener.fingerprint] if listener else []),
        ]
    )
    size = config.run.shard_size or default_shard_size(len(recordings))
    stamped = [(source.stamp(recording), recording) for recording in recordings]
    shards = tuple(
        RecordingShard(digest([recipe, *_makings(group, listener)]), tuple(one for _, one in group))
        for group in group_by_content(stamped, size)
    )
    return Plan(shards, tuple(refusals), tuple(build_extractors(config, engine)))


def _makings(
    group: Sequence[tuple[str, Recording]], listener: EmotionListener | None
) -> Iterator[str]:
    """Give what the clips of some recordings depend on: their content, and who is to be heard."""
    yield from (stamp for stamp, _ in group)
    if listener is not None:
        speakers = sorted({recording.speaker for _, recording in group})
        yield from (f"{speaker}={listener.voice_of(speaker)}" for speaker in speakers)


def group_by_content(
    stamped: Sequence[tuple[str, Recording]], size: int
) -> Iterator[list[tuple[str, Recording]]]:
    """Cut recordings, in their order, into groups of about a size.

    Where a group ends is decided by the stamp of its last recording, so one that is added or
    removed changes only the group that it falls into.
    """
    group: list[tuple[str, Recording]] = []
    for stamp, recording in stamped:
        group.append((stamp, recording))
        if int(stamp[:8], 16) % size == 0 or len(group) == 4 * size:
            yield group
            group = []
    if group:
        yield group


def default_shard_size(num_recordings: int) -> int:
    """Return about how many recordings a shard should have.

    A power of two, so that it seldom changes as a source grows: other shards are made anew.
    """
    wanted = max(_MIN_SHARD, min(_MAX_SHARD, num_recordings // _SHARDS_A_JOB))
    return 1 << (wanted.bit_length() - 1)


def build_work(
    config: PrepareConfig, source: Storage, corpus: Storage
) -> Callable[[RecordingShard], PrepareRecord]:
    """Return the function that makes a shard; called in the worker.

    Args:
        config: The job.
        source: Where the recordings are; opened again in the worker.
        corpus: Where the corpus goes; opened again in the worker.
    """
    engine = build_tts(config.tts)
    clips = ClipMaker(config.clips, build_transcriber(config), build_listener(config, engine))
    return CorpusMaker(source, corpus, clips, build_extractors(config, engine)).make


def pending_shards(storage: Storage, plan: Plan) -> list[RecordingShard]:
    """Return the shards of which the corpus lacks clips or features."""
    there = {info.name for info in storage.list("manifests/")}
    names = {clips_manifest_name(shard.id): shard for shard in plan.shards}
    pending = [shard for name, shard in names.items() if name not in there]
    for name, data in read_many(storage, [name for name in names if name in there]):
        manifest = _decoded(storage, name, data, decode_clip_manifest)
        wanted = {_features_manifest(one, manifest) for one in plan.extractors}
        if manifest.clips and not wanted <= there:
            pending.append(names[name])
    return pending


def read_contents(storage: Storage, plan: Plan, max_cost: float) -> Contents:
    """Read the manifests of every shard of a plan.

    Raises:
        StorageError: If one is not there.
    """
    names = [clips_manifest_name(shard.id) for shard in plan.shards]
    clips = [
        _decoded(storage, name, data, decode_clip_manifest)
        for name, data in read_many(storage, names)
    ]
    features = {}
    for one in plan.extractors:
        wanted = [_features_manifest(one, manifest) for manifest in clips if manifest.clips]
        features[one.set.name] = [
            _decoded(storage, name, data, decode_feature_manifest)
            for name, data in read_many(storage, wanted)
        ]
    listed = sum(len(shard.recordings) for shard in plan.shards) + len(plan.refusals)
    return Contents(clips, features, plan.refusals, listed, max_cost)


def _features_manifest(extractor: Extractor, clips: ClipManifest) -> str:
    return features_manifest_name(extractor.set, clips.features_key(extractor.voice_of))


def _decoded(
    storage: Storage, name: str, data: bytes, decode: Callable[[bytes], Manifest]
) -> Manifest:
    try:
        return decode(data)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{storage.uri}: {name} is not a manifest: {error}") from error


def _info(source: Source, config: PrepareConfig, plan: Plan) -> CorpusInfo:
    sets = {one.set.name: one.set for one in plan.extractors}
    return CorpusInfo(
        source=source.uri,
        fps=config.clips.fps,
        tts=sets["tts"],
        encoder=sets.get("encoder"),
        licence=build_tts(config.tts).licence,
    )
