"""What a good line is: the rules that the fields of a script line keep, whatever the file's format.

What is changed: text, ids and speakers are put into Unicode NFC and stripped; in text every run of
white space (line breaks, tabs, no-break spaces) becomes one space; language tags get their usual
case. So a line that was only wrapped again, or saved by another program, gives the same take.
Marks in the text are treated as `markup` says. Nothing else is changed: capitals, quotes and
invisible joiners reach the engine as written.
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from unitaf.emotion import parse_emotion
from unitaf.errors import ConfigError
from unitaf.marks import stretches, without_marks
from unitaf.script.language import canonical_language
from unitaf.script.markup import Markup, MarkupRules, Spoken
from unitaf.script.ssml import ssml_as_marks
from unitaf.types import NEUTRAL, Emotion, Utterance

MAX_NAME_CHARACTERS = 200
"""How long an id or a speaker may be."""

MAX_SEED = 2**63 - 1

MAX_EMOTION_CHARACTERS = 400

MAX_TARGET_S = 600.0

_CONTROL_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LOST = "\N{REPLACEMENT CHARACTER}"
_SPOKEN = re.compile(r"[^\W_]")
_SEED = re.compile(r"[0-9]{1,19}(?:\.0+)?", re.ASCII)
_SPREADSHEET_ERRORS = frozenset(
    {"#NAME?", "#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NULL!", "#NUM!", "#ERROR!", "#SPILL!"}
)
_KINDS = {
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}

_parse_emotion = lru_cache(maxsize=4096)(parse_emotion)


@dataclass(frozen=True, slots=True)
class ScriptDefaults:
    """How a script is read: what a line has where it says nothing, and what the job decides."""

    language: str = "en"
    seed: int = 0
    speaker: str = ""
    max_characters: int = 5000
    markup: MarkupRules = field(default_factory=MarkupRules)
    format: str | None = None
    """One of `script.FORMATS`; None: by suffix and header."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role to column where the names of the columns do not decide."""
    sheet: str | None = None
    """Of a workbook; None: its first."""
    leaves_out_unapproved: bool = False
    """Whether translations that are fuzzy or not yet approved are not lines of the script."""


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One good line of a script."""

    row: int
    """The 1-based line of a text file where the record begins; the record's number in a table."""
    utterance: Utterance
    unspoken: str = ""
    """The stage directions that stood in the text."""
    max_characters: int | None = None
    """How long the text may be, if the script says so."""

    @property
    def excess(self) -> str:
        """Say by what the text is too long; empty if it is not. Its words count, without marks."""
        limit = self.max_characters
        if limit is None or (length := len(without_marks(self.utterance.text))) <= limit:
            return ""
        return f"the text has {length} characters; the script allows {limit}"


@dataclass(frozen=True, slots=True)
class Reject:
    """One line that cannot be made, and why."""

    row: int
    line_id: str
    """Empty if the id itself is unusable."""
    column: str
    """As the file calls it; empty if the whole line is at fault."""
    reason: str


class LineReader:
    """Turns the fields of one line into an utterance, or into a reject.

    Args:
        names: What this script calls the column of each role.
        defaults: What a line has where the script says nothing.

    Raises:
        ConfigError: If the default language is not a language tag.
    """

    def __init__(self, names: Mapping[str, str], defaults: ScriptDefaults) -> None:
        try:
            self._language = canonical_language(defaults.language)
        except ValueError as error:
            raise ConfigError(f"the default language {error}") from error
        self._names = names
        self._defaults = defaults
        self._markup = Markup(defaults.markup)

    def read(self, row: int, values: Sequence[object]) -> ScriptLine | Reject:
        """Read one line.

        Args:
            row: Where it is in the file.
            values: The raw value of each of `columns.ROLES`, None where there is none.
        """
        try:
            line_id, spoken = _id(values[0]), self._spoken(values[1])
            said = self._utterance(line_id, spoken.text, values[2:])
            return ScriptLine(row, said, spoken.unspoken)
        except _FieldError as error:
            column = self._names[error.role]
            return Reject(row, readable_id(values[0]), column, error.reason)

    def _spoken(self, value: object) -> Spoken:
        written = _written(value)
        try:
            spoken = self._markup.read(ssml_as_marks(written))
            for _ in stretches(spoken.text, NEUTRAL):
                pass  # Only to hear of mistakes.
        except ValueError as error:
            raise _FieldError("text", str(error)) from error
        words = without_marks(spoken.text)
        if spoken.unspoken and _SPOKEN.search(words) is None:
            raise _FieldError(
                "text", f"nothing is spoken besides the direction {spoken.unspoken[:60]}"
            )
        _refuse_unspeakable(words, self._defaults.max_characters)
        return spoken

    def _utterance(self, line_id: str, text: str, values: Sequence[object]) -> Utterance:
        speaker, language, emotion, seed, target_s = values
        return Utterance(
            id=line_id,
            text=text,
            language=_language(language) or self._language,
            speaker=_name("speaker", speaker) or self._defaults.speaker,
            emotion=_emotion(emotion),
            seed=_seed(seed, self._defaults.seed),
            target_s=_target(target_s),
        )


class _FieldError(Exception):
    def __init__(self, role: str, reason: str) -> None:
        super().__init__(role, reason)
        self.role = role
        self.reason = reason


def readable_id(value: object) -> str:
    """Return a raw line id if it is a good one, for reports; empty otherwise."""
    try:
        return _id(value)
    except _FieldError:
        return ""


def _id(value: object) -> str:
    name = _name("line_id", value)
    if not name:
        raise _FieldError("line_id", "there is no line_id")
    return name


def _name(role: str, value: object) -> str:
    """Read an id or a speaker; tables write both as whole numbers, too."""
    raw = str(value) if type(value) is int else _string(role, value)
    name = unicodedata.normalize("NFC", raw.strip())
    if len(name) > MAX_NAME_CHARACTERS:
        raise _FieldError(
            role,
            f"the {role} has {len(name)} characters; at most {MAX_NAME_CHARACTERS} are allowed",
        )
    _refuse_control(role, name, _CONTROL_IN_NAME)
    return name


def _written(value: object) -> str:
    raw = _string("text", value)
    _refuse_control("text", raw, _CONTROL_IN_TEXT)
    return unicodedata.normalize("NFC", " ".join(raw.split()))


def _refuse_unspeakable(text: str, max_characters: int) -> None:
    if not text:
        raise _FieldError("text", "there is no text")
    if len(text) > max_characters:
        raise _FieldError(
            "text", f"the text has {len(text)} characters; at most {max_characters} are allowed"
        )
    if _SPOKEN.search(text) is None:
        raise _FieldError("text", f"the text {text[:40]!r} has no letter or digit to speak")
    if text in _SPREADSHEET_ERRORS:
        raise _FieldError("text", f"the text is the spreadsheet error {text}; mend the cell")


def _language(value: object) -> str:
    tag = _string("language", value).strip()
    if not tag:
        return ""
    try:
        return canonical_language(tag)
    except ValueError as error:
        raise _FieldError("language", str(error)) from error


def _emotion(value: object) -> Emotion:
    if isinstance(value, dict):
        value = {name: strength for name, strength in value.items() if strength is not None}
    if isinstance(value, dict | list):
        value = json.dumps(value, default=str)
    text = _string("emotion", value)
    if len(text) > MAX_EMOTION_CHARACTERS:
        raise _FieldError(
            "emotion", f"the emotion has {len(text)} characters; give names or numbers"
        )
    try:
        return _parse_emotion(text)
    except ValueError as error:
        raise _FieldError("emotion", str(error)) from error


def _seed(value: object, default: int) -> int:
    if isinstance(value, str):
        value = value.strip()
    if value == "" or _is_missing(value):
        return default
    seed = -1
    if isinstance(value, str) and _SEED.fullmatch(value):
        seed = int(value.partition(".")[0])
    elif type(value) is int or (isinstance(value, float) and value.is_integer()):
        seed = int(value)
    if not 0 <= seed <= MAX_SEED:
        raise _FieldError(
            "seed", f"the seed must be a whole number from 0 to 2^63-1, not {value!r}"
        )
    return seed


def _target(value: object) -> float | None:
    if isinstance(value, str):
        value = value.strip().replace(",", ".")
    if value == "" or _is_missing(value):
        return None
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        seconds = math.nan
    if isinstance(value, bool) or not 0.0 < seconds <= MAX_TARGET_S:
        raise _FieldError(
            "target_s", f"the target must be seconds, above 0 to {MAX_TARGET_S:g}, not {value!r}"
        )
    return seconds


def _string(role: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if _is_missing(value):
        return ""
    kind = _KINDS.get(type(value), type(value).__name__)
    raise _FieldError(role, f"the {role} must be text, not {kind}")


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _refuse_control(role: str, value: str, control: re.Pattern[str]) -> None:
    """Refuse characters that no one typed; printable strings, nearly all, are found so at once."""
    if _LOST in value:
        raise _FieldError(
            role, f"the {role} has the sign U+FFFD, left where a character was lost in a conversion"
        )
    if value.isprintable():
        return
    found = control.search(value)
    if found is not None:
        raise _FieldError(role, f"the {role} has the control character U+{ord(found[0]):04X}")
