"""The table that consumers open first: line id -> take, and which lines have none.

Written once at the end of a run, streamed from the ledger: memory does not grow with the script.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.pipelines.ledger import Ledger, Located
from unitaf.types import EMOTIONS

SCHEMA = pa.schema(
    [
        ("line_id", pa.string()),
        ("language", pa.string()),
        ("speaker", pa.string()),
        ("text", pa.string()),
        ("emotion", pa.list_(pa.float64(), len(EMOTIONS))),
        ("seed", pa.int64()),
        ("row", pa.int64()),
        ("take_key", pa.string()),
        ("file", pa.string()),
        ("row_group", pa.int32()),
        ("file_row", pa.int32()),
        ("sample_rate", pa.int32()),
        ("num_samples", pa.int64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("num_frames", pa.int64()),
        ("target_s", pa.float64()),
        ("said", pa.string()),
    ]
)
"""The catalog's own columns; the script's other columns follow.

``text`` is the script's, ``said`` what the lexicon made of it. In catalogs without ``said``, which
older versions wrote, ``text`` is what was said.
"""

REJECTS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line_id", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("stage", pa.string()),
    ]
)

UNSPOKEN = "unspoken"
"""The last column of scripts with stage directions in their texts."""

_BATCH = 4096


def write_catalog(ledger: Ledger, path: Path, script: str) -> int:
    """Write the catalog of a run to a local file; return how many lines have a take.

    The table's metadata holds the name of the script.
    """
    own = [UNSPOKEN] if ledger.has_directions else []
    names = _extra_names(ledger.extra_schema.names, {*SCHEMA.names, *own})
    extras = [field.with_name(name) for field, name in zip(ledger.extra_schema, names, strict=True)]
    directions = [pa.field(name, pa.string()) for name in own]
    schema = pa.schema([*SCHEMA, *extras, *directions], metadata={"script": script})
    count = 0
    located = ledger.located()
    line = next(located, None)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in ledger.extras():
            positions = batch.column(0).to_numpy()
            lines = []
            while line is not None and len(positions) and line.position <= positions[-1]:
                lines.append(line)
                line = next(located, None)
            if lines:
                writer.write_batch(_catalog_batch(lines, batch, schema))
                count += len(lines)
    return count


def write_rejects(ledger: Ledger, path: Path, script: str) -> dict[str, int]:
    """Write the rejected lines of a run to a local file; return their number by column at fault."""
    counts: dict[str, int] = {}
    schema = REJECTS_SCHEMA.with_metadata({"script": script})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _batches(ledger.rejects()):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array(column, field.type)
                for column, field in zip(columns, REJECTS_SCHEMA, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            for _, _, column, _, _ in rows:
                counts[column] = counts.get(column, 0) + 1
    return counts


def merge_catalogs(catalogs: Sequence[pa.Table]) -> pa.Table:
    """Return catalogs as one; a line that stands in several is taken from the first of them.

    A script's column that has different types in them gets a type that holds all its values: text
    if no other does.
    """
    if len(catalogs) == 1:
        return catalogs[0]
    names = dict.fromkeys(name for catalog in catalogs for name in catalog.column_names)
    tables = list(catalogs)
    for name in names:
        having = [i for i, table in enumerate(tables) if name in table.column_names]
        for i, column in zip(having, _agreed([tables[i][name] for i in having]), strict=True):
            tables[i] = tables[i].set_column(tables[i].column_names.index(name), name, column)
    merged = pa.concat_tables(tables, promote_options="default")
    numbered = merged.select(["line_id", "language"]).append_column(
        "position", pa.array(range(len(merged)))
    )
    first = numbered.group_by(["line_id", "language"]).aggregate([("position", "min")])
    return merged.take(first.sort_by("position_min")["position_min"])


def _agreed(columns: list[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
    schemas = [pa.schema([("column", column.type)]) for column in columns]
    try:
        wide = pa.unify_schemas(schemas, promote_options="permissive").types[0]
        return [column.cast(wide) for column in columns]
    except pa.ArrowException:
        return [_as_text(column) for column in columns]


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_nested(column.type) and "binary" not in str(column.type):
        return column.cast(pa.string())
    values = column.to_pylist()
    texts = [None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in values]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _extra_names(names: Sequence[str], own: set[str]) -> list[str]:
    """Return the catalog's names of script columns: apart if they have the name of one of ours."""
    taken = own | {name.lower() for name in names}
    found = []
    for name in names:
        new = name
        if name.lower() in own:
            while new.lower() in taken:
                new = f"script_{new}"
            taken.add(new.lower())
        found.append(new)
    return found


def _catalog_batch(
    lines: Sequence[Located], extras: pa.RecordBatch, schema: pa.Schema
) -> pa.RecordBatch:
    rows = [
        {
            "line_id": line.utterance.id,
            "language": line.utterance.language,
            "speaker": line.utterance.speaker,
            "text": line.written,
            "emotion": line.utterance.emotion,
            "seed": line.utterance.seed,
            "row": line.row,
            "take_key": line.key,
            "file": line.payload,
            "row_group": line.row_group,
            "file_row": line.payload_row,
            "sample_rate": line.sample_rate,
            "num_samples": line.num_samples,
            "duration_s": line.num_samples / line.sample_rate,
            "fps": line.fps,
            "num_frames": line.num_frames,
            "target_s": line.utterance.target_s,
            "said": line.utterance.text,
        }
        for line in lines
    ]
    own = pa.RecordBatch.from_pylist(rows, SCHEMA)
    start = extras.column(0)[0].as_py()
    picked = extras.take(pa.array([line.position - start for line in lines]))
    columns = [*own.columns, *picked.columns[1:]]
    if len(columns) < len(schema):
        columns.append(pa.array([line.unspoken or None for line in lines], pa.string()))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
