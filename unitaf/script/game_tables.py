"""The CSV tables of game engines, known by their headers.

Unreal's dialogue script: the id is ``AudioFileName`` without ``.wav``, the text ``SpokenDialogue``.
Unity's localization table: a row is a line in every language whose cell is filled, such as
``English(en)``. Pixel Crushers' database: the id is ``entrytag``, the text ``DialogueText``, else
``MenuText``; the speaker is the actor's name; groups and empty entries are not lines.
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from unitaf.errors import ConfigError
from unitaf.script.delimited import delimited_records
from unitaf.script.language import LANGUAGE_PATTERN
from unitaf.script.lines import Reject, ScriptDefaults
from unitaf.script.records import Record, RecordSource
from unitaf.script.source import open_text

_UNREAL_ROLES = {"line_id": "AudioFileName", "text": "SpokenDialogue", "speaker": "SpeakingVoice"}
_UNITY_ROLES = {"line_id": "Key", "text": "text", "language": "language"}
_PIXEL_ROLES = {"line_id": "entrytag", "text": "DialogueText", "speaker": "Actor"}
_LANGUAGE_COLUMN = re.compile(r".*\((" + LANGUAGE_PATTERN.strip("^$") + r")\)")
_SECTIONS = (
    "Database", "Actors", "Items", "Locations", "Variables", "Conversations", "DialogueEntries",
    "OutgoingLinks",
)  # fmt: skip


def game_table(path: Path) -> str:
    """Return the format that the header of a CSV file shows, ``csv`` if it is no engine's."""
    header = next(_rows(path), (1, [""], ""))[1]
    if header[:1] and header[0] in _SECTIONS and not any(header[1:]):
        return "pixel_crushers"
    if set(_UNREAL_ROLES.values()) <= set(header):
        return "unreal"
    if "Key" in header and any(map(_LANGUAGE_COLUMN.fullmatch, header)):
        return "unity"
    return "csv"


def unreal_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a dialogue script that Unreal's localization dashboard exported.

    Raises:
        ConfigError: If a column is missing.
    """
    header = _header(path, _UNREAL_ROLES.values())
    at = header.index("AudioFileName")

    def records() -> Iterator[Record | Reject]:
        for record in _even(path, len(header)):
            if isinstance(record, Record):
                values = list(record.values)
                values[at] = re.sub(r"\.wav$", "", str(values[at]), flags=re.IGNORECASE)
                yield Record(record.row, values)
            else:
                yield record

    return RecordSource(header, _UNREAL_ROLES, records)


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

    names = [*(header[n] for n in others), "text", "language"]
    return RecordSource(names, _UNITY_ROLES, records)


def pixel_crushers_source(path: Path, _defaults: ScriptDefaults) -> RecordSource:
    """Open a database that the Dialogue System exported as CSV.

    Raises:
        ConfigError: If it has no dialogue entries.
    """
    actors: dict[str, str] = {}
    header: list[str] = []
    columns: list[str] = []
    for section, place, _row, fields in _sections(path):
        if place == 1:
            columns = fields
        if section == "Actors" and place > 2:
            actor = dict(zip(columns, fields, strict=False))
            actors[actor.get("ID", "")] = actor.get("Name", "")
        elif section == "DialogueEntries" and place == 1:
            header = fields
    if not set(_PIXEL_ROLES.values()) <= set(header):
        raise ConfigError(f"script {path} has no section DialogueEntries with {_PIXEL_ROLES}")
    return RecordSource(header, _PIXEL_ROLES, partial(_entries, path, header, actors))


def _entries(path: Path, header: list[str], actors: dict[str, str]) -> Iterator[Record | Reject]:
    for section, place, row, fields in _sections(path):
        if section != "DialogueEntries" or place <= 2:
            continue
        if len(fields) != len(header):
            reason = f"the entry has {len(fields)} fields, not the header's {len(header)}"
            yield Reject(row, "", "", reason)
            continue
        entry = dict(zip(header, ("" if f == "{{omit}}" else f for f in fields), strict=True))
        entry["DialogueText"] = entry["DialogueText"] or entry.get("MenuText", "")
        if entry.get("IsGroup") != "True" and entry["DialogueText"].strip():
            entry["Actor"] = actors.get(entry["Actor"], entry["Actor"])
            yield Record(row, list(entry.values()))


def _sections(path: Path) -> Iterator[tuple[str, int, int, list[str]]]:
    """Give section, place in it from 0 for its heading, row and fields of every record."""
    section, place = "", 0
    for row, fields, _ in _rows(path):
        place += 1
        if fields and fields[0] in _SECTIONS and not any(fields[1:]):
            section, place = fields[0], 0
        yield section, place, row, fields


def _header(path: Path, needed: Iterable[str]) -> list[str]:
    header = next(_rows(path), (1, [""], ""))[1]
    missing = [name for name in needed if name not in header]
    if missing:
        raise ConfigError(f"script {path}, line 1: there is no column {', '.join(missing)}")
    return header


def _even(path: Path, width: int) -> Iterator[Record | Reject]:
    rows = _rows(path)
    next(rows)
    for row, fields, fault in rows:
        if fault or len(fields) != width:
            reason = fault or f"the line has {len(fields)} fields, not the header's {width}"
            yield Reject(row, "", "", reason)
        else:
            yield Record(row, fields)


def _rows(path: Path) -> Iterator[tuple[int, list[str], str]]:
    with open_text(path, newline="") as file:
        yield from delimited_records(file, ",")
