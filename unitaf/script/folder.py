"""A folder of script files as one script.

Every file keeps its own columns and format. A column that only some files have is null in the
others; one that has different types in them is carried as text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import REQUIRED, ROLES, Columns
from unitaf.script.source import Chunk, Source, extra_schema

FILE = "script_file"
"""The column that says which file a line is from."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One file of a folder."""

    name: str
    """Its path in the folder."""
    source: Source
    columns: Columns


class FolderSource:
    """Some files, one after the other.

    Args:
        parts: At least one.

    Raises:
        ConfigError: If a file has a column of the name that says where a line is from.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._extras: dict[str, pa.DataType] = {}
        for part in parts:
            for field in extra_schema(part.source.schema, part.columns):
                if self._extras.setdefault(field.name, field.type) != field.type:
                    self._extras[field.name] = pa.string()
        if FILE in self._extras:
            raise ConfigError(
                f"a script of a folder has a column {FILE!r}, which is to say what file a line is "
                "from; rename it"
            )
        self._extras[FILE] = pa.string()
        self._roles = {
            role: f"script.{role}" if role in self._extras else role
            for role in ROLES
            if role in REQUIRED or any(role in part.columns.roles for part in parts)
        }

    @property
    def schema(self) -> pa.Schema:
        """The roles that any file has, and every other column in order of first use."""
        names = [(name, pa.string()) for name in self._roles.values()]
        return pa.schema(names + list(self._extras.items()))

    @property
    def roles(self) -> Mapping[str, str]:
        """The roles that any file has, called as the roles unless another column is."""
        return self._roles

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read every file from its start, at most `size` records at a time."""
        schema = extra_schema(self.schema, columns)
        for part in self._parts:
            roles = {r: name for r, name in part.columns.roles.items() if r in columns.roles}
            extras = tuple(name for name in part.columns.extras if name in columns.extras)
            for chunk in part.source.chunks(Columns(roles, extras), size):
                yield replace(
                    chunk,
                    roles={
                        role: chunk.roles.get(role, [None] * len(chunk.rows))
                        for role in columns.roles
                    },
                    extras=_padded(chunk, schema, part.name),
                    file=part.name,
                )


def _padded(chunk: Chunk, schema: pa.Schema, file: str) -> pa.RecordBatch:
    count = len(chunk.rows)
    arrays = []
    for field in schema:
        if field.name == FILE:
            arrays.append(pa.array([file] * count, pa.string()))
        elif field.name not in chunk.extras.schema.names:
            arrays.append(pa.nulls(count, field.type))
        elif chunk.extras[field.name].type == field.type:
            arrays.append(chunk.extras[field.name])
        else:
            values = chunk.extras[field.name].to_pylist()
            arrays.append(pa.array([None if v is None else str(v) for v in values], pa.string()))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
