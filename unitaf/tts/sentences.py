"""Where one sentence ends and the next begins, in languages with Latin letters."""

import re
from collections.abc import Iterator, Set

from hibari.g2p.normalize import ABBREV, TITLES

_END = re.compile(r"[.!?…][\"'”’)\]]*(\s+)(?=\S)")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[A-Z]")
_NUMBERED = {"No", "Nos", *(word[:-1] for word in ABBREV if word.endswith("."))}
"""Words that a number may follow after their full stop."""
_BEFORE_NAMES = {"vs", "approx", "cf", "e.g", "i.e", *TITLES}
"""Words that anything may follow after their full stop."""


def split_sentences(text: str, titles: Set[str] = frozenset()) -> Iterator[str]:
    """Split a text into its sentences; a line break ends one too.

    A full stop does not end a sentence after a title, an initial or a common abbreviation
    ("Dr. Smith", "J. K.", "No. 5"), and no mark ends one before a small letter ("Stop! he said").

    Args:
        text: The text.
        titles: More words that anything may follow after their full stop, as they are written.
    """
    for line in text.splitlines():
        start = 0
        for match in _END.finditer(line):
            if _is_end(line, match, titles):
                yield line[start : match.start(1)]
                start = match.end()
        yield line[start:]


def _is_end(line: str, match: re.Match[str], titles: Set[str]) -> bool:
    following = line[match.end()]
    if following.islower():
        return False
    if match[0][0] != ".":
        return True
    word = line[line.rfind(" ", 0, match.start()) + 1 : match.start()].lstrip("\"'“‘([")
    if word in _BEFORE_NAMES or word in titles or (word != "I" and _INITIALS.fullmatch(word)):
        return False
    return not (following.isdigit() and word in _NUMBERED)
