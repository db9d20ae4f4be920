"""Parquet: every column keeps its own Arrow type.

A dictionary-encoded column (a categorical of pandas) is carried as its values: how a file packs its
strings is no part of the script.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.errors import ConfigError
from unitaf.script.columns import Columns
from unitaf.script.source import Chunk, extra_schema

_READ_AHEAD_BYTES = 2**20


class ParquetSource:
    """A Parquet file; a record's row is its number, from 1.

    Args:
        path: The file.

    Raises:
        ConfigError: If the file is not Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            self._schema = pa.schema([_decoded(field) for field in file.schema_arrow])

    @property
    def schema(self) -> pa.Schema:
        """Every column in the file's order."""
        return self._schema

    @property
    def roles(self) -> Mapping[str, str]:
        """Nothing: columns are known by their names."""
        return {}

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read the file from its start, at most `size` records at a time."""
        row = 1
        schema = extra_schema(self._schema, columns)
        with self._open() as file:
            for batch in file.iter_batches(size):
                batch.validate(full=True)
                yield Chunk(
                    rows=list(range(row, row + batch.num_rows)),
                    roles={role: batch[name].to_pylist() for role, name in columns.roles.items()},
                    extras=batch.select(list(columns.extras)).cast(schema),
                    rejects=[],
                )
                row += batch.num_rows

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self._path, buffer_size=_READ_AHEAD_BYTES) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(f"script {self._path} cannot be read as Parquet: {error}") from error


def _decoded(field: pa.Field) -> pa.Field:
    if pa.types.is_dictionary(field.type):
        return field.with_type(field.type.value_type)
    return field
