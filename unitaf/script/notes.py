"""What translators' notes say of a line: its speaker, its direction, its length limit.

A note says so by its category (``character``, ``direction``), or a line of it begins with a label:
``Speaker: Ann``, ``Direction: whispers``, ``Max length: 40``. All else is a comment. A length limit
is a number of characters, unless it names another unit.
"""

import re
from collections.abc import Iterable

_LABELS = {
    "speaker": "speaker",
    "character": "speaker",
    "actor": "speaker",
    "direction": "direction",
    "directions": "direction",
    "stage direction": "direction",
    "max length": "max_length",
    "maxlength": "max_length",
    "maximum length": "max_length",
    "length limit": "max_length",
}
_LABELLED = re.compile(r"\s*([A-Za-z _-]{1,20}?)\s*:\s*(\S.*)")

_CHARACTERS = re.compile(r"0*([1-9]\d*)(?:\.0+)?\s*(?:char.*)?", re.IGNORECASE)

NOTE_COLUMNS = ("speaker", "direction", "max_length", "comment")


def read_notes(notes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Sort notes into `NOTE_COLUMNS`; those of one kind are joined.

    Args:
        notes: Category, which may be empty, and text of each.
    """
    found: dict[str, list[str]] = {}
    for category, text in notes:
        column = _LABELS.get(_plain(category))
        if column is not None:
            found.setdefault(column, []).append(" ".join(text.split()))
            continue
        for line in text.splitlines():
            label = _LABELLED.fullmatch(line)
            column = _LABELS.get(_plain(label[1])) if label else None
            said = label[2] if label and column else line
            if said.strip():
                found.setdefault(column or "comment", []).append(said.strip())
    return {column: "; ".join(texts) for column, texts in found.items()}


def limit_column(names: Iterable[str]) -> str | None:
    """Return which column has length limits, if any has."""
    return next((name for name in names if _LABELS.get(_plain(name)) == "max_length"), None)


def max_characters(limit: object) -> int | None:
    """Return how many characters a length limit allows; None if it is none, or in another unit."""
    found = _CHARACTERS.fullmatch(str(limit).strip())
    return int(found[1]) if found else None


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())
