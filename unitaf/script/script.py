"""A script file, opened: its lines in batches, whatever the format.

Memory does not grow with the script, and a line that cannot be used is told and passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import ROLES, find_columns
from unitaf.script.delimited import csv_source, tsv_source
from unitaf.script.jsonl import JsonLinesSource
from unitaf.script.lines import LineReader, Reject, ScriptDefaults, ScriptLine
from unitaf.script.parquet import ParquetSource
from unitaf.script.source import Chunk, Source, extra_schema

FORMATS: dict[str, Callable[[Path], Source]] = {
    ".csv": csv_source,
    ".tsv": tsv_source,
    ".jsonl": JsonLinesSource,
    ".parquet": ParquetSource,
}
"""File suffix to the reader of that format."""


@dataclass(frozen=True, slots=True, eq=False)
class ScriptBatch:
    """Some lines of a script, in its order."""

    lines: list[ScriptLine]
    extras: pa.RecordBatch
    """The columns that unitaf does not read, untouched; one row a line, if there is any column."""
    rejects: list[Reject]
    """The lines among these that cannot be made, in the script's order."""


class Script:
    """A script file that can be read any number of times.

    Args:
        source: The file.
        name: What messages call it.
        defaults: What a line has where the script says nothing.

    Raises:
        ConfigError: If there is no id or text column, or a default is wrong.
    """

    def __init__(self, source: Source, name: str, defaults: ScriptDefaults) -> None:
        self._source = source
        self._columns = find_columns(source.schema.names, name)
        self._reader = LineReader(self._columns.roles, defaults)

    @property
    def columns(self) -> Mapping[str, str]:
        """What this script calls the column of each role that it has."""
        return self._columns.roles

    @property
    def extra_schema(self) -> pa.Schema:
        """The columns that unitaf does not read, with their types."""
        return extra_schema(self._source.schema, self._columns)

    def batches(self, size: int = 4096) -> Iterator[ScriptBatch]:
        """Read the script from its start.

        Args:
            size: How many records are held at once.

        Raises:
            ConfigError: If the file turns out not to be what its start promised.
        """
        for chunk in self._source.chunks(self._columns, size):
            yield self._batch(chunk)

    def _batch(self, chunk: Chunk) -> ScriptBatch:
        lines: list[ScriptLine] = []
        rejects = list(chunk.rejects)
        kept: list[int] = []
        absent = [None] * len(chunk.rows)
        records = zip(*(chunk.roles.get(role, absent) for role in ROLES), strict=True)
        for index, (row, values) in enumerate(zip(chunk.rows, records, strict=True)):
            line = self._reader.read(row, values)
            if isinstance(line, Reject):
                rejects.append(line)
            else:
                lines.append(line)
                kept.append(index)
        rejects.sort(key=lambda reject: reject.row)
        extras = (
            chunk.extras
            if len(kept) == len(chunk.rows)
            else chunk.extras.take(pa.array(kept, pa.int64()))
        )
        return ScriptBatch(lines, extras, rejects)


def open_script(path: str | Path, defaults: ScriptDefaults) -> Script:
    """Open a script file by its suffix: CSV, TSV, JSON Lines or Parquet.

    Args:
        path: A file on this machine.
        defaults: What a line has where the script says nothing.

    Raises:
        ConfigError: If the file is missing, empty, unreadable or of an unknown kind, or if it has
            no id or text column.
    """
    path = Path(path)
    read = FORMATS.get(path.suffix.lower())
    try:
        if path.is_dir():
            raise ConfigError(f"script {path} is a folder, not a file")
        if not path.exists():
            raise ConfigError(f"there is no script {path}")
        if read is None:
            known = ", ".join(FORMATS)
            raise ConfigError(
                f"script {path} has the suffix {path.suffix!r}; it must be one of {known}"
            )
        if path.stat().st_size == 0:
            raise ConfigError(f"script {path} is empty")
        source = read(path)
    except OSError as error:
        raise ConfigError(f"script {path} cannot be read: {error.strerror}") from error
    return Script(source, str(path), defaults)
