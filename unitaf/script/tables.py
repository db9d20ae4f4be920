"""Small files of a user's settings: YAML with the lines of its nodes, or a table of named columns.

Tables are CSV, TSV or XLSX, and all their cells text.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from unitaf.errors import ConfigError
from unitaf.script.delimited import delimited_records
from unitaf.script.source import open_text
from unitaf.script.spreadsheet import Sheet

YAML_SUFFIXES = (".yaml", ".yml")
SUFFIXES = (".csv", ".tsv", ".xlsx")
NULL = "tag:yaml.org,2002:null"
"""The tag of nothing in YAML."""


def compose_yaml(path: Path, what: str) -> yaml.Node | None:
    """Return the root of a YAML file, None if it is empty.

    Args:
        path: The file.
        what: What messages call it.

    Raises:
        ConfigError: If it is no text or not YAML.
    """
    try:
        with open_text(path, "", what) as file:
            return yaml.compose(file, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def written(node: yaml.Node, what: str, place: str) -> str:
    """Return a text of a YAML file as it is written.

    Args:
        node: The text, or what stands in its place.
        what: What messages call it.
        place: The file and the line, for messages.

    Raises:
        ConfigError: If it is no text.
    """
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{place}: {what} must be text")
    return str(node.value)


def read_table(
    path: Path, what: str, columns: Sequence[str], sheet: str | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a table that are not blank, each with its line.

    Args:
        path: Ends in one of `SUFFIXES`; a CSV file may have commas or semicolons.
        what: What messages call it.
        columns: The names that columns may have, in any case; the first is needed.
        sheet: Of a workbook; None: its first.

    Raises:
        ConfigError: Naming the file, the line and what is wrong there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{what} {path} must end in .yaml, {', '.join(SUFFIXES)}")
    rows = _cells(path, what, sheet)
    number, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    unknown = [name for name in names if name not in columns]
    if unknown or columns[0] not in names or len(set(names)) < len(names):
        raise ConfigError(
            f"{path}, line {number}: the columns must be {columns[0]} and some of"
            f" {', '.join(columns[1:])}, not {', '.join(header) or 'none'}"
        )
    for number, cells in rows:
        if any(cells[len(names) :]):
            raise ConfigError(f"{path}, line {number}: there are more cells than column names")
        padded = [*cells, *[""] * (len(names) - len(cells))]
        yield number, {name: cell.strip() for name, cell in zip(names, padded, strict=False)}


def _cells(path: Path, what: str, sheet: str | None) -> Iterator[tuple[int, Sequence[str]]]:
    if path.suffix.lower() == ".xlsx":
        for number, values in Sheet(path, sheet, what).rows():
            yield number, ["" if value is None else str(value) for value in values]
        return
    with open_text(path, "", what) as file:
        first = file.readline()
        file.seek(0)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;", key=first.count)
        for record in delimited_records(file, delimiter):
            if record.fault:
                raise ConfigError(f"{path}, line {record.row}: {record.fault}")
            yield record.row, record.fields
