"""What of a line's text is spoken: markup, placeholders and stage directions.

The rule, in this order:

1. Tags are dropped and what they enclose is kept: ``<b>``, ``</color>``, ``<#ff0000>``, and in
   brackets ``[b]``, ``[i]``, ``[u]``, ``[em1]`` to ``[em4]``, ``[color=red]``, ``[size=2]`` with
   their ends. A tag begins with ``<`` and a letter, ``#`` or ``/`` right after it; ``<br>`` and
   ``<p>`` become a space. ``**so**`` is emphasised.
2. Stage directions are not spoken, and are kept beside the text: what is in brackets, wherever it
   is, and what is in parentheses or between two asterisks at the beginning of the text or right
   after a punctuation mark. Elsewhere prose uses these too, so nothing is lost there: ``He (or she)
   may`` stays as it is, and in ``I *do* care`` a word is emphasised. Marks of emphasis, pauses and
   emotions make no difference: ``**No!** [pause] (beat) Yes`` has a direction.
3. Placeholders are spoken as the mapping says, or the line cannot be made, for a name is part of
   what is said: ``{name}``, ``{0:N2}``, ``${name}``, ``{{name}}``, ``%s``, ``%1$d``, ``%(name)s``,
   ``%NAME%``, ``[var=name]``, ``[lua(...)]``, ``[PlayerName]``. The mapping has either the whole
   mark or the name in it; with it, any mark in ``[]`` or ``<>`` can be a placeholder. ``%%`` is a
   per cent sign.

The marks of `unitaf.marks` are kept, and those tags of SSML become such marks that `ssml` names.

A text without such marks stays as it is, to the character.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from unitaf.marks import EMPHASIS, TURN, without_marks

_MARKS = re.compile(r"[<{(\[*%（【［]")
_BREAK = re.compile(r"<(?:br|p|/p)\s*/?>", re.IGNORECASE)
_TAG = re.compile(
    r"</?[^\W\d_][^<>]*>|</?#[^<>]*>|</>"
    r"|\[/?(?:b|i|u|em[1-4]|color|size)(?:=[^\[\]]*)?\]",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_EMPHASISED = r"[emphasis]\1[/emphasis]"
_EMPHASIS = re.compile(r"(?<!\w)\*(?=\S)([^*]+)(?<=\S)\*(?!\w)")
_EMPHASIS_MARKS = r"(?:\s*\[\s*/?\s*(?i:emphasis)\s*\])*"
_TURNS = rf"(?P<turns>(?:{_EMPHASIS_MARKS}\s*(?i:{TURN.pattern}))*)"
_FIRST_STOP = re.compile(
    rf"(?:^|(?<=[.!?…])(?=\s)){_TURNS}(?P<marks>{_EMPHASIS_MARKS})[,;:.](?:\s+|$)"
)
"""A punctuation mark that a direction was before, where a sentence begins."""
_CODE = r"var=[^\[\]]*\]|lua\([^\[\]]*\)\]|(?=\w*(?:_|[a-z][A-Z]))[A-Za-z_]\w*\]"
"""What after a bracket makes it a placeholder: code, or a name as programmers write it."""
_KEPT = (
    r"[^\[\]]+\]\([/=]"
    r"|(?i:\s*pause(?:\s+[\d.]+\s*(?:ms|s)?)?\s*\]|\s*emotion\s*(?:[:=]|\])|\s*/?\s*emphasis\s*\])"
)
"""What after a bracket makes it one of the marks of `unitaf.marks`."""
_PLACEHOLDER = re.compile(
    r"(?P<brace>\$?\{(?:[^{}]|\{[^{}]*\})*\})"
    r"|(?P<python>%\([^()]*\)[-+0#]*\d*(?:\.\d+)?[a-z])"
    r"|(?P<printf>%(?:\d+\$)?[-+0#]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?[sdiufxXceEgG@])(?![^\W\d]|%)"
    r"|(?P<enclosed>(?<!\w)%[A-Za-z_]\w*%)"
    rf"|(?P<bracket>\[(?!{_KEPT})(?:{_CODE}))"
    r"|(?P<percent>%%)"
)
_DIRECTIONS = {
    "parentheses": r"\((?:[^()]|\([^()]*\))*\)|（[^（）]*）",
    "brackets": rf"\[(?!{_CODE}|{_KEPT})(?:[^\[\]]|\[[^\[\]]*\])*\]|【[^【】]*】|［[^［］]*］",
    "asterisks": r"\*(?=\S)[^*]*?(?<=\S)\*",
}
_PAUSES = r""".,;:!?…。，、；：！？–—\-"“”„«»‹›「」『』¿¡"""
"""After one of these, parentheses and asterisks mark a direction."""

DIRECTION_MARKS = tuple(_DIRECTIONS)
"""What can mark a stage direction inside a text."""


@dataclass(frozen=True, slots=True)
class MarkupRules:
    """What is done with marks in a text."""

    placeholders: Mapping[str, str] = field(default_factory=dict)
    """A placeholder, or the name in it, to what is spoken."""
    directions: frozenset[str] = frozenset(DIRECTION_MARKS)
    """Which of `DIRECTION_MARKS` mark what is not spoken."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text taken apart."""

    text: str
    """What is spoken."""
    unspoken: str
    """The stage directions with their marks, joined by spaces; empty if there are none."""


class Markup:
    """Takes texts apart.

    Args:
        rules: What is done with marks.

    Raises:
        ValueError: If a direction mark is unknown.
    """

    def __init__(self, rules: MarkupRules) -> None:
        unknown = rules.directions - set(DIRECTION_MARKS)
        if unknown:
            raise ValueError(f"directions {sorted(unknown)} must be of {list(DIRECTION_MARKS)}")
        self._direction = _direction_pattern(rules.directions)
        self._placeholders = rules.placeholders
        given = [re.escape(mark) for mark in rules.placeholders if mark[:1] in ("[", "<")]
        self._given = re.compile("|".join(given)) if given else None

    def read(self, text: str) -> Spoken:
        """Take a text apart.

        Args:
            text: Without line breaks.

        Raises:
            ValueError: If a placeholder has no spoken form.
        """
        if _MARKS.search(text) is None:
            return Spoken(text, "")
        kept = self._without_directions(text)
        spoken = _PLACEHOLDER.sub(self._value, kept.text)
        return Spoken(" ".join(spoken.split()), kept.unspoken)

    def _without_directions(self, text: str) -> Spoken:
        found: list[str] = []
        if self._given is not None:
            text = self._given.sub(lambda match: self._placeholders[match[0]], text)
        before = None
        while text != before:
            before = text
            text = _BOLD.sub(_EMPHASISED, _TAG.sub("", _BREAK.sub(" ", text))).strip()
            if self._direction is not None:
                text = self._direction.sub(lambda match: _gap(match, found), text)
            if text == before:
                text = _EMPHASIS.sub(_EMPHASISED, text)
        if found:
            text = _FIRST_STOP.sub(r"\g<turns> \g<marks>", text)
        return Spoken(text, " ".join(found))

    def _value(self, match: re.Match[str]) -> str:
        whole = match[0]
        if match["percent"]:
            return "%"
        name = _name(whole)
        value = self._placeholders.get(whole, self._placeholders.get(name))
        if value is None:
            raise ValueError(
                f"the placeholder {whole[:60]} has no spoken form; give it in script.placeholders"
            )
        return value


def _direction_pattern(marks: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds directions in these marks with what is between them and the text."""
    if not marks:
        return None
    standing = "|".join(_DIRECTIONS[name] for name in sorted(marks - {"brackets"}))
    before = rf"{_EMPHASIS_MARKS}\s*"
    patterns = [rf"(?<![^{_PAUSES}]){_TURNS}(?:{before}(?:{standing}))+"] if standing else []
    if "brackets" in marks:
        patterns.append(f"{before}(?:{_DIRECTIONS['brackets']})")
    return re.compile(rf"(?:{'|'.join(patterns)}){_EMPHASIS_MARKS}\s*")


def _gap(match: re.Match[str], found: list[str]) -> str:
    """Note a direction, and return the space and the marks left where it stood."""
    turns = match.groupdict().get("turns") or ""
    found.append(" ".join(without_marks(match[0]).split()))
    ends, begins = [], []
    for mark in EMPHASIS.finditer(match[0], len(turns)):
        if not mark["ends"]:
            begins.append(mark[0])
        elif begins:
            begins.pop()
        else:
            ends.append(mark[0])
    before, after = match.string[: match.start() + len(turns)], match.string[match.end() :]
    is_inside = before[-1:] not in tuple("“„‹「『¿¡") and after[:1] not in tuple(
        ",.;:!?…，。！？、"
    )
    return "".join([turns, *ends, " " if is_inside else "", *begins])


def _name(placeholder: str) -> str:
    inner = placeholder.lstrip("$").strip("{}[]")
    for start in ("var=", "%("):
        inner = inner.removeprefix(start)
    return re.split(r"[,:)]", inner.strip("%"), maxsplit=1)[0].strip()
