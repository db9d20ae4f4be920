"""Which column of a script plays which role, and which are carried along untouched.

Names are compared without case, spaces, underscores, hyphens and dots: ``Line ID`` is ``line_id``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unitaf.errors import ConfigError

ALIASES: dict[str, tuple[str, ...]] = {
    "line_id": ("id", "key", "uid", "string_id", "string_key", "dialogue_id", "vo_id", "cue_id"),
    "text": (
        "dialogue", "dialog", "dialogue_text", "line_text", "vo_text", "vo_line", "spoken_text",
        "spoken_dialogue", "transcript", "utterance", "sentence",
    ),
    "speaker": ("character", "character_name", "actor", "speaker_name", "role"),
    "language": ("lang", "locale", "culture", "language_code", "language_tag"),
    "emotion": ("mood", "feeling", "emotion_tag"),
    "seed": ("random_seed",),
    "target_s": ("target_duration", "target_duration_s", "dub_window", "window_s", "time_window"),
}  # fmt: skip
"""The roles a column can play, and the other names that people give to such a column."""

ROLES = tuple(ALIASES)

REQUIRED = ("line_id", "text")

EITHER = "line"
"""A header that is the text if no other column is, else the id if no other column is."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one script."""

    roles: dict[str, str]
    """Role to the name that its column has in this file; roles without a column are absent."""
    extras: tuple[str, ...]
    """The other columns, in the file's order."""


def find_columns(header: Sequence[str], script: str, chosen: Mapping[str, str]) -> Columns:
    """Give every column of a header its role.

    A column whose name is exactly a role's wins over aliases.

    Args:
        header: The column names as the file has them.
        script: The file's name, for messages.
        chosen: Role to column where the user decides.

    Raises:
        ConfigError: If a name occurs twice, if two columns claim one role, if there is no id or no
            text, or no column of a chosen name.
    """
    refuse_wrong_names(header, script, chosen)
    free = [name for name in header if name not in chosen.values()]
    claims = {
        role: [chosen[role]] if role in chosen else _claimants(role, free) for role in ALIASES
    }
    either = [name for name in free if _plain(name) == EITHER]
    for role in ("text", "line_id"):
        if not claims[role]:
            claims[role], either = either, []
    for role, names in claims.items():
        if len(names) > 1:
            raise ConfigError(
                f"columns {_quoted(names)} of script {script} could each be the {role}; "
                f"name one of them exactly {role!r}"
            )
    roles = {role: names[0] for role, names in claims.items() if names}
    missing = [role for role in REQUIRED if role not in roles]
    if missing:
        also = "; ".join(
            f"{role} may also be called {', '.join(ALIASES[role])}" for role in missing
        )
        raise ConfigError(
            f"script {script} has no column {' and no column '.join(missing)}: "
            f"its columns are {_quoted(header)} ({also})"
        )
    taken = set(roles.values())
    return Columns(roles, tuple(name for name in header if name not in taken))


def refuse_wrong_names(header: Sequence[str], script: str, chosen: Mapping[str, str]) -> None:
    """Raise `ConfigError` if a name occurs twice in a header, or a chosen one not at all."""
    for role, name in chosen.items():
        if name not in header:
            raise ConfigError(
                f"script.columns says that the {role} is in the column {name!r}, and script "
                f"{script} has none: its columns are {_quoted(header)}"
            )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise ConfigError(f"script {script} has more than one column {_quoted(twice)}; rename them")


def _claimants(role: str, header: Sequence[str]) -> list[str]:
    if role in header:
        return [role]
    known = {_plain(name) for name in (role, *ALIASES[role])}
    return [name for name in header if _plain(name) in known]


def _plain(name: str) -> str:
    return name.casefold().translate(_IGNORED)


def _quoted(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


_IGNORED = str.maketrans("", "", " _-.\t\n\r\N{NO-BREAK SPACE}")
