"""Pronunciation files: how words are said that a voice would read wrong.

YAML is a list, CSV, TSV and XLSX have the same names as columns::

    - {word: Okafor, ipa: oʊˈkɑːfɔː}
    - {word: HQ, say: headquarters, case: exact}
    - {word: Reims, ipa: ʁɛ̃s, language: fr}
    - {word: tomato, say: tomahto, speaker: Pip}

A word or phrase is found whole, in capitals or small letters unless ``case`` is ``exact``. Where
several entries fit, the longest counts, and of equals the one that names the speaker, then the one
that names the language. An entry with sounds becomes a mark in the text, ``[Okafor](/oʊˈkɑːfɔː/)``,
which engines that read the International Phonetic Alphabet obey; for others, ``say`` counts, or the
word stays as it is written. Marks that the script has itself are left alone; a phrase is found
across emphasis.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import Field, StringConstraints, ValidationError

from unitaf.config import first_problem
from unitaf.config.settings import Settings
from unitaf.errors import ConfigError
from unitaf.marks import EMOTION, EMPHASIS, PAUSE, PRONUNCIATION, RESPELLING, without_emphasis
from unitaf.script.language import canonical_language
from unitaf.script.tables import NULL, YAML_SUFFIXES, compose_yaml, read_table, written

_MARKS = "|".join(mark.pattern for mark in (PRONUNCIATION, RESPELLING, PAUSE, EMOTION, EMPHASIS))
"""What is no text."""
_EMPHASIS = r"\[\s*/?\s*(?i:emphasis)\s*\]"
_BETWEEN_WORDS = rf"(?:{_EMPHASIS})*\s+(?:{_EMPHASIS}\s*)*"

_WHAT = "lexicon"
_LETTER = r"[^\W_]"
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")
"""Scripts whose words stand together, or in Hangul have endings, with no space between."""

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class LexiconEntry(Settings):
    """One word or phrase."""

    word: _Words
    say: _Words | None = Field(None, description="Another spelling, read in its place.")
    ipa: _Words | None = Field(None, description="Its sounds, with stress marks.")
    language: str | None = Field(None, description="A tag; pt also counts for pt-BR.")
    speaker: str | None = Field(None, description="Whose word it is; empty: everybody's.")
    case: Literal["any", "exact"] = "any"


class Located(NamedTuple):
    """An entry and where it is written."""

    entry: LexiconEntry
    place: str
    """The file and the line."""


class Lexicon:
    """Rewrites texts as a list of entries says.

    Args:
        entries: Any order.

    Raises:
        ConfigError: If an entry says nothing or has a mark in it, or two are of one word.
    """

    def __init__(self, entries: Sequence[Located]) -> None:
        seen: dict[tuple[object, ...], Located] = {}
        for located in entries:
            entry = located.entry
            if entry.say is None and entry.ipa is None:
                raise ConfigError(f"{located.place}: {entry.word!r} has neither say nor ipa")
            for name, words in (("word", entry.word), ("say", entry.say or "")):
                if "[" in words or "]" in words:
                    reason = f"{name}: {words!r} must have no brackets, which stand for marks"
                    raise ConfigError(f"{located.place}: {reason}")
            word = entry.word if entry.case == "exact" else entry.word.casefold()
            key = (word, entry.language, entry.speaker, entry.case)
            other = seen.setdefault(key, located)
            if other is not located:
                raise ConfigError(f"{located.place}: {entry.word!r} is in {other.place} already")
        self.entries = tuple(entries)
        self._rules = lru_cache(maxsize=256)(self._find_rules)

    def apply(self, text: str, language: str, speaker: str, *, reads_ipa: bool) -> str:
        """Return a text with its words as they are to be said.

        Args:
            text: What a line says.
            language: Of the line, a tag in its usual case.
            speaker: Of the line.
            reads_ipa: Whether the engine obeys marks with sounds, and emphasis; otherwise there
                will be none.
        """
        rules = self._rules(language, speaker)
        if not reads_ipa:
            text = PRONUNCIATION.sub(r"\1", without_emphasis(text))
        if rules is not None:
            text = rules.rewrite(text, reads_ipa=reads_ipa)
        return RESPELLING.sub(r"\2", text)

    def _find_rules(self, language: str, speaker: str) -> "_Rules | None":
        fitting = [
            located.entry
            for located in self.entries
            if located.entry.speaker in (None, speaker)
            and located.entry.language in (None, language, language.split("-")[0])
        ]
        return _Rules(fitting) if fitting else None


class _Rules:
    """The entries that count for one speaker in one language."""

    def __init__(self, entries: Sequence[LexiconEntry]) -> None:
        ranked = sorted(entries, key=_rank)
        self._entries = {f"w{index}": entry for index, entry in enumerate(ranked)}
        words = (f"(?P<{name}>{_pattern(entry)})" for name, entry in self._entries.items())
        self._pattern = re.compile("|".join([f"(?P<mark>(?i:{_MARKS}))", *words]))

    def rewrite(self, text: str, *, reads_ipa: bool) -> str:
        """Return a text rewritten. What is emphasised in a phrase emphasises all of it."""

        def said(match: re.Match[str]) -> str:
            entry = self._entries.get(str(match.lastgroup))
            if entry is None:
                return match[0]
            words = without_emphasis(match[0])
            if entry.ipa is not None and reads_ipa:
                words = f"[{words}](/{entry.ipa}/)"
            elif entry.say is not None:
                words = entry.say
            marks = list(EMPHASIS.finditer(match[0]))
            begins = "".join(mark[0] for mark in marks if not mark["ends"])
            ends = "".join(mark[0] for mark in marks if mark["ends"])
            return f"{begins}{words}{ends}"

        return self._pattern.sub(said, text)


def _rank(entry: LexiconEntry) -> tuple[int, bool, int, bool]:
    tag = 0 if entry.language is None else 1 + entry.language.count("-")
    return -len(entry.word), entry.speaker is None, -tag, entry.case != "exact"


def _pattern(entry: LexiconEntry) -> str:
    words = _BETWEEN_WORDS.join(re.escape(part) for part in entry.word.split())
    if not _UNSPACED.match(entry.word[0]):
        words = rf"(?<!{_LETTER}){words}"
    if not _UNSPACED.match(entry.word[-1]):
        words = rf"{words}(?!{_LETTER})"
    return words if entry.case == "exact" else f"(?i:{words})"


def read_lexicon(paths: Sequence[Path]) -> Lexicon:
    """Read pronunciation files.

    Raises:
        ConfigError: Naming the file, the line and what is wrong there.
    """
    return Lexicon([located for path in paths for located in _entries(path)])


def _entries(path: Path) -> Iterator[Located]:
    if not path.is_file():
        raise ConfigError(f"there is no lexicon {path}")
    is_yaml = path.suffix.lower() in YAML_SUFFIXES
    for line, values in _read_yaml(path) if is_yaml else _read_rows(path):
        place = f"{path}, line {line}"
        try:
            entry = LexiconEntry.model_validate(values)
            if entry.language is not None:
                tag = canonical_language(entry.language)
                entry = entry.model_copy(update={"language": tag})
        except ValidationError as error:
            raise ConfigError(f"{place}: {first_problem(error)}") from error
        except ValueError as error:
            raise ConfigError(f"{place}: {error}") from error
        yield Located(entry, place)


def _read_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, row in read_table(path, _WHAT, tuple(LexiconEntry.model_fields)):
        yield line, {name: text for name, text in row.items() if text}


def _read_yaml(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    node = compose_yaml(path, _WHAT)
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError(f"{path} must hold a list such as '- {{word: HQ, say: headquarters}}'")
    for item in node.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.MappingNode):
            raise ConfigError(f"{path}, line {line}: an entry looks like '{{word: HQ, say: ...}}'")
        yield line, _read_mapping(item, f"{path}, line {line}")


def _read_mapping(item: yaml.MappingNode, place: str) -> dict[str, str]:
    """Return values as they are written: the word "no" is not false."""
    values: dict[str, str] = {}
    names = set()
    for key, value in item.value:
        name = written(key, "a name", place)
        if name in names:
            raise ConfigError(f"{place}: {name!r} is there twice")
        names.add(name)
        if value.tag != NULL:
            values[name] = written(value, name, place)
    return values
