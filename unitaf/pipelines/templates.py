"""What the lines of a catalog are called: templates with columns in braces, made safe.

Characters that some file system refuses become ``_``; a part that would be empty is left out.
Fields are formatted as `str.format` does, then made safe: no value adds a folder.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unitaf.errors import ConfigError

DEFAULT_NAME = "{language}/{speaker}/{line_id}"
DEFAULT_OBJECT_PATH = r"\Actor-Mixer Hierarchy\Default Work Unit\{speaker}\{line_id}"

_BATCH = 4096
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


def file_names(catalog: pa.Table, template: str) -> pa.ChunkedArray:
    """Return the file name, without suffix, of every line of a catalog.

    Raises:
        ConfigError: If a column is unknown or cannot be written so, or two lines would have the
            same file name.
    """
    names = _fill(catalog, template, "file name", "/")
    if (twins := _twins(names)) is not None:
        first, second = (catalog["line_id"][i].as_py() for i in twins)
        raise ConfigError(
            f"lines {first!r} and {second!r} would both be called {names[twins[0]].as_py()!r}; add"
            " a column that tells them apart to --name"
        )
    return names


def object_paths(catalog: pa.Table, template: str) -> pa.ChunkedArray:
    r"""Return the path of every line's object in a middleware project, such as ``\Voices\a``.

    A line has the same object in every language.

    Raises:
        ConfigError: If a column is unknown or cannot be written so, the path does not begin with a
            backslash, or two lines of one language would have the same object.
    """
    if not template.startswith("\\"):
        raise ConfigError(f"object path template {template!r}: a path begins with a backslash")
    paths = pc.binary_join_element_wise("", _fill(catalog, template, "object path", "\\"), "\\")
    if (twins := _twins(pc.binary_join_element_wise(catalog["language"], paths, ""))) is not None:
        first, second = (catalog["line_id"][i].as_py() for i in twins)
        raise ConfigError(
            f"lines {first!r} and {second!r} would both be the object {paths[twins[0]].as_py()!r};"
            " add a column that tells them apart to --object-path"
        )
    return paths


def _fill(catalog: pa.Table, template: str, what: str, separator: str) -> pa.ChunkedArray:
    fields = _fields(template, what)
    unknown = [field for field in fields if field not in catalog.column_names]
    if unknown or not fields:
        raise ConfigError(
            f"{what} template {template!r}: there is no column {', '.join(unknown) or '()'};"
            f" the catalog has {', '.join(catalog.column_names)}"
        )
    chunks = []
    try:
        for batch in catalog.select(sorted(fields)).to_batches(max_chunksize=_BATCH):
            names = [_filled(template, row, separator) for row in batch.to_pylist()]
            chunks.append(pa.array(names, pa.string()))
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{what} template {template!r}: {error}") from error
    return pa.chunked_array(chunks, pa.string())


def _twins(names: pa.ChunkedArray) -> tuple[int, int] | None:
    """Return the positions of the first two that are alike to every file system."""
    hashes = np.fromiter((hash(name.casefold()) for name in _each(names)), np.int64, len(names))
    alike, counts = np.unique(hashes, return_counts=True)
    suspects = set(alike[counts > 1].tolist())
    taken: dict[str, int] = {}
    for index in np.flatnonzero(np.isin(hashes, list(suspects))).tolist():
        other = taken.setdefault(names[index].as_py().casefold(), index)
        if other != index:
            return other, index
    return None


def _each(names: pa.ChunkedArray) -> Iterator[str]:
    for chunk in names.chunks:
        for start in range(0, len(chunk), _BATCH):
            yield from chunk.slice(start, _BATCH).to_pylist()


class _SafeFormatter(Formatter):
    """Formats the values, then makes each of them a part of a file name."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """Take a column's name as it is: dots and brackets are part of it."""
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format a value, and make it safe."""
        return safe_name("" if value is None else super().format_field(value, format_spec))


def _fields(template: str, what: str) -> set[str]:
    """Return the columns that a template names."""
    fields = set()
    try:
        for _, field, spec, _ in Formatter().parse(template):
            if field is not None:
                fields.add(field)
                if "{" in (spec or ""):
                    raise ValueError(f"the format {spec!r} has a column in it")
    except ValueError as error:
        raise ConfigError(f"{what} template {template!r}: {error}") from error
    return fields


def _filled(template: str, row: Mapping[str, Any], separator: str) -> str:
    parts: Sequence[str] = _SafeFormatter().vformat(template, (), row).split(separator)
    if ".." in parts:
        raise ValueError("a folder would be called '..'")
    return separator.join(part for part in parts if part) or "_"


def safe_name(text: str) -> str:
    """Return a text as a part of a file name that every file system takes."""
    text = _UNSAFE.sub("_", text).strip(" .")
    return f"{text}_" if _RESERVED.match(text) else text
