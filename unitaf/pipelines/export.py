"""Takes become files in a folder: the formats of `unitaf.export`, named by a template."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pyarrow as pa

from unitaf.errors import ConfigError, StorageError
from unitaf.export import FORMATS
from unitaf.pipelines.store import TakeStore

DEFAULT_TEMPLATE = "{language}/{speaker}/{line_id}"

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    lines: int
    files: int
    size_bytes: int


def export(
    store: TakeStore,
    directory: str | Path,
    formats: Sequence[str],
    template: str = DEFAULT_TEMPLATE,
) -> ExportReport:
    """Write every take of a store's catalog as files.

    Args:
        store: Where the takes are.
        directory: The folder that files go to; older files of the same names are replaced.
        formats: Names in `unitaf.export.FORMATS`.
        template: A file name without suffix; catalog columns stand in braces.

    Raises:
        ConfigError: If a format or column is unknown, or two lines would have the same file name.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ConfigError(
            f"unknown format {', '.join(unknown) or 'list ()'}; choose from {', '.join(FORMATS)}"
        )
    catalog = store.catalog()
    names = file_names(catalog, template)
    files = size_bytes = 0
    numbered = catalog.append_column("file_name", pa.array(names))
    for row, take in store.takes(numbered):
        for format_name in formats:
            for name, data in FORMATS[format_name](take, row["file_name"]).items():
                write_file(Path(directory) / name, data)
                files += 1
                size_bytes += len(data)
    return ExportReport(len(catalog), files, size_bytes)


def file_names(catalog: pa.Table, template: str) -> list[str]:
    """Return the file name, without suffix, of every line of a catalog.

    Characters that some file system refuses become ``_``; a folder whose name would be empty is
    left out.

    Raises:
        ConfigError: If a column is unknown, or two lines would have the same file name.
    """
    try:
        fields = sorted(
            {field for _, field, _, _ in Formatter().parse(template) if field is not None}
        )
    except ValueError as error:
        raise ConfigError(f"file name template {template!r}: {error}") from error
    unknown = [field for field in fields if field not in catalog.column_names]
    if unknown or not fields:
        raise ConfigError(
            f"file name template {template!r}: there is no column {', '.join(unknown) or '()'};"
            f" the catalog has {', '.join(catalog.column_names)}"
        )
    names: list[str] = []
    for row in catalog.select([*fields]).to_pylist():
        parts = template.format_map({key: _safe(value) for key, value in row.items()}).split("/")
        names.append("/".join(part for part in parts if part) or "_")
    taken: dict[str, int] = {}
    for index, name in enumerate(names):
        other = taken.setdefault(name.casefold(), index)
        if other != index:
            first, second = (catalog["line_id"][i].as_py() for i in (other, index))
            raise ConfigError(
                f"lines {first!r} and {second!r} would both be called {name!r}; add a column that"
                " tells them apart to --name"
            )
    return names


def _safe(value: Any) -> str:
    text = "" if value is None else _UNSAFE.sub("_", str(value)).strip(" .")
    return f"{text}_" if _RESERVED.match(text) else text


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole: readers see the old one or the new one.

    Raises:
        StorageError: If the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
