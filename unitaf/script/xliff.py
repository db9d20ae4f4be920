"""XLIFF 1.2 and 2.x, streamed.

The line's id is ``resname`` or ``id`` of a 1.2 ``trans-unit``, ``id`` of a 2.x ``unit``. Its text
is the target, or the source in a file without a target language. Units that are not wholly
translated are left out, and unapproved ones if the job says so. Approved is, in 1.2,
``approved="yes"`` or the state ``final`` or ``signed-off``; in 2.x the state ``reviewed`` or
``final`` of every segment. Speaker, direction and length limit are read from notes as `notes` says,
and the limit from ``maxwidth``, which is in pixels unless ``size-unit`` has another, or from
``sizeRestriction``, which is in characters. Placeholders (``ph``, ``x``) stand as the code that
they hide, else by id.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from lxml import etree

from unitaf.errors import ConfigError
from unitaf.script.language import canonical_language
from unitaf.script.lines import ScriptDefaults
from unitaf.script.notes import NOTE_COLUMNS, read_notes
from unitaf.script.records import LeftOut, Record, RecordSource

_NAMES = ("line_id", "text", "language", *NOTE_COLUMNS, "state", "source_text")
_APPROVED = frozenset({"final", "signed-off", "reviewed"})
_UNITS = ("trans-unit", "unit")


class _Languages(NamedTuple):
    source: str
    target: str


def xliff_source(path: Path, defaults: ScriptDefaults) -> RecordSource:
    """Open an XLIFF file.

    Raises:
        ConfigError: If it is broken XML, has a DOCTYPE or an unknown language tag, or no XLIFF.
    """
    for _ in _records(path, leaves_out=False):
        pass
    return RecordSource(_NAMES, {}, partial(_records, path, defaults.leaves_out_unapproved))


def _records(path: Path, leaves_out: bool) -> Iterator[Record | LeftOut]:
    try:
        with open(path, "rb") as file:
            yield from _units(path, file, leaves_out)
    except etree.XMLSyntaxError as error:
        line, reason = error.lineno or 1, error.msg
        if error.msg == "no element found" and len(error.error_log):
            # All that lxml says itself of an unknown entity.
            line, reason = error.error_log[-1].line, error.error_log[-1].message
        raise ConfigError(
            f"script {path}, line {line}: broken XML: {reason}; export the file anew"
        ) from error


def _units(path: Path, file: IO[bytes], leaves_out: bool) -> Iterator[Record | LeftOut]:
    languages = _Languages("", "")
    for event, element in etree.iterparse(
        file, events=("start", "end"), resolve_entities=False, remove_comments=True, remove_pis=True
    ):
        name = _local(element)
        if event == "start":
            if element.getparent() is None:
                _check_root(path, element)
            if name in ("xliff", "file"):
                languages = _languages(path, element, languages)
        elif name in _UNITS:
            yield _record(element, languages, leaves_out)
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]


def _check_root(path: Path, root: etree._Element) -> None:
    if root.getroottree().docinfo.doctype:
        raise ConfigError(f"script {path}, line 1: a DOCTYPE is not allowed in XLIFF; remove it")
    if _local(root) != "xliff":
        raise ConfigError(
            f"script {path}, line {root.sourceline}: the file is {_local(root)}, not xliff"
        )


def _languages(path: Path, element: etree._Element, outer: _Languages) -> _Languages:
    found = []
    for names, default in (
        (("source-language", "srcLang"), outer.source),
        (("target-language", "trgLang"), outer.target),
    ):
        tag = next((str(element.get(name)) for name in names if element.get(name)), default)
        try:
            found.append(canonical_language(tag) if tag else "")
        except ValueError as error:
            line = element.sourceline
            raise ConfigError(f"script {path}, line {line}: the {names[0]} {error}") from error
    return _Languages(*found)


def _record(unit: etree._Element, languages: _Languages, leaves_out: bool) -> Record | LeftOut:
    codes = {str(data.get("id")): _text(data, {}) for data in unit.iterfind(".//{*}data")}
    owners = [child for child in unit if _local(child) in ("segment", "ignorable")] or [unit]
    source = "".join(_child_text(owner, "source", codes) for owner in owners)
    target = _target(owners, codes)
    states = [_state(owner) for owner in owners if _local(owner) != "ignorable"]
    is_approved = unit.get("approved") == "yes" or set(states) <= _APPROVED
    text = target if languages.target else source
    if not text.strip() or (leaves_out and languages.target and not is_approved):
        return LeftOut(unit.sourceline or 1)
    notes = read_notes(
        (str(note.get("category") or note.get("from") or ""), _text(note, {}))
        for note in unit.iterfind(".//{*}note")
    )
    limit = _limit(unit)
    if limit:
        notes["max_length"] = limit
    return Record(
        unit.sourceline or 1,
        (
            unit.get("resname") or unit.get("id"), text, languages.target or languages.source,
            *(notes.get(name) for name in NOTE_COLUMNS),
            ", ".join(dict.fromkeys(filter(None, states))) or None, source,
        ),
    )  # fmt: skip


def _limit(unit: etree._Element) -> str:
    """Return how long a text may be, with the unit if it is not characters; empty: no limit."""
    width, size_unit = unit.get("maxwidth"), unit.get("size-unit", "pixel")
    if width:
        return str(width) if size_unit == "char" else f"{width} {size_unit}"
    least_and_most = unit.get("{urn:oasis:names:tc:xliff:sizerestriction:2.0}sizeRestriction")
    return str(least_and_most or "").rpartition(",")[2].strip()


def _state(owner: etree._Element) -> str:
    target = owner.find("{*}target")
    return str(owner.get("state") or (target.get("state") if target is not None else "") or "")


def _target(owners: list[etree._Element], codes: dict[str, str]) -> str:
    """Return the translation if it is whole; what is between segments may have none of its own."""
    is_whole = False
    parts = []
    for owner in owners:
        part = _child_text(owner, "target", codes)
        if _local(owner) == "ignorable":
            part = part or _child_text(owner, "source", codes)
        else:
            is_whole = part.strip() != ""
            if not is_whole:
                break
        parts.append(part)
    return "".join(parts) if is_whole else ""


def _child_text(owner: etree._Element, name: str, codes: dict[str, str]) -> str:
    child = owner.find("{*}" + name)
    return "" if child is None else _text(child, codes)


def _text(element: etree._Element, codes: dict[str, str]) -> str:
    parts = [element.text or ""]
    for child in element:
        inner = _text(child, codes)
        if not inner and _local(child) in ("ph", "x"):
            code = codes.get(str(child.get("dataRef")))
            shown = code or child.get("equiv-text") or child.get("equiv") or child.get("disp")
            inner = str(shown or "{" + str(child.get("id")) + "}")
        parts += [inner, child.tail or ""]
    return "".join(parts)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
