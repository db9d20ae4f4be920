"""How settings are read: YAML, then overrides, then checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from unitaf.errors import ConfigError


class Settings(BaseModel):
    """A group of settings: frozen, and without any that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Job = TypeVar("Job", bound=Settings)


def dump_config(config: Settings) -> str:
    """Write a job as YAML, every setting with its value."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def check_job(kind: type[Job], values: dict[str, Any], source: str) -> Job:
    """Check settings and return them as a job.

    Raises:
        ConfigError: Naming the source, the first wrong key and what is allowed there.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {first_problem(error)}") from error


def read_job(path: str | Path | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Read a job file, if there is one, and apply overrides.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or an override is not key=value.
    """
    values = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides:
        _apply(values, override)
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the config {path}: {reason}") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold settings such as 'output: {{fps: 30}}'")
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set needs key=value, such as output.fps=30, not {override!r}")
    *parents, last = key.strip().split(".")
    for parent in parents:
        child = values.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override}: {parent!r} is not a group of settings")
        values = child
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: cannot read the value {text!r}") from error


def first_problem(error: ValidationError) -> str:
    """Say which setting is the first that is wrong, and what is allowed there."""
    problem = error.errors(include_url=False)[0]
    # Where a kind is chosen, pydantic names the kind after the setting that holds it.
    kinds = (
        "hibari",
        "kokoro",
        "espeak",
        "indextts2",
        "triton",
        "indextts2_server",
        "stub",
        "visemes",
        "model",
        "auto",
    )
    where = ".".join(str(part) for part in problem["loc"] if part not in kinds)
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {where!r}"
    given = problem.get("input")
    shown = "" if isinstance(given, dict) else f", not {given!r}"
    return f"{where or 'the job'}: {problem['msg'][0].lower()}{problem['msg'][1:]}{shown}"
