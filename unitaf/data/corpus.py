"""A training corpus, opened for reading: its clips, and where each one's features are.

The catalog of the newest `prepare` run of every source says what is in the corpus. It is one
Parquet table: a row a clip, with the files, the rows in them and the lengths that a reader needs to
plan a whole training run without opening anything else.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from unitaf.data.features import FeatureSet
from unitaf.errors import ConfigError
from unitaf.rigs.arkit import CHANNELS
from unitaf.storage import ObjectFile, Storage, open_storage
from unitaf.types import EMOTIONS

CATALOG_SCHEMA = pa.schema(
    [
        ("clip_key", pa.string()),
        ("clip_id", pa.string()),
        ("recording", pa.string()),
        ("split", pa.string()),
        ("speaker", pa.string()),
        ("language", pa.string()),
        ("text", pa.string()),
        ("text_source", pa.string()),
        ("emotion", pa.list_(pa.float64(), len(EMOTIONS))),
        ("channels", pa.list_(pa.string())),
        ("sample_rate", pa.int32()),
        ("num_samples", pa.int64()),
        ("duration_s", pa.float64()),
        ("num_frames", pa.int64()),
        ("file", pa.string()),
        ("file_row", pa.int32()),
        ("tts_file", pa.string()),
        ("tts_row", pa.int32()),
        ("tts_steps", pa.int32()),
        ("alignment_cost", pa.float64()),
        ("encoder_file", pa.string()),
        ("encoder_row", pa.int32()),
        ("encoder_steps", pa.int32()),
        ("emotion_source", pa.string()),
    ]
)
"""The files of features are null for a clip that has none, the last column in old catalogs."""


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """What holds for a whole corpus; kept in the catalog's metadata."""

    source: str
    fps: float
    tts: FeatureSet
    encoder: FeatureSet | None
    licence: str
    """The terms that the engine's output puts on what is trained on it."""

    def to_json(self) -> str:
        """Write it for the catalog's metadata."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Corpus:
    """The clips of a corpus.

    Args:
        storage: Where it is.

    Raises:
        ConfigError: If no run has ended there, or its runs do not fit together.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        (self.info, first), *others = _newest_catalogs(storage)
        for info, _ in others:
            if replace(info, source=self.info.source) != self.info:
                raise ConfigError(
                    f"{storage.uri}: the clips of {info.source} have other features or another"
                    f" frame rate than those of {self.info.source}; prepare them alike"
                )
        merged = pa.concat_tables(
            [first, *(table for _, table in others)], promote_options="default"
        )
        self._clips = _once_each(merged)

    @property
    def uri(self) -> str:
        """The folder or ``s3://`` address."""
        return self.storage.uri

    @property
    def channels(self) -> tuple[str, ...]:
        """The canonical channels that every clip has."""
        captured = {tuple(names) for names in self._clips["channels"].to_pylist()}
        shared = set.intersection(*map(set, captured)) if captured else set()
        return tuple(name for name in CHANNELS if name in shared)

    def clips(self, split: str | None = None, with_features: Sequence[str] = ()) -> pa.Table:
        """Return the catalog's rows of a split, in order of clip key.

        Args:
            split: ``train``, ``val`` or ``test``; None for all.
            with_features: Of ``tts`` and ``encoder``, those that a clip must have.
        """
        table = self._clips
        if split is not None:
            table = table.filter(pc.equal(table["split"], split))
        for name in with_features:
            table = table.filter(pc.is_valid(table[f"{name}_file"]))
        return table


def speakers_of(clips: pa.Table) -> tuple[str, ...]:
    """Return every speaker of a catalog's rows, in alphabetical order."""
    return tuple(sorted(set(clips["speaker"].to_pylist())))


def open_corpus(uri: str) -> Corpus:
    """Open a corpus that `prepare` made.

    Args:
        uri: A folder or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If there is none.
    """
    return Corpus(open_storage(uri))


def _newest_catalogs(storage: Storage) -> list[tuple[CorpusInfo, pa.Table]]:
    """Read the catalog of the newest run of every source, newest first."""
    names = [info.name for info in storage.list("runs/") if info.name.endswith("/catalog.parquet")]
    found: dict[str, tuple[CorpusInfo, pa.Table]] = {}
    for name in sorted(names, reverse=True):
        file = pq.ParquetFile(pa.PythonFile(ObjectFile(storage, name), "r"))
        text = (file.schema_arrow.metadata or {}).get(b"corpus")
        if text is None:
            raise ConfigError(f"{storage.uri} is a store of takes, not a corpus")
        info = _info(json.loads(text))
        if info.source not in found:
            found[info.source] = info, file.read().replace_schema_metadata(None)
    if not found:
        raise ConfigError(
            f"{storage.uri} has no catalog; no run of 'unitaf prepare' has ended there yet"
        )
    return list(found.values())


def _info(value: dict[str, Any]) -> CorpusInfo:
    encoder = value.pop("encoder")
    return CorpusInfo(
        tts=FeatureSet(**value.pop("tts")),
        encoder=FeatureSet(**encoder) if encoder else None,
        **value,
    )


def _once_each(table: pa.Table) -> pa.Table:
    """Return the rows in order of clip key, of those with one key the first."""
    numbered = table.append_column("position", pa.array(range(len(table))))
    first = numbered.group_by("clip_key").aggregate([("position", "min")])
    return table.take(first.sort_by("clip_key")["position_min"])
