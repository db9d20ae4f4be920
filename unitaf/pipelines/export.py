"""Takes become files in a folder: the formats of `unitaf.export`, named by a template."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pyarrow as pa

from unitaf.errors import ConfigError, StorageError
from unitaf.export import FORMATS, Encoder
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
        ConfigError: If a format or column is unknown, the folder is a file, or two lines would have
            the same file name.
    """
    encoders = encoders_of(formats)
    directory = checked_directory(directory)
    catalog = store.catalog()
    names = file_names(catalog, template)
    files = size_bytes = 0
    numbered = catalog.append_column("file_name", pa.array(names))
    for row, take in store.takes(numbered):
        for encode in encoders.values():
            for name, data in encode(take, row["file_name"]).items():
                write_file(directory / name, data)
                files += 1
                size_bytes += len(data)
    return ExportReport(len(catalog), files, size_bytes)


def encoders_of(formats: Sequence[str]) -> dict[str, Encoder]:
    """Return what writes some formats, each once, by name.

    Raises:
        ConfigError: If a format is unknown, or there is none.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        problem = f"unknown format {', '.join(unknown)}" if unknown else "no format is named"
        raise ConfigError(f"{problem}; choose from {', '.join(FORMATS)}")
    return {name: FORMATS[name] for name in formats}


def checked_directory(directory: str | Path) -> Path:
    """Return the folder that files go to, which need not exist yet.

    Raises:
        ConfigError: If it is a file.
    """
    if os.path.isfile(directory):
        raise ConfigError(f"{directory} is a file: name the folder that the files go to")
    return Path(directory)


def file_names(catalog: pa.Table, template: str) -> list[str]:
    """Return the file name, without suffix, of every line of a catalog.

    Characters that some file system refuses become ``_``; a folder whose name would be empty is
    left out. Fields are formatted as `str.format` does, then made safe: no value adds a folder.

    Raises:
        ConfigError: If a column is unknown or cannot be written so, or two lines would have the
            same file name.
    """
    fields = _fields(template)
    unknown = [field for field in fields if field not in catalog.column_names]
    if unknown or not fields:
        raise ConfigError(
            f"file name template {template!r}: there is no column {', '.join(unknown) or '()'};"
            f" the catalog has {', '.join(catalog.column_names)}"
        )
    try:
        names = [_file_name(template, row) for row in catalog.select(sorted(fields)).to_pylist()]
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"file name template {template!r}: {error}") from error
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


class _SafeFormatter(Formatter):
    """Formats the values, then makes each of them a part of a file name."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """Take a column's name as it is: dots and brackets are part of it."""
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format a value, and make it safe."""
        return _safe("" if value is None else super().format_field(value, format_spec))


def _fields(template: str) -> set[str]:
    """Return the columns that a template names."""
    fields = set()
    try:
        for _, field, spec, _ in Formatter().parse(template):
            if field is not None:
                fields.add(field)
                if "{" in (spec or ""):
                    raise ValueError(f"the format {spec!r} has a column in it")
    except ValueError as error:
        raise ConfigError(f"file name template {template!r}: {error}") from error
    return fields


def _file_name(template: str, row: Mapping[str, Any]) -> str:
    parts = _SafeFormatter().vformat(template, (), row).split("/")
    if ".." in parts:
        raise ValueError("a folder would be called '..'")
    return "/".join(part for part in parts if part) or "_"


def _safe(text: str) -> str:
    text = _UNSAFE.sub("_", text).strip(" .")
    return f"{text}_" if _RESERVED.match(text) else text


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole: readers see the old one or the new one.

    Raises:
        StorageError: If it is a folder, or its folder cannot be written.
    """
    try:
        if path.is_dir():
            raise StorageError(f"cannot write {path}: it is a folder, not a file")
        part = path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
