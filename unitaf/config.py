"""What a user can set: the job file, checked before anything starts.

A job is a YAML file (`load_config`) with overrides ``--set a.b=value`` on top. Every model is
frozen and refuses keys that it does not know, so a misspelt setting fails in a second with a
sentence. Config stops at `unitaf.build`; classes take flat arguments.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from unitaf.errors import ConfigError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HibariConfig(_Settings):
    """The embedded English voice: fast, offline, Apache-2.0."""

    kind: Literal["hibari"] = "hibari"
    voice: str = Field("heart", description="The only voice that ships inside the package.")
    speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate; 2 is twice as fast.")


class StubConfig(_Settings):
    """A silent, instant engine: to try a script or to test at scale."""

    kind: Literal["stub"]


class VisemesConfig(_Settings):
    """The rule-based animator: phones, loudness and emotion to face channels."""

    kind: Literal["visemes"] = "visemes"
    strength: float = Field(1.0, ge=0.0, le=1.5, description="Scales all mouth movement.")
    expression: float = Field(1.0, ge=0.0, le=1.5, description="Scales the emotion's pose.")
    gestures: float = Field(1.0, ge=0.0, le=1.5, description="Scales brow and head movement.")
    blinks_per_minute: float = Field(18.0, ge=0.0, le=60.0, description="Of a neutral face.")
    variation: float = Field(
        1.0, ge=0.0, le=1.5, description="How much lines differ in style for their seed alone."
    )


def _default_kind(kind: str) -> BeforeValidator:
    """Let settings stand without a kind: they are those of the default."""
    return BeforeValidator(
        lambda value: {"kind": kind, **value} if isinstance(value, dict) else value
    )


TtsConfig = Annotated[
    HibariConfig | StubConfig, Field(discriminator="kind"), _default_kind("hibari")
]
FaceConfig = VisemesConfig


class ScriptConfig(_Settings):
    """The script, and how its lines are read."""

    path: str | None = Field(None, description="A local file or s3://bucket/name; CSV, ...")
    language: str = Field("en", description="Language tag of lines that name none.")
    speaker: str = Field("", description="Speaker of lines that name none.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of lines that name none.")
    max_characters: int = Field(5000, ge=1, description="Longer lines are rejected.")
    max_reject_fraction: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="The run exits with 1 if more lines than this are rejected.",
    )


class OutputConfig(_Settings):
    """What is written for a take."""

    fps: float = Field(60.0, gt=0, le=1000, description="Animation frames a second, any rate.")
    audio_format: Literal["flac", "wav"] = Field("flac", description="Both are lossless 16 bit.")


class RunConfig(_Settings):
    """How the work is spread."""

    shard_size: int | None = Field(
        None, ge=1, description="Lines a shard; empty: a 16th of the script, from 8 to 256."
    )
    num_actors: int | None = Field(
        None, ge=1, description="Worker processes; empty: one for each CPU of the cluster."
    )
    cpus_per_actor: float = Field(1.0, gt=0)
    gpus_per_actor: float = Field(0.0, ge=0)
    retry_budget_s: float = Field(
        120.0, ge=0, description="How long a storage or server that is down is waited for."
    )


class GenerateConfig(_Settings):
    """One job of ``unitaf generate``."""

    tts: TtsConfig = HibariConfig()
    face: FaceConfig = VisemesConfig()
    script: ScriptConfig = ScriptConfig()
    output: OutputConfig = OutputConfig()
    run: RunConfig = RunConfig()
    store: str | None = Field(None, description="A folder or s3://bucket/prefix for the takes.")


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> GenerateConfig:
    """Read a job file and apply overrides such as ``output.fps=30``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides:
        _apply(values, override)
    return check_config(values, str(path) if path is not None else "--set")


def check_config(values: dict[str, Any], source: str) -> GenerateConfig:
    """Check settings and return them as a job.

    Raises:
        ConfigError: Naming the source, the first wrong key and what is allowed there.
    """
    try:
        return GenerateConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from error


def dump_config(config: GenerateConfig) -> str:
    """Write a job as YAML, every setting with its value."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


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


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {where!r}"
    given = problem.get("input")
    shown = "" if isinstance(given, dict) else f", not {given!r}"
    return f"{where or 'the job'}: {problem['msg'][0].lower()}{problem['msg'][1:]}{shown}"
