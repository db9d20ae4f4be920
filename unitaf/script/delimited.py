"""CSV and TSV: RFC 4180 quotes, any line end, line breaks inside quotes.

Every column is carried as text. A record whose quotes do not pair up is rejected alone: reading
goes on with the next line of the file, so one stray quote does not swallow what follows. Records
without any content, which spreadsheets leave behind, are skipped.
"""

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import Columns
from unitaf.script.lines import Reject, readable_id
from unitaf.script.source import Chunk, extra_schema, open_text


class DelimitedRecord(NamedTuple):
    """The fields of one record, or why there are none."""

    row: int
    """The line of the file where the record begins."""
    fields: list[str]
    fault: str = ""
    """Why there are no fields."""


class DelimitedSource:
    """A CSV or TSV file.

    Args:
        path: The file.
        delimiters: The delimiter is the one of these that splits the header into most columns.

    Raises:
        ConfigError: If the file has no header or is not UTF-8.
    """

    def __init__(self, path: Path, delimiters: str) -> None:
        self._path = path
        headers = {delimiter: self._header(delimiter) for delimiter in delimiters}
        self._delimiter = max(headers, key=lambda delimiter: len(headers[delimiter]))
        self._names = headers[self._delimiter]
        if not self._names:
            raise ConfigError(f"script {path} does not begin with a line of column names")

    @property
    def schema(self) -> pa.Schema:
        """Every column, as text; a column without a name is called by its position."""
        return pa.schema([(name, pa.string()) for name in self._names])

    @property
    def roles(self) -> Mapping[str, str]:
        """Nothing: columns are known by their names."""
        return {}

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read the file from its start, at most `size` records at a time."""
        with open_text(self._path, newline="") as file:
            records = delimited_records(file, self._delimiter)
            next(records)
            while group := list(islice(records, size)):
                yield self._chunk(group, columns)

    def _header(self, delimiter: str) -> list[str]:
        with open_text(self._path, newline="") as file:
            header = next(delimited_records(file, delimiter), DelimitedRecord(1, [])).fields
        return [name.strip() or f"column_{number}" for number, name in enumerate(header, start=1)]

    def _chunk(self, group: list[DelimitedRecord], columns: Columns) -> Chunk:
        width = len(self._names)
        good = [record for record in group if len(record.fields) == width]
        values = list(zip(*(record.fields for record in good), strict=True)) or [()] * width
        named = dict(zip(self._names, values, strict=True))
        return Chunk(
            rows=[record.row for record in good],
            roles={role: named[name] for role, name in columns.roles.items()},
            extras=pa.RecordBatch.from_arrays(
                [pa.array(named[name], pa.string()) for name in columns.extras],
                schema=extra_schema(self.schema, columns),
            ),
            rejects=[
                self._reject(record, columns.roles["line_id"])
                for record in group
                if len(record.fields) != width
            ],
        )

    def _reject(self, record: DelimitedRecord, id_column: str) -> Reject:
        row, fields, fault = record
        if fault:
            return Reject(row, "", "", fault)
        line_id = readable_id(dict(zip(self._names, fields, strict=False)).get(id_column))
        width = len(self._names)
        if len(fields) < width:
            reason = f"the line has only {len(fields)} of the header's {width} fields"
            return Reject(row, line_id, self._names[len(fields)], reason)
        reason = (
            f"the line has {len(fields)} fields and the header only {width}; "
            f"a field with {self._delimiter!r} in it needs quotes around it"
        )
        return Reject(row, line_id, "", reason)


csv_source = partial(DelimitedSource, delimiters=",;")
tsv_source = partial(DelimitedSource, delimiters="\t")


def delimited_records(file: TextIO, delimiter: str) -> Iterator[DelimitedRecord]:
    """Read the records of an open CSV or TSV file that are not blank."""
    replay: deque[str] = deque()
    record: list[str] = []

    def lines() -> Iterator[str]:
        while (line := replay.popleft() if replay else next(file, None)) is not None:
            record.append(line)
            yield line

    row = 1
    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        record.clear()
        try:
            fields = next(reader, None)
        except csv.Error:
            replay.extendleft(reversed(record[1:]))
            reader = csv.reader(lines(), delimiter=delimiter, strict=True)
            yield DelimitedRecord(row, [], _fault(record[0]))
            row += 1
            continue
        if fields is None:
            return
        if any(fields):
            yield DelimitedRecord(row, fields)
        row += len(record)


def _fault(line: str) -> str:
    """Say why a record that begins with this line could not be split."""
    limit = csv.field_size_limit()
    if len(line) > limit:
        return f"the line has {len(line):,} characters; a field may have {limit:,}"
    return "a quote has no partner, or other text follows it"
