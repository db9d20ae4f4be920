"""A source for formats that are read record by record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from unitaf.script.columns import Columns
from unitaf.script.lines import Reject
from unitaf.script.source import Chunk, extra_schema


class Record(NamedTuple):
    """One record of a script."""

    row: int
    """Where it is in the file, from 1."""
    values: Sequence[object]
    """One a column; None where there is none."""


class LeftOut(NamedTuple):
    """An entry that is no line of this script: not translated yet, or not approved."""

    row: int


Entry = Record | Reject | LeftOut
"""What a file has at one place."""


class RecordSource:
    """A script of records; columns without a role are carried as text.

    Args:
        names: The columns.
        roles: Role to column; empty: found by the columns' names.
        records: Reads the file from its start.
    """

    def __init__(
        self,
        names: Sequence[str],
        roles: Mapping[str, str],
        records: Callable[[], Iterator[Entry]],
    ) -> None:
        self._names = list(names)
        self._roles = roles
        self._records = records

    @property
    def schema(self) -> pa.Schema:
        """Every column, as text."""
        return pa.schema([(name, pa.string()) for name in self._names])

    @property
    def roles(self) -> Mapping[str, str]:
        """Role to column where the format itself decides."""
        return self._roles

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read the file from its start, at most `size` records at a time."""
        records = self._records()
        index = {name: position for position, name in enumerate(self._names)}
        while group := list(islice(records, size)):
            good = [record for record in group if isinstance(record, Record)]
            yield Chunk(
                rows=[record.row for record in good],
                roles={
                    role: [record.values[index[name]] for record in good]
                    for role, name in columns.roles.items()
                },
                extras=pa.RecordBatch.from_arrays(
                    [
                        pa.array([_text(r.values[index[name]]) for r in good], pa.string())
                        for name in columns.extras
                    ],
                    schema=extra_schema(self.schema, columns),
                ),
                rejects=[record for record in group if isinstance(record, Reject)],
                num_left_out=sum(isinstance(record, LeftOut) for record in group),
            )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
