"""What a script format gives: its columns, and its records in chunks.

A new format is a file with a `Source`, and an entry in `script.FORMATS`. A source
knows its file format and nothing about what a good line is. Its constructor raises `ConfigError`
for a file that cannot be read; a bad record becomes a `Reject`.
"""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO, runtime_checkable

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import Columns, find_columns, refuse_wrong_names
from unitaf.script.lines import Reject


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some records of a script, column by column."""

    rows: list[int]
    """Where each record is in the file."""
    roles: dict[str, Sequence[object]]
    """Role to one raw value a record."""
    extras: pa.RecordBatch
    """The columns without a role, one row a record."""
    rejects: list[Reject]
    """The records that could not be read; they are not counted above."""
    num_left_out: int = 0
    """Entries among these that are not translated or approved, and so no records."""
    file: str = ""
    """Which file of a folder the records are from."""


@runtime_checkable
class Source(Protocol):
    """A script file of one format."""

    @property
    def schema(self) -> pa.Schema:
        """Every column in the file's order, with the type in which it is carried."""
        ...

    @property
    def roles(self) -> Mapping[str, str]:
        """Role to column where the format itself decides; empty: found by the columns' names."""
        ...

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read the file from its start, at most `size` records at a time."""
        ...


def columns_of(source: Source, script: str, chosen: Mapping[str, str]) -> Columns:
    """Give every column of a source its role.

    Args:
        source: The script.
        script: Its name, for messages.
        chosen: Role to column where the user decides.

    Raises:
        ConfigError: As `find_columns`.
    """
    names = source.schema.names
    if not source.roles:
        return find_columns(names, script, chosen)
    refuse_wrong_names(names, script, chosen)
    roles = {**source.roles, **chosen}
    taken = set(roles.values())
    return Columns(roles, tuple(name for name in names if name not in taken))


def extra_schema(schema: pa.Schema, columns: Columns) -> pa.Schema:
    """Return the part of a file's schema that is carried untouched."""
    return pa.schema([schema.field(name) for name in columns.extras])


@contextmanager
def open_text(path: Path, newline: str, what: str = "script") -> Iterator[TextIO]:
    r"""Open a text file in UTF-8, or in UTF-16 if it says so by a byte-order mark.

    Args:
        path: The file.
        newline: As for `open`: ``\n`` to end lines there only, empty for every line end.
        what: What messages call it.

    Raises:
        ConfigError: If the file has another encoding.
    """
    with open(path, "rb") as file:
        is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        with open(path, encoding="utf-16" if is_utf16 else "utf-8-sig", newline=newline) as file:
            yield file
    except UnicodeDecodeError as error:
        place = "is not valid UTF-16" if is_utf16 else _first_bad_byte(path)
        raise ConfigError(
            f"{what} {path} {place}; save it as UTF-8 (in Excel: 'CSV UTF-8')"
        ) from error


def _first_bad_byte(path: Path) -> str:
    with open(path, "rb") as file:
        offset = 0
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                at, byte = offset + error.start, line[error.start]
                return f"is not UTF-8: byte {at} of the file, in line {number}, is 0x{byte:02X}"
            offset += len(line)
    return "is not UTF-8"
