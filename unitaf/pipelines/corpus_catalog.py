"""What a preparation run leaves behind: the catalog of the corpus, and what was refused and why."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.data.corpus import CATALOG_SCHEMA, CorpusInfo
from unitaf.data.manifests import ClipManifest, FeatureManifest
from unitaf.data.recordings import Refusal

REJECTS_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("stage", pa.string()),
        ("cause", pa.string()),
        ("reason", pa.string()),
    ]
)
"""The recording or clip; ``source``, ``clip``, ``tts`` or ``encoder``; why."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A recording that gave no clip, or a clip without features."""

    name: str
    stage: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where the features of one clip are."""

    file: str
    row: int
    steps: int
    cost: float


class Contents:
    """What the manifests of a source's shards say, put together.

    Args:
        clips: In order of shard.
        features: Of each set, by its name.
        refusals: Recordings that were refused when the source was listed.
        num_recordings: Of the source, these included.
        max_cost: Features that were carried along a worse alignment do not count.
    """

    def __init__(
        self,
        clips: Sequence[ClipManifest],
        features: Mapping[str, Sequence[FeatureManifest]],
        refusals: Sequence[Refusal],
        num_recordings: int,
        max_cost: float,
    ) -> None:
        self.clips = clips
        self.features = features
        self.num_recordings = num_recordings
        self.max_cost = max_cost
        self._refusals = refusals
        self._found = {name: _by_key(manifests) for name, manifests in features.items()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give the catalog's row of every clip; of clips with one content only the first."""
        for name, manifest, index in self._unique():
            clip = manifest.clips[index]
            row = {
                "file": name,
                "file_row": index,
                "duration_s": clip.num_samples / clip.sample_rate,
                **{field: getattr(clip, field) for field in clip.__dataclass_fields__},
            }
            for kind, found in self._found.items():
                one = found.get(clip.clip_key)
                is_there = one is not None and one.cost <= self.max_cost
                row[f"{kind}_file"] = one.file if one and is_there else None
                row[f"{kind}_row"] = one.row if one and is_there else None
                row[f"{kind}_steps"] = one.steps if one and is_there else None
                if kind == "tts":
                    row["alignment_cost"] = one.cost if one else None
            yield row

    def rejected(self) -> Iterator[Rejected]:
        """Give everything that was refused, at every stage."""
        for refusal in self._refusals:
            yield Rejected(refusal.recording, "source", refusal.cause, refusal.reason)
        for manifest in self.clips:
            for refusal in manifest.refusals:
                yield Rejected(refusal.recording, "clip", refusal.cause, refusal.reason)
        yield from self._twins()
        names = {clip.clip_key: clip.clip_id for m in self.clips for clip in m.clips}
        for kind, manifests in self.features.items():
            for features in manifests:
                for refusal in features.refusals:
                    name = names[refusal.recording]
                    yield Rejected(name, kind, refusal.cause, refusal.reason)
        for key, one in self._found.get("tts", {}).items():
            if one.cost > self.max_cost:
                reason = f"the engine's own speech fits at a cost of {one.cost:.2f}"
                yield Rejected(names[key], "tts", "alignment", f"{reason}; are these the words?")

    def _unique(self) -> Iterator[tuple[str, ClipManifest, int]]:
        seen: set[str] = set()
        for manifest in self.clips:
            for index, clip in enumerate(manifest.clips):
                if clip.clip_key not in seen:
                    seen.add(clip.clip_key)
                    yield manifest.payload, manifest, index

    def _twins(self) -> Iterator[Rejected]:
        first: dict[str, str] = {}
        for manifest in self.clips:
            for clip in manifest.clips:
                if clip.clip_key in first:
                    reason = f"its content is that of {first[clip.clip_key]}"
                    yield Rejected(clip.clip_id, "clip", "duplicate", reason)
                first.setdefault(clip.clip_key, clip.clip_id)


def encode_tables(contents: Contents, info: CorpusInfo) -> dict[str, bytes]:
    """Write the tables of a run: name to bytes. The catalog comes last, since it counts."""
    rejects = pa.Table.from_pylist(
        [
            {"name": one.name, "stage": one.stage, "cause": one.cause, "reason": one.reason}
            for one in contents.rejected()
        ],
        schema=REJECTS_SCHEMA,
    )
    catalog = pa.Table.from_pylist(
        list(contents.rows()), schema=CATALOG_SCHEMA.with_metadata({"corpus": info.to_json()})
    )
    return {"rejects.parquet": _parquet(rejects), "catalog.parquet": _parquet(catalog)}


def _by_key(manifests: Sequence[FeatureManifest]) -> dict[str, Found]:
    return {
        row.clip_key: Found(manifest.payload, index, row.steps, row.cost)
        for manifest in manifests
        for index, row in enumerate(manifest.rows)
    }


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
