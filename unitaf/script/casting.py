"""Casting files: YAML, CSV, TSV or XLSX to a `CastConfig`, with lines for messages.

YAML is the cast as `config.casting` has it::

    default: {voice: auto, languages: {de: {engine: espeak}}}
    speakers:
      Okafor: {voice: am_adam, style: restrained}

A table has a row for each speaker, or speaker and language: columns speaker, language, engine,
voice, speed, pitch and style, of which all but the first may be missing; the speaker ``*`` is the
default.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from unitaf.config import CastConfig, RoleConfig, first_problem
from unitaf.errors import ConfigError
from unitaf.script.language import canonical_language
from unitaf.script.tables import NULL, YAML_SUFFIXES, compose_yaml, read_table, written

EVERYBODY = "*"
"""The speaker that a table calls the default."""

_WHAT = "casting file"
_COLUMNS = ("speaker", "language", *RoleConfig.model_fields)
_NUMBERS = ("speed", "pitch")

_WORDS = [("engine",), ("voice",), ("style",)]

Place = tuple[str | int, ...]
"""Where a word stands among the settings: ("speakers", "Ann", "voice")."""


@dataclass(frozen=True, slots=True)
class Casting:
    """A cast and where it is written."""

    cast: CastConfig
    file: str = "cast"
    lines: Mapping[Place, int] = field(default_factory=dict)

    def where(self, place: Place) -> str:
        """Return the file, and the line of a word or of what it stands in."""
        return _where(self.file, self.lines, place)


def read_casting(path: Path, sheet: str | None = None) -> Casting:
    """Read a casting file.

    Args:
        path: By its suffix: ``.yaml``, ``.yml``, ``.csv``, ``.tsv`` or ``.xlsx``.
        sheet: Of a workbook; None: its first.

    Raises:
        ConfigError: Naming the file, the line and what is wrong there.
    """
    if not path.is_file():
        raise ConfigError(f"there is no casting file {path}")
    is_yaml = path.suffix.lower() in YAML_SUFFIXES
    values, lines = _read_yaml(path) if is_yaml else _read_table(path, sheet)
    try:
        cast = CastConfig.model_validate(values)
    except ValidationError as error:
        place = tuple(error.errors(include_url=False)[0]["loc"])
        raise ConfigError(f"{_where(str(path), lines, place)}: {first_problem(error)}") from error
    return Casting(cast, str(path), lines)


def _where(file: str, lines: Mapping[Place, int], place: Place) -> str:
    for end in range(len(place), 0, -1):
        if place[:end] in lines:
            return f"{file}, line {lines[place[:end]]}"
    return file


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    node = compose_yaml(path, _WHAT)
    if node is None:
        return {}, {}
    lines: dict[Place, int] = {}
    values = _Reader(str(path), lines).value(node, ())
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a cast such as 'speakers: {{Ann: {{voice: heart}}}}'")
    return values, lines


class _Reader:
    """Turns YAML nodes into values: names as they are written, each once."""

    def __init__(self, file: str, lines: dict[Place, int]) -> None:
        self._file = file
        self._lines = lines
        self._loader = yaml.SafeLoader("")

    def value(self, node: yaml.Node, place: Place) -> Any:
        """Return what a node holds, and note the lines of what is in it."""
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if place[-1:] in _WORDS and node.tag != NULL:
            return node.value  # As it is written: a voice "no" is not false.
        return self._loader.construct_object(node, deep=True)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            text = written(key, "a name", f"{self._file}, line {line}")
            name = self._name(text, place, line)
            if name in values:
                raise ConfigError(f"{self._file}, line {line}: {name!r} is there twice")
            self._lines[(*place, name)] = line
            values[name] = self.value(value, (*place, name))
        return values

    def _name(self, text: str, place: Place, line: int) -> str:
        if place[-1:] == ("languages",):
            return _tag(text, self._file, line)
        return _speaker(text) if place == ("speakers",) else text


def _read_table(path: Path, sheet: str | None) -> tuple[dict[str, Any], dict[Place, int]]:
    cast: dict[str, Any] = {}
    lines: dict[Place, int] = {}
    rows_of: dict[tuple[str, str], int] = {}
    for number, row in read_table(path, _WHAT, _COLUMNS, sheet):
        who = _speaker(row.pop("speaker")), _tag(row.pop("language", ""), str(path), number)
        if not who[0]:
            raise ConfigError(f"{path}, line {number}: there is no speaker; * is the default")
        if rows_of.setdefault(who, number) != number:
            raise ConfigError(
                f"{path}, line {number}: {' in '.join(filter(None, who))} is in line"
                f" {rows_of[who]} already"
            )
        _add_row(cast, lines, who, row, number)
    return cast, lines


def _add_row(
    cast: dict[str, Any],
    lines: dict[Place, int],
    who: tuple[str, str],
    row: Mapping[str, str],
    number: int,
) -> None:
    speaker, language = who
    place: Place = ("default",) if speaker == EVERYBODY else ("speakers", speaker)
    if language:
        place = (*place, "languages", language)
    group = cast
    for end, name in enumerate(place, start=1):
        group = group.setdefault(str(name), {})
        lines.setdefault(place[:end], number)
    for name, text in row.items():
        if text:
            group[name] = _number(text) if name in _NUMBERS else text
            lines[(*place, name)] = number


def _number(text: str) -> str | float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _speaker(text: str) -> str:
    """Return a speaker as `script.lines` reads it."""
    return unicodedata.normalize("NFC", text.strip())


def _tag(text: str, file: str, line: int) -> str:
    """Return a language tag in its usual case; empty if there is none."""
    try:
        return canonical_language(text) if text else ""
    except ValueError as error:
        raise ConfigError(f"{file}, line {line}: {error}") from error
