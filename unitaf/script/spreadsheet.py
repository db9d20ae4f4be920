"""XLSX: one sheet of a workbook, streamed.

The first row that is not blank has the column names. Formulas are not computed: a line whose id,
text or other role is a formula is rejected, and so is one with merged cells, because all but the
first of them are empty. Numbers, dates and formulas of other columns are carried as text.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO

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


class _Sheet:
    """A sheet, opened anew for every reading."""

    def __init__(self, path: Path, name: str | None) -> None:
        self._path = path
        with closing(self._book()) as book:
            if name is not None and name not in book.sheetnames:
                raise ConfigError(f"script {path} has no sheet {name!r}: it has {book.sheetnames}")
            self.name = name or book.worksheets[0].title
            sheet = book[self.name]
            assert isinstance(sheet, ReadOnlyWorksheet), "a workbook opened read-only has no others"
            with sheet._get_source() as file:  # type: ignore[attr-defined]  # not in the stubs
                self.merged = _merged(file)

    def rows(self) -> Iterator[tuple[int, Sequence[object]]]:
        """Read the rows that are not blank, each with its number."""
        with closing(self._book()) as book:
            for number, values in enumerate(book[self.name].iter_rows(values_only=True), start=1):
                if any(value not in (None, "") for value in values):
                    yield number, values

    def _book(self) -> openpyxl.Workbook:
        try:
            return openpyxl.load_workbook(self._path, read_only=True)
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise ConfigError(f"script {self._path} cannot be read as XLSX: {error}") from error


def xlsx_source(path: Path, defaults: ScriptDefaults) -> RecordSource:
    """Open a sheet of a workbook.

    Raises:
        ConfigError: If the file is no workbook, or the sheet is not there, empty, or without names.
    """
    sheet = _Sheet(path, defaults.sheet)
    number, header = next(sheet.rows(), (0, ()))
    if not header:
        raise ConfigError(f"script {path}: the sheet {sheet.name!r} is empty")
    merged = _merge_in(sheet.merged, number)
    if merged:
        raise ConfigError(
            f"script {path}, line {number} of the sheet {sheet.name!r}: the column names have "
            f"merged cells {merged}; unmerge them, and give every column a name"
        )
    width = max(column for column, value in enumerate(header, 1) if value not in (None, ""))
    names = [str(name or f"column_{n}").strip() for n, name in enumerate(header[:width], 1)]
    roles = find_columns(names, str(path)).roles
    return RecordSource(names, roles, partial(_records, sheet, number, names, roles))


def _records(
    sheet: _Sheet, header: int, names: list[str], roles: dict[str, str]
) -> Iterator[Record | Reject]:
    read = {name: names.index(name) for name in roles.values()}
    for number, cells in sheet.rows():
        if number <= header:
            continue
        values = [*cells[: len(names)], *[None] * (len(names) - len(cells))]
        line_id = readable_id(values[read[roles["line_id"]]])
        merged = _merge_in(sheet.merged, number)
        formula = next((name for name, at in read.items() if _is_formula(values[at])), None)
        if merged:
            yield Reject(number, line_id, "", f"the cells {merged} are merged; unmerge them")
        elif formula:
            cell = f"{get_column_letter(read[formula] + 1)}{number}"
            reason = f"the cell {cell} is a formula; put its value in its place"
            yield Reject(number, "" if _is_formula(line_id) else line_id, formula, reason)
        else:
            yield Record(number, values)


def _is_formula(value: object) -> bool:
    is_text = isinstance(value, str) and re.match(r"=\S", value) is not None
    return is_text or type(value).__name__ in ("ArrayFormula", "DataTableFormula")


def _merged(file: IO[bytes]) -> dict[str, range]:
    """Return the merged cells of a sheet, as ``A1:B2``, with their rows."""
    found = {}
    for _, element in etree.iterparse(file, tag=(_MERGED, _ROW), resolve_entities=False):
        if element.tag == _MERGED:
            cells = str(element.get("ref"))
            _, top, _, bottom = range_boundaries(cells)
            found[cells] = range(top or 1, (bottom or 1) + 1)
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]
    return found


def _merge_in(merged: dict[str, range], row: int) -> str:
    return ", ".join(cells for cells, rows in merged.items() if row in rows)
