"""A list of recordings: JSON Lines or Parquet, one row each; or a folder of such Parquet files.

Conventions: columns ``audio, curves, fps, channels, text`` and, where there are any, ``id,
language, speaker, emotion, split``. Files are named relative to the list. ``channels`` is a list of
names or one of `arkit.ORDERS`; a Parquet file may have it once, in its metadata. A Parquet row may
hold the audio file's bytes and the curves' numbers themselves, so what ``unitaf generate`` writes
below ``takes/`` is such a folder.
"""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.data.recordings import Listing, Recording, Refusal, Source, sibling
from unitaf.emotion import from_numbers, parse_emotion
from unitaf.errors import ConfigError
from unitaf.rigs.arkit import ORDERS
from unitaf.storage import ObjectFile, Storage
from unitaf.types import NEUTRAL, Emotion

_NEEDED = ("audio", "curves")
_READ = (
    *_NEEDED,
    "fps",
    "channels",
    "text",
    "id",
    "line_id",
    "language",
    "speaker",
    "emotion",
    "split",
)
_ROWS = 1024


def list_table(source: Source) -> Listing:
    """List every row of a source's table, or of every Parquet file of its folder."""
    names = [source.table] if source.table else list(source.files)
    for name in names:
        if name.endswith(".jsonl"):
            yield from _json_lines(source, name)
        elif name.endswith(".parquet"):
            yield from _parquet(source, name)


def open_parquet(storage: Storage, name: str) -> pq.ParquetFile:
    """Open a Parquet file of a storage; only what is asked for is read.

    Raises:
        ConfigError: If it is none.
    """
    try:
        return pq.ParquetFile(pa.PythonFile(ObjectFile(storage, name), "r"))
    except pa.ArrowException as error:
        raise ConfigError(f"{storage.uri}/{name} cannot be read as Parquet: {error}") from error


def _json_lines(source: Source, name: str) -> Listing:
    try:
        text = source.storage.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source.storage.uri}/{name} is not UTF-8 text") from error
    # Not splitlines: what is said may hold other line separators.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("the line is not a JSON object")
                yield _recording(source, name, number, row)
            except (KeyError, TypeError, ValueError) as error:
                yield _refusal(name, number, error)


def _parquet(source: Source, name: str) -> Listing:
    file = open_parquet(source.storage, name)
    schema = file.schema_arrow
    missing = [column for column in _NEEDED if column not in schema.names]
    if missing:
        raise ConfigError(f"{source.uri}: {name} has no column {', '.join(missing)}")
    # What a row holds itself is not read here, only noted.
    inner = {
        column: name
        for column in ("audio", "curves")
        if not pa.types.is_string(schema.field(column).type)
    }
    columns = [column for column in _READ if column in schema.names and column not in inner]
    names = (schema.metadata or {}).get(b"channels", b"").decode()
    shared = {"channels": names.split(",")} if names else {}
    for number, row in enumerate(_rows(file, columns)):
        values = {key: value for key, value in row.items() if value is not None}
        try:
            yield _recording(source, name, number, {**shared, **values}, inner)
        except (KeyError, TypeError, ValueError) as error:
            yield _refusal(name, number, error)


def _rows(file: pq.ParquetFile, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_ROWS, columns=columns):
        yield from batch.to_pylist()


def _recording(
    source: Source,
    table: str,
    number: int,
    row: dict[str, Any],
    inner: dict[str, str] | None = None,
) -> Recording:
    inner = inner or {}
    language = str(row.get("language") or source.language)
    curves = inner.get("curves") or sibling(table, row["curves"])
    return Recording(
        id=_id(table, number, row, language),
        audio=inner.get("audio") or sibling(table, row["audio"]),
        curves=curves,
        row=number if inner else -1,
        channels=_channels(row),
        fps=0.0 if curves.endswith(".csv") else float(row["fps"]),
        text=" ".join(str(row.get("text") or "").split()),
        language=language,
        speaker=str(row.get("speaker") or source.speaker),
        emotion=_emotion(row.get("emotion")),
        split=str(row.get("split") or ""),
    )


def _id(table: str, number: int, row: dict[str, Any], language: str) -> str:
    if "id" in row:
        return str(row["id"])
    # A line of a script may exist in several languages.
    return f"{row['line_id']}.{language}" if "line_id" in row else f"{table}#{number}"


def _channels(row: dict[str, Any]) -> tuple[str, ...]:
    channels = row.get("channels")
    if isinstance(channels, str):
        if channels not in ORDERS:
            raise ValueError(f"channels must be names or one of {', '.join(ORDERS)}")
        return ORDERS[channels]
    return tuple(str(name) for name in channels or ())


def _emotion(value: object) -> Emotion:
    if value is None:
        return NEUTRAL
    return (
        from_numbers([float(v) for v in value])
        if isinstance(value, list)
        else parse_emotion(str(value))
    )


def _refusal(table: str, number: int, error: Exception) -> Refusal:
    reason = f"the row has no {error}" if isinstance(error, KeyError) else str(error)
    return Refusal(f"{table}#{number}", "record", reason)
