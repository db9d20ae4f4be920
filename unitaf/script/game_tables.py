r"""The CSV tables of game engines, known by their headers.

- ``unreal``: a dialogue script that Unreal exports. The id is ``AudioFileName`` without ``.wav``,
  the text ``SpokenDialogue``.
- ``unreal_strings``: an Unreal string table. The id is ``Key``, the text ``SourceString``, in which
  line breaks and tabs are written ``\n`` and ``\t``.
- ``unity``: a table of Unity's localization package. A row is a line in every language whose cell
  is filled, in columns such as ``English(en)``.
- ``pixel_crushers``: a database of the Dialogue System. The id is ``entrytag``, the speaker the
  actor's name, the text ``DialogueText``, else ``MenuText``; an entry is a line in every language
  whose column of type ``Localization`` is filled, too. Groups and empty entries are not lines.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unitaf.errors import ConfigError
from unitaf.script.delimited import DelimitedRecord, delimited_records
from unitaf.script.language import LANGUAGE_PATTERN
from unitaf.script.lines import Reject, ScriptDefaults
from unitaf.script.records import Record, RecordSource
from unitaf.script.source import open_text

_UNREAL_ROLES = {"line_id": "AudioFileName", "text": "SpokenDialogue", "speaker": "SpeakingVoice"}
_STRINGS_ROLES = {"line_id": "Key", "text": "SourceString"}
_UNITY_ROLES = {"line_id": "Key", "text": "text", "language": "language"}
_PIXEL_ROLES = {"line_id": "entrytag", "text": "DialogueText", "speaker": "Actor"}
_LANGUAGE = re.compile(LANGUAGE_PATTERN)
_LANGUAGE_COLUMN = re.compile(r".*\((" + LANGUAGE_PATTERN.strip("^$") + r")\)")
_ESCAPE = re.compile(r"\\([nrt\\])")
_SECTIONS = (
    "Database", "Actors", "Items", "Locations", "Variables", "Conversations", "DialogueEntries",
    "OutgoingLinks",
)  # fmt: skip


def game_table(path: Path) -> str:
    """Return the format that the header of a CSV file shows, ``csv`` if it is no engine's."""
    header = _header(path, ())
    if header and header[0] in _SECTIONS and all(_is_unnamed(name) for name in header[1:]):
        return "pixel_crushers"
    if set(_UNREAL_ROLES.values()) <= set(header):
        return "unreal"
    if set(_STRINGS_ROLES.values()) <= set(header):
        return "unreal_strings"
    if "Key" in header and any(map(_LANGUAGE_COLUMN.fullmatch, header)):
        return "unity"
    return "csv"


def unreal_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a dialogue script that Unreal exported.

    Raises:
        ConfigError: If a column is missing.
    """
    header = _header(path, _UNREAL_ROLES.values())
    return _changed(
        path, header, _UNREAL_ROLES, "AudioFileName", lambda name: re.sub(r"(?i)\.wav$", "", name)
    )


def unreal_strings_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a string table of Unreal.

    Raises:
        ConfigError: If a column is missing.
    """
    header = _header(path, _STRINGS_ROLES.values())
    return _changed(
        path, header, _STRINGS_ROLES, "SourceString", lambda text: _ESCAPE.sub(_unescaped, text)
    )


def unity_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a string table of Unity's localization package.

    Raises:
        ConfigError: If there is no key or no language.
    """
    header = _header(path, ["Key"])
    tags = {n: m[1] for n, name in enumerate(header) if (m := _LANGUAGE_COLUMN.fullmatch(name))}
    if not tags:
        raise ConfigError(f"script {path}, line 1: no column has a language, as English(en)")
    others = [n for n in range(len(header)) if n not in tags]

    def records() -> Iterator[Record | Reject]:
        for record in _even(path, len(header)):
            if isinstance(record, Reject):
                yield record
                continue
            kept = [record.values[n] for n in others]
            for n, tag in tags.items():
                if str(record.values[n]).strip():
                    yield Record(record.row, [*kept, record.values[n], tag])

    return RecordSource([*(header[n] for n in others), "text", "language"], _UNITY_ROLES, records)


def pixel_crushers_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a database that the Dialogue System exported as CSV.

    Raises:
        ConfigError: If it has no dialogue entries.
    """
    database = _read_database(path)
    if not set(_PIXEL_ROLES.values()) <= set(database.header):
        raise ConfigError(
            f"script {path} has no section DialogueEntries with the columns "
            f"{', '.join(_PIXEL_ROLES.values())}"
        )
    kept = [name for name in database.header if name not in database.languages]
    roles = {**_PIXEL_ROLES, "language": "language"}
    return RecordSource([*kept, "language"], roles, lambda: _entries(path, kept, database))


@dataclass(slots=True)
class _Database:
    """What the sections of a Dialogue System database say of each other."""

    actors: dict[str, str] = field(default_factory=dict)
    header: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    """The columns of entries that are their texts in other languages."""


def _read_database(path: Path) -> _Database:
    found = _Database()
    columns: list[str] = []
    for section, place, record in _sections(path):
        if place == 1:
            columns = _names(record.fields)
            if section == "DialogueEntries":
                found.header = columns
        elif section == "DialogueEntries" and place == 2:
            types = zip(columns, record.fields, strict=False)
            found.languages = [
                n for n, t in types if t == "Localization" and _LANGUAGE.fullmatch(n)
            ]
        elif section == "Actors" and place > 2:
            actor = dict(zip(columns, record.fields, strict=False))
            found.actors[actor.get("ID", "")] = actor.get("Name", "")
    return found


def _entries(path: Path, kept: list[str], database: _Database) -> Iterator[Record | Reject]:
    header = database.header
    for section, place, record in _sections(path):
        if section != "DialogueEntries" or place <= 2:
            continue
        if len(record.fields) != len(header):
            yield _uneven(record, len(header))
            continue
        values = ("" if value == "{{omit}}" else value for value in record.fields)
        entry = dict(zip(header, values, strict=True))
        if entry.get("IsGroup", "").lower() == "true":
            continue
        entry["Actor"] = database.actors.get(entry["Actor"], entry["Actor"])
        texts = {"": entry["DialogueText"] or entry.get("MenuText", "")}
        texts |= {language: entry[language] for language in database.languages}
        for language, text in texts.items():
            if text.strip():
                entry["DialogueText"] = text
                yield Record(record.row, [*(entry[name] for name in kept), language])


def _sections(path: Path) -> Iterator[tuple[str, int, DelimitedRecord]]:
    """Give section, place in it from 0 for its heading, and every record."""
    section, place = "", 0
    for record in _rows(path):
        place += 1
        if record.fields and record.fields[0] in _SECTIONS and not any(record.fields[1:]):
            section, place = record.fields[0], 0
        yield section, place, record


def _changed(
    path: Path,
    header: list[str],
    roles: Mapping[str, str],
    column: str,
    change: Callable[[str], str],
) -> RecordSource:
    """Return a table with one column changed."""
    place = header.index(column)

    def records() -> Iterator[Record | Reject]:
        for record in _even(path, len(header)):
            if isinstance(record, Record):
                values = list(record.values)
                values[place] = change(str(values[place]))
                yield Record(record.row, values)
            else:
                yield record

    return RecordSource(header, roles, records)


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}[match[1]]


def _header(path: Path, needed: Iterable[str]) -> list[str]:
    record = next(_rows(path), DelimitedRecord(1, []))
    header = _names(record.fields)
    missing = [name for name in needed if name not in header]
    if missing:
        raise ConfigError(
            f"script {path}, line {record.row}: there is no column {', '.join(missing)}"
        )
    return header


def _names(fields: Sequence[str]) -> list[str]:
    return [name.strip() or f"column_{number}" for number, name in enumerate(fields, start=1)]


def _is_unnamed(name: str) -> bool:
    return name.startswith("column_")


def _even(path: Path, width: int) -> Iterator[Record | Reject]:
    records = _rows(path)
    next(records)
    for record in records:
        is_even = len(record.fields) == width
        yield Record(record.row, record.fields) if is_even else _uneven(record, width)


def _uneven(record: DelimitedRecord, width: int) -> Reject:
    reason = f"the line has {len(record.fields)} fields, not the header's {width}"
    return Reject(record.row, "", "", record.fault or reason)


def _rows(path: Path) -> Iterator[DelimitedRecord]:
    """Read a file with commas, or the semicolons that spreadsheets put there in some countries."""
    widths = {}
    for delimiter in ",;":
        with open_text(path, newline="") as file:
            header = next(delimited_records(file, delimiter), DelimitedRecord(1, []))
            widths[delimiter] = len(header.fields)
    with open_text(path, newline="") as file:
        yield from delimited_records(file, max(widths, key=lambda delimiter: widths[delimiter]))
