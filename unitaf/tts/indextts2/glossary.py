"""How terms are read that the rules would read wrongly: ``glossary.yaml`` beside the weights.

As in the reference, a file of the user's. A line of it is ``H.264: H dot two six four``, for both
languages, or gives one or both: ``H.264: {en: H dot two six four, zh: H 点二六四}``.
"""

from pathlib import Path
from typing import Any

import yaml

from unitaf.errors import ConfigError
from unitaf.tts.indextts2.normaliser import Term

NAME = "glossary.yaml"

_LANGUAGES = {"en", "zh"}


def read_glossary(folder: Path) -> dict[str, Term]:
    """Return the readings of terms; none if there is no such file.

    Raises:
        ConfigError: If the file is damaged, naming the term that is wrong.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        terms = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if terms is None:
        return {}
    if not isinstance(terms, dict):
        raise ConfigError(f"{path} must hold a line 'term: reading' for each term")
    return {term: _term(path, term, reading) for term, reading in terms.items()}


def _term(path: Path, term: Any, reading: Any) -> Term:
    if not isinstance(term, str) or not term:
        raise ConfigError(f"{path}: write the term {term!r} in quotes")
    readings = dict.fromkeys(_LANGUAGES, reading) if isinstance(reading, str) else reading
    if not isinstance(readings, dict) or not readings or not readings.keys() <= _LANGUAGES:
        raise ConfigError(f"{path}: give {term!r} a reading, or one for en and one for zh")
    if not all(isinstance(each, str) for each in readings.values()):
        raise ConfigError(f"{path}: write the readings of {term!r} in quotes")
    return Term(readings.get("zh"), readings.get("en"))
