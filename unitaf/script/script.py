"""A script, opened: its lines in batches, whatever the format, from one file or a folder.

Memory does not grow with the script, and a line that cannot be used is told and passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import ROLES, Columns
from unitaf.script.delimited import csv_source, tsv_source
from unitaf.script.folder import FolderSource, Part
from unitaf.script.game_tables import (
    game_table,
    pixel_crushers_source,
    unity_source,
    unreal_source,
    unreal_strings_source,
)
from unitaf.script.jsonl import JsonLinesSource
from unitaf.script.lines import LineReader, Reject, ScriptDefaults, ScriptLine
from unitaf.script.notes import limit_column, max_characters
from unitaf.script.parquet import ParquetSource
from unitaf.script.po import po_source
from unitaf.script.source import Chunk, Source, columns_of, extra_schema
from unitaf.script.spreadsheet import xlsx_source
from unitaf.script.xliff import xliff_source

FORMATS: dict[str, Callable[[Path, ScriptDefaults], Source]] = {
    "csv": lambda path, _: csv_source(path),
    "tsv": lambda path, _: tsv_source(path),
    "jsonl": lambda path, _: JsonLinesSource(path),
    "parquet": lambda path, _: ParquetSource(path),
    "xlsx": xlsx_source,
    "po": po_source,
    "xliff": xliff_source,
    "unreal": unreal_source,
    "unreal_strings": unreal_strings_source,
    "unity": unity_source,
    "pixel_crushers": pixel_crushers_source,
}
"""The name of a format to its reader."""

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".po": "po",
    ".pot": "po",
    ".xlf": "xliff",
    ".xliff": "xliff",
}
"""File suffix to format; a CSV file's header may show that it is a game engine's table."""


@dataclass(frozen=True, slots=True, eq=False)
class ScriptBatch:
    """Some lines of a script, in its order."""

    lines: list[ScriptLine]
    extras: pa.RecordBatch
    """The columns that unitaf does not read, untouched; one row a line, if there is any column."""
    rejects: list[Reject]
    """The lines among these that cannot be made, in the script's order."""
    num_left_out: int
    """Entries among these that are not translated or approved, and so no lines."""
    file: str
    """Which file of a folder these are from; empty if the script is one file."""


class Script:
    """A script file that can be read any number of times.

    Args:
        source: The file.
        columns: Its columns.
        name: What messages call it.
        defaults: What a line has where the script says nothing.

    Raises:
        ConfigError: If a default is wrong.
    """

    def __init__(
        self, source: Source, columns: Columns, name: str, defaults: ScriptDefaults
    ) -> None:
        self._source = source
        self._columns = columns
        self._name = name
        self._reader = LineReader(self._columns.roles, defaults)
        self._limits = limit_column(self._columns.extras)

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
            ConfigError: If the file turns out not to be what its start promised, or has no entry.
        """
        is_empty = True
        for chunk in self._source.chunks(self._columns, size):
            is_empty = is_empty and not (chunk.rows or chunk.rejects or chunk.num_left_out)
            yield self._batch(chunk)
        if is_empty:
            raise ConfigError(f"script {self._name} has no lines")

    def _batch(self, chunk: Chunk) -> ScriptBatch:
        lines: list[ScriptLine] = []
        rejects = list(chunk.rejects)
        kept: list[int] = []
        absent = [None] * len(chunk.rows)
        limits = chunk.extras[self._limits].to_pylist() if self._limits else absent
        records = zip(*(chunk.roles.get(role, absent) for role in ROLES), strict=True)
        read = zip(chunk.rows, records, limits, strict=True)
        for index, (row, values, limit) in enumerate(read):
            line = self._reader.read(row, values)
            if isinstance(line, Reject):
                rejects.append(line)
            else:
                allowed = None if limit is None else max_characters(limit)
                lines.append(line if allowed is None else replace(line, max_characters=allowed))
                kept.append(index)
        rejects.sort(key=lambda reject: reject.row)
        extras = (
            chunk.extras
            if len(kept) == len(chunk.rows)
            else chunk.extras.take(pa.array(kept, pa.int64()))
        )
        if chunk.file:
            rejects = [replace(r, reason=f"{chunk.file}: {r.reason}") for r in rejects]
        return ScriptBatch(lines, extras, rejects, chunk.num_left_out, chunk.file)


def open_script(path: str | Path, defaults: ScriptDefaults) -> Script:
    """Open a script: a file, or a folder of them.

    A folder's files are one script, in the order of their names, those of its folders included;
    files with other suffixes, and those whose names begin with a dot or ``~``, are passed over.

    Args:
        path: A file or folder on this machine.
        defaults: How it is read.

    Raises:
        ConfigError: If the file is missing, empty, unreadable or of an unknown kind, or if it has
            no id or text column.
    """
    path = Path(path)
    try:
        if path.is_dir():
            folder = _open_folder(path, defaults)
            return Script(folder, columns_of(folder, str(path), {}), str(path), defaults)
        source = _open_file(path, defaults)
    except OSError as error:
        raise ConfigError(f"script {path} cannot be read: {error.strerror}") from error
    columns = columns_of(source, str(path), defaults.columns)
    return Script(source, columns, str(path), defaults)


def is_script(name: str) -> bool:
    """Say whether a file of a folder is one of its scripts, by its path."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and path.name[0] not in ".~"


def _open_file(path: Path, defaults: ScriptDefaults) -> Source:
    if not path.exists():
        raise ConfigError(f"there is no script {path}")
    name = defaults.format or SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise ConfigError(
            f"script {path} has the suffix {path.suffix!r}; it must be one of "
            f"{', '.join(SUFFIXES)}, or script.format says what it is"
        )
    if name not in FORMATS:
        raise ConfigError(f"script.format {name!r} must be one of {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise ConfigError(f"script {path} is empty")
    if name == "csv" and defaults.format is None:
        name = game_table(path)
    return FORMATS[name](path, defaults)


def _open_folder(folder: Path, defaults: ScriptDefaults) -> FolderSource:
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if is_script(path.name) and path.is_file()
    )
    if not names:
        raise ConfigError(f"the folder {folder} has no script: no file in {', '.join(SUFFIXES)}")
    parts = []
    for name in names:
        source = _open_file(folder / name, defaults)
        parts.append(Part(name, source, columns_of(source, str(folder / name), defaults.columns)))
    return FolderSource(parts)
