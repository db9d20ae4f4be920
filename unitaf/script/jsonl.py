"""JSON Lines: one object a line.

A first pass over the file finds the keys and the type in which each can be carried: text, bool,
int64 or float64 if all its values agree, else the JSON text of every value. A key that a line lacks
is null there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from unitaf.errors import ConfigError
from unitaf.script.columns import Columns
from unitaf.script.lines import Reject
from unitaf.script.source import Chunk, extra_schema, open_text

_EXAMPLE = '{"line_id": "intro_01", "text": "Hello."}'
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)


class _Wide(int):
    """Stands for whole numbers that fit int64 but that float64 would round."""


_ARROW_TYPES: dict[frozenset[type], pa.DataType] = {
    frozenset(): pa.string(),
    frozenset({str}): pa.string(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({_Wide}): pa.int64(),
    frozenset({int, _Wide}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
}
"""The kinds of a key's values to its type; other mixtures are carried as JSON text."""


class JsonLinesSource:
    """A JSON Lines file.

    Args:
        path: The file.

    Raises:
        ConfigError: If no line holds an object, or the file is not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kinds: dict[str, set[type]] = {}
        with open_text(path, newline="\n") as file:
            for _, value in _values(file):
                if isinstance(value, dict):
                    for key, item in value.items():
                        kinds.setdefault(key, set()).add(_kind(item))
        if not kinds:
            raise ConfigError(f"script {path} has no line with a JSON object such as {_EXAMPLE}")
        self._types = {
            key: _ARROW_TYPES.get(frozenset(found - {type(None)})) for key, found in kinds.items()
        }

    @property
    def schema(self) -> pa.Schema:
        """Every key, in the order of first use."""
        return pa.schema([(key, found or pa.string()) for key, found in self._types.items()])

    @property
    def roles(self) -> Mapping[str, str]:
        """Nothing: columns are known by their names."""
        return {}

    def chunks(self, columns: Columns, size: int) -> Iterator[Chunk]:
        """Read the file from its start, at most `size` records at a time."""
        with open_text(self._path, newline="\n") as file:
            values = _values(file)
            while group := list(islice(values, size)):
                good = [(row, value) for row, value in group if isinstance(value, dict)]
                objects = [value for _, value in good]
                yield Chunk(
                    rows=[row for row, _ in good],
                    roles={
                        role: [value.get(key) for value in objects]
                        for role, key in columns.roles.items()
                    },
                    extras=pa.RecordBatch.from_arrays(
                        [self._extra(key, objects) for key in columns.extras],
                        schema=extra_schema(self.schema, columns),
                    ),
                    rejects=[
                        Reject(row, "", "", value) for row, value in group if isinstance(value, str)
                    ],
                )

    def _extra(self, key: str, objects: list[dict[str, object]]) -> pa.Array:
        values = [value.get(key) for value in objects]
        if self._types[key] is None:
            texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
            return pa.array(texts, pa.string())
        return pa.array(values, self._types[key])


def _values(file: TextIO) -> Iterator[tuple[int, dict[str, object] | str]]:
    """Read every line that is not blank: its number, and its object or what is wrong with it."""
    for row, line in enumerate(file, start=1):
        if not line.isspace():
            yield row, _parse(line)


def _parse(line: str) -> dict[str, object] | str:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg} at character {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return f"broken JSON: {error}"
    if not isinstance(value, dict):
        return f"the line is not a JSON object such as {_EXAMPLE}"
    if _SURROGATE.search(line) and not _is_unicode(value):
        return "the line has half of a surrogate pair, which is not a character"
    return value


def _is_unicode(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> type:
    if type(value) is int and not -(2**53) <= value <= 2**53:
        return _Wide if -(2**63) <= value < 2**63 else object
    return type(value)
