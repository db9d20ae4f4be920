"""XLSX: one sheet of a workbook, streamed.

The first row that is not blank has the column names. Formulas are not computed: a line whose id,
text or other role is a formula is rejected, and so is one where it is in merged cells, because all
but the first of them are empty. A text that is a whole number is read as its digits. Numbers, dates
and formulas of other columns are carried as text.
"""

import re
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import openpyxl
from lxml import etree
from openpyxl.utils.cell import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from unitaf.errors import ConfigError
from unitaf.script.columns import find_columns
from unitaf.script.lines import Reject, ScriptDefaults, readable_id
from unitaf.script.records import Record, RecordSource

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_MERGED, _ROW = f"{_MAIN}mergeCell", f"{_MAIN}row"
_NO_WORKBOOK = (InvalidFileException, zipfile.BadZipFile, zlib.error, KeyError, ValueError)


class _Merged(NamedTuple):
    """Merged cells; rows and columns are counted from 1."""

    cells: str
    rows: range
    columns: range


class Sheet:
    """A sheet of a workbook, opened anew for every reading.

    Args:
        path: The workbook.
        name: The sheet; None: the first.
        what: What messages call the file.

    Raises:
        ConfigError: If the file is no workbook or the sheet is not there or no table.
    """

    def __init__(self, path: Path, name: str | None, what: str = "script") -> None:
        self._path = path
        self._what = what
        with self._book() as book:
            if name is not None and name not in book.sheetnames:
                raise ConfigError(f"{what} {path} has no sheet {name!r}: it has {book.sheetnames}")
            tables = [sheet for sheet in book if isinstance(sheet, ReadOnlyWorksheet)]
            sheet = next((sheet for sheet in tables if name in (None, sheet.title)), None)
            if sheet is None:
                raise ConfigError(
                    f"{what} {path}: the sheet {name or ''!r} is a chart, not a table"
                )
            self.name = sheet.title
            with sheet._get_source() as file:  # type: ignore[attr-defined]  # not in the stubs
                self.merged = _merged(file)

    def rows(self) -> Iterator[tuple[int, Sequence[object]]]:
        """Read the rows that are not blank, each with its number."""
        with self._book() as book:
            sheet = book[self.name]
            sheet.reset_dimensions()  # Some programs write them wrong, and cells would be missed.
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                if any(value not in (None, "") for value in values):
                    yield number, values

    @contextmanager
    def _book(self) -> Iterator[openpyxl.Workbook]:
        try:
            with closing(openpyxl.load_workbook(self._path, read_only=True)) as book:
                yield book
        except (
            *_NO_WORKBOOK,
            SyntaxError,
        ) as error:  # Broken XML is a SyntaxError in every parser.
            raise ConfigError(
                f"{self._what} {self._path} cannot be read as XLSX: {error}"
            ) from error


def xlsx_source(path: Path, defaults: ScriptDefaults) -> RecordSource:
    """Open a sheet of a workbook.

    Raises:
        ConfigError: If the file is no workbook, or the sheet is not there, empty, or without names.
    """
    sheet = Sheet(path, defaults.sheet)
    number, header = next(sheet.rows(), (0, ()))
    if not header:
        raise ConfigError(f"script {path}: the sheet {sheet.name!r} is empty")
    merged = ", ".join(merged.cells for merged in sheet.merged if number in merged.rows)
    if merged:
        raise ConfigError(
            f"script {path}, line {number} of the sheet {sheet.name!r}: the column names have "
            f"merged cells {merged}; unmerge them, and give every column a name"
        )
    width = max(column for column, value in enumerate(header, 1) if value not in (None, ""))
    names = [str(name or f"column_{n}").strip() for n, name in enumerate(header[:width], 1)]
    roles = find_columns(names, str(path), defaults.columns).roles
    return RecordSource(names, roles, partial(_records, sheet, number, names, roles))


def _records(
    sheet: Sheet, header: int, names: list[str], roles: dict[str, str]
) -> Iterator[Record | Reject]:
    read = {name: names.index(name) for name in roles.values()}
    waiting = deque(m for m in sheet.merged if any(at + 1 in m.columns for at in read.values()))
    current: list[_Merged] = []
    for number, cells in sheet.rows():
        while waiting and waiting[0].rows.start <= number:
            current.append(waiting.popleft())
        current = [merged for merged in current if number in merged.rows]
        if number <= header:
            continue
        values = [*cells[: len(names)], *[None] * (len(names) - len(cells))]
        line_id = readable_id(values[read[roles["line_id"]]])
        formula = next((name for name, at in read.items() if _is_formula(values[at])), None)
        if current:
            merged = ", ".join(merged.cells for merged in current)
            yield Reject(number, line_id, "", f"the cells {merged} are merged; unmerge them")
        elif formula:
            cell = f"{get_column_letter(read[formula] + 1)}{number}"
            reason = f"the cell {cell} is a formula; put its value in its place"
            yield Reject(number, "" if _is_formula(line_id) else line_id, formula, reason)
        else:
            text = read[roles["text"]]
            values[text] = str(values[text]) if type(values[text]) is int else values[text]
            yield Record(number, values)


def _is_formula(value: object) -> bool:
    is_text = isinstance(value, str) and re.match(r"=\S", value) is not None
    return is_text or type(value).__name__ in ("ArrayFormula", "DataTableFormula")


def _merged(file: IO[bytes]) -> list[_Merged]:
    """Return the merged cells of a sheet, the topmost first."""
    found = []
    for _, element in etree.iterparse(file, tag=(_MERGED, _ROW), resolve_entities=False):
        if element.tag == _MERGED:
            cells = str(element.get("ref"))
            left, top, right, bottom = (edge or 1 for edge in range_boundaries(cells))
            found.append(_Merged(cells, range(top, bottom + 1), range(left, right + 1)))
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]
    return sorted(found, key=lambda merged: merged.rows.start)
