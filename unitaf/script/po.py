"""PO and POT: GNU gettext's message files.

The line's id is ``msgctxt``, or ``msgid`` where there is none; its text is ``msgstr``, in a
template (``.pot``) ``msgid``. The language is the header's. Speaker, direction and length limit are
read from the extracted comments (``#.``) and the translator's (``#``) as `notes` says. Obsolete
entries are no part of the script. Those that are not translated are left out, and fuzzy ones if the
job says so. The whole file is held in memory, about 6 kB an entry.
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

import polib

from unitaf.errors import ConfigError
from unitaf.script.language import canonical_language
from unitaf.script.lines import Reject, ScriptDefaults
from unitaf.script.notes import NOTE_COLUMNS, read_notes
from unitaf.script.records import Entry, LeftOut, Record, RecordSource

_NAMES = ("line_id", "text", "language", *NOTE_COLUMNS, "state", "source_text", "reference")
_CHARSET = re.compile(rb"charset=([^\s\"\\]+)")
_LANGUAGE = re.compile(r"^\"Language:\s*([^\\\"]*)", re.MULTILINE)
_UNFILLED = "CHARSET"
_STRING = re.compile(r'[^"#]*"(?:[^"\\]|\\.)*"')
"""A row with a string: a word before it or none."""
_ENTRY = re.compile(r"^msg(?:ctxt|id)\b", re.MULTILINE)
_HEADER = re.compile(r'^msgid[ \t]+""\n+msgstr[ \t]+((?:"(?:[^"\\\n]|\\.)*"\s*)+)', re.MULTILINE)
_FIELD = re.compile(r"[A-Za-z][\w-]*:|$")


def po_source(path: Path, defaults: ScriptDefaults) -> RecordSource:
    """Open a PO or POT file.

    Raises:
        ConfigError: If it is not gettext's syntax, or the header's charset or language is unknown.
    """
    data = path.read_bytes()
    text = _decode(path, data, _encoding(path, data))
    _check_strings(path, text)
    _check_header(path, text)
    language = _language(path, text)
    try:
        entries = polib.pofile(text)
    except OSError as error:
        place = re.search(r"\(line (\d+)\)", str(error))
        where = f"line {place[1]}" if place else "its syntax"
        raise ConfigError(
            f"script {path} is not a PO file that can be read: see {where}"
        ) from error
    is_template = path.suffix.lower() == ".pot"
    records = list(_records(entries, language, is_template, defaults.leaves_out_unapproved))
    return RecordSource(_NAMES, {}, lambda: iter(records))


def _records(
    entries: polib.POFile, language: str, is_template: bool, leaves_out_fuzzy: bool
) -> Iterator[Entry]:
    for entry in entries:
        if entry.obsolete:
            continue
        row, line_id = max(entry.linenum or 1, 1), entry.msgctxt or entry.msgid
        if leaves_out_fuzzy and entry.fuzzy:
            yield LeftOut(row)
            continue
        if entry.msgid_plural:
            reason = "the entry has plural forms; give each form an entry of its own"
            yield Reject(row, line_id[:200], "msgid_plural", reason)
            continue
        text = entry.msgid if is_template else entry.msgstr
        if not text:
            yield LeftOut(row)
            continue
        notes = read_notes([("", entry.comment), ("", entry.tcomment)])
        yield Record(
            row,
            (
                line_id, text, language or None, *(notes.get(name) for name in NOTE_COLUMNS),
                "fuzzy" if entry.fuzzy else None, None if is_template else entry.msgid,
                " ".join(":".join(filter(None, place)) for place in entry.occurrences) or None,
            ),
        )  # fmt: skip


def _encoding(path: Path, data: bytes) -> str:
    found = _CHARSET.search(data)
    charset = found[1].decode("ascii", "replace") if found else _UNFILLED
    if found is None or charset == _UNFILLED or charset.lower().replace("-", "") == "utf8":
        return "utf-8-sig"
    try:
        return codecs.lookup(charset).name
    except LookupError as error:
        line = data.count(b"\n", 0, found.start()) + 1
        raise ConfigError(
            f"script {path}, line {line}: the header's charset {charset!r} is not known; "
            "save the file as UTF-8"
        ) from error


def _decode(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"script {path}, line {line}: the file is not {encoding.removesuffix('-sig')}; "
            "save it as UTF-8 and say so in its header"
        ) from error


def _check_strings(path: Path, text: str) -> None:
    """Refuse what polib would read without its last character."""
    for number, row in enumerate(map(str.strip, text.split("\n")), start=1):
        if '"' in row and row[0] != "#" and _STRING.fullmatch(row) is None:
            raise ConfigError(
                f"script {path}, line {number}: a string lacks its closing quote, or has a quote"
                " without a backslash"
            )


def _check_header(path: Path, text: str) -> None:
    entry = _ENTRY.search(text)
    header = entry and _HEADER.match(text, entry.start())
    if header is None:
        return
    before = "\\n"
    for number, row in enumerate(header[1].split("\n"), text.count("\n", 0, header.start(1)) + 1):
        content = row.strip()[1:-1]
        if before.endswith("\\n") and _FIELD.match(content) is None:
            shown = content.removesuffix("\\n")[:60]
            raise ConfigError(
                f"script {path}, line {number}: the header has {shown!r} where a field such as"
                " 'Language: fr' should be"
            )
        before = content or before


def _language(path: Path, text: str) -> str:
    found = _LANGUAGE.search(text)
    tag = found[1].strip() if found else ""
    if found is None or not tag:
        return ""
    try:
        return canonical_language(tag.split("@")[0].split(".")[0])
    except ValueError as error:
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"script {path}, line {line}: the header's Language {error}") from error
