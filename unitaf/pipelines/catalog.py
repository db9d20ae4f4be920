"""The table that consumers open first: line id -> take, and which lines have none.

Written once at the end of a run, streamed from the ledger: memory does not grow with the script.
"""

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
    ]
)
"""The catalog's own columns; the script's other columns follow."""

REJECTS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line_id", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("stage", pa.string()),
    ]
)

_BATCH = 4096


def write_catalog(ledger: Ledger, path: Path, script: str) -> int:
    """Write the catalog of a run to a local file; return how many lines have a take.

    The table's metadata holds the name of the script.
    """
    extras = [field.with_name(_extra_name(field.name)) for field in ledger.extra_schema]
    schema = pa.schema([*SCHEMA, *extras], metadata={"script": script})
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


def _extra_name(name: str) -> str:
    """Return the catalog's name of a script column: apart if it has the name of one of ours."""
    return f"script_{name}" if name.lower() in SCHEMA.names else name


def _catalog_batch(
    lines: Sequence[Located], extras: pa.RecordBatch, schema: pa.Schema
) -> pa.RecordBatch:
    rows = [
        {
            "line_id": line.utterance.id,
            "language": line.utterance.language,
            "speaker": line.utterance.speaker,
            "text": line.utterance.text,
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
        }
        for line in lines
    ]
    own = pa.RecordBatch.from_pylist(rows, SCHEMA)
    start = extras.column(0)[0].as_py()
    picked = extras.take(pa.array([line.position - start for line in lines]))
    return pa.RecordBatch.from_arrays([*own.columns, *picked.columns[1:]], schema=schema)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
