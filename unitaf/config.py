"""What a user can set: the job file, checked before anything starts.

A job is a YAML file (`load_config`) with overrides ``--set a.b=value`` on top. Every model is
frozen and refuses keys that it does not know, so a misspelt setting fails in a second with a
sentence. Config stops at `unitaf.build`; classes take flat arguments.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from unitaf.errors import ConfigError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Job = TypeVar("Job", bound=_Settings)


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


class FaceModelConfig(_Settings):
    """A face model that `unitaf train` made: the engine's features to face channels."""

    kind: Literal["model"]
    checkpoint: str = Field(description="Its folder, or s3://bucket/prefix.")
    style: str = Field("pivot", description="Whose style to move in: a speaker of the corpus.")
    device: str = Field("cpu", description="cpu, cuda or cuda:1.")


def _default_kind(kind: str) -> BeforeValidator:
    """Let settings stand without a kind: they are those of the default."""
    return BeforeValidator(
        lambda value: {"kind": kind, **value} if isinstance(value, dict) else value
    )


TtsConfig = Annotated[
    HibariConfig | StubConfig, Field(discriminator="kind"), _default_kind("hibari")
]
FaceConfig = Annotated[
    VisemesConfig | FaceModelConfig, Field(discriminator="kind"), _default_kind("visemes")
]


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


Part = Literal["adapter", "decoder", "head", "expression"]
LossName = Literal["features", "coefficient", "vertex", "mouth_state", "decoupled", "residual"]


class StageConfig(_Settings):
    """A row of the training: what learns, from what, for how long."""

    name: str = Field(pattern="^[a-z0-9_]+$", description="Its checkpoint's name too.")
    reads: Literal["engine", "encoder"] = Field(
        "engine", description="Whose features the decoder reads; the encoder's without adapter."
    )
    trains: tuple[Part, ...] = Field(min_length=1)
    losses: dict[LossName, float] = Field(min_length=1, description="Each with its weight.")
    steps: int = Field(ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    init_from: str | None = Field(
        None, description="A checkpoint to begin from; empty: where the stage before ended."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "features" in self.losses and self.reads == "encoder":
            raise ValueError("the loss 'features' compares the adapter, so it reads the engine")
        if ("residual" in self.losses) != ("expression" in self.trains):
            raise ValueError("'expression' learns from the loss 'residual', and nothing else does")
        return self


DEFAULT_STAGES = (
    StageConfig(
        name="a2f",
        reads="encoder",
        trains=("decoder", "head"),
        losses={"coefficient": 1.0, "mouth_state": 1e5},
        steps=3000,
    ),
    StageConfig(name="align", trains=("adapter",), losses={"features": 1.0}, steps=2000),
    StageConfig(
        name="joint",
        trains=("adapter", "decoder", "head"),
        losses={"coefficient": 1.0, "mouth_state": 1e5},
        steps=4000,
    ),
    StageConfig(name="expression", trains=("expression",), losses={"residual": 1.0}, steps=2000),
)


class NetworkConfig(_Settings):
    """The sizes of the face model; features, channels and styles are the corpus's."""

    adapter_blocks: int = Field(3, ge=2)
    adapter_groups: int = Field(8, ge=1)
    decoder_dim: int = Field(256, ge=1)
    style_dim: int = Field(64, ge=1)
    expression_dim: int = Field(128, ge=1)
    expression_blocks: int = Field(3, ge=1)


class OptimiserConfig(_Settings):
    """AdamW, warmed up, then falling along half a cosine."""

    clips: int = Field(16, ge=1, description="Clips a batch and worker.")
    accumulation: int = Field(1, ge=1, description="Batches a step.")
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(50, ge=0)
    final_learning_rate: float = Field(0.02, ge=0, le=1, description="As a share of the first.")
    gradient_clip: float = Field(1.0, gt=0)
    pivot_share: float = Field(0.1, ge=0, le=1, description="Clips that move in nobody's style.")


class MouthWeightConfig(_Settings):
    """The weight of a frame by its mouth's openness; its interval is found in the corpus."""

    alpha: float = Field(3.0, ge=0)
    gamma: float = Field(2.0, gt=0)
    base: float = Field(0.1, ge=0, description="The weight of a half open mouth.")
    coverage: float = Field(0.95, gt=0, lt=1)
    decoupled_scale: float = Field(10.0, ge=0, description="Of the lips in the loss 'decoupled'.")


class WorkersConfig(_Settings):
    """Where the training runs."""

    num_workers: int = Field(1, ge=1)
    cpus_per_worker: float = Field(1.0, gt=0)
    use_gpu: bool = Field(False, description="One a worker.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU that has it, else float32."
    )
    sharding: Literal["none", "fsdp"] = Field("none", description="fsdp needs GPUs.")
    max_failures: int = Field(3, ge=0, description="Workers lost before the run gives up.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sharding == "fsdp" and not self.use_gpu:
            raise ValueError("sharding 'fsdp' needs use_gpu: true")
        return self


class TrainConfig(_Settings):
    """One job of ``unitaf train``."""

    corpus: str = Field(description="What `unitaf prepare` made: a folder or s3://bucket/prefix.")
    out: str = Field(description="Checkpoints, progress and report: a folder or s3://...")
    seed: int = Field(0, ge=0, lt=2**31)
    licence: str = Field("", description="Terms of the model; empty: the corpus's.")
    network: NetworkConfig = NetworkConfig()
    stages: tuple[StageConfig, ...] = Field(DEFAULT_STAGES, min_length=1)
    optimiser: OptimiserConfig = OptimiserConfig()
    mouth: MouthWeightConfig = MouthWeightConfig()
    workers: WorkersConfig = WorkersConfig()
    report_every_s: float = Field(2.0, ge=0.1)
    checkpoint_every_s: float = Field(60.0, ge=0.1)
    tensorboard: str | None = Field(None, description="A local folder for TensorBoard.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("two stages have the same name")
        return self


def load_train_config(path: str | Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a training job file and apply overrides such as ``workers.num_workers=2``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = _overridden(path, overrides)
    return _check_settings(TrainConfig, values, str(path) if path is not None else "--set")


class SourceConfig(_Settings):
    """Recordings with face capture, and what they do not say themselves."""

    path: str | None = Field(None, description="A folder or list, here or s3://...")
    kind: Literal["livelink", "unitalker", "unitaf", "list"] | None = Field(
        None, description="Empty: found out from the files."
    )
    language: str = Field("en", description="Of recordings that name none.")
    speaker: str = Field("", description="Of recordings that name none.")


class ClipsConfig(_Settings):
    """What a clip must be."""

    fps: float = Field(60.0, gt=0, le=1000, description="Frames a second of the corpus.")
    shortest_s: float = Field(0.5, ge=0.1)
    longest_s: float = Field(20.0, le=30, description="Longer recordings are cut at pauses.")
    pause_s: float = Field(0.25, gt=0, description="The shortest silence that may be cut in.")
    max_difference_s: float = Field(0.25, ge=0, description="Between audio and curves.")
    max_clipped_fraction: float = Field(0.001, ge=0, le=1, description="Samples at full scale.")
    tolerance: float = Field(0.1, ge=0, description="Of blendshapes beyond 0 to 1; clipped.")
    max_frozen_s: float = Field(1.0, gt=0, description="Speech with a mouth that stands still.")
    val_share: float = Field(0.05, ge=0, le=1, description="Where the source has no splits.")
    test_share: float = Field(0.05, ge=0, le=1, description="Where the source has no splits.")


class PrepareConfig(_Settings):
    """One job of ``unitaf prepare``."""

    source: SourceConfig = SourceConfig()
    clips: ClipsConfig = ClipsConfig()
    transcriber: str | None = Field("tiny.en", description="Or a faster-whisper folder; or none.")
    tts: TtsConfig = HibariConfig()
    encoder: Literal["whisper"] | None = Field("whisper", description="Empty: no such features.")
    max_alignment_cost: float = Field(0.8, gt=0, description="1: no better than nonsense.")
    max_reject_fraction: float = Field(0.2, ge=0, le=1, description="Above it, exit with 1.")
    run: RunConfig = RunConfig()
    corpus: str | None = Field(None, description="Where it goes: a folder or s3://...")


def load_prepare_config(path: str | Path | None, overrides: Sequence[str] = ()) -> PrepareConfig:
    """Read a preparation job file and apply overrides, as `load_config` does."""
    values = _overridden(path, overrides)
    return _check_settings(PrepareConfig, values, str(path) if path is not None else "--set")


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> GenerateConfig:
    """Read a job file and apply overrides such as ``output.fps=30``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = _overridden(path, overrides)
    return check_config(values, str(path) if path is not None else "--set")


def check_config(values: dict[str, Any], source: str) -> GenerateConfig:
    """Check settings and return them as a job.

    Raises:
        ConfigError: Naming the source, the first wrong key and what is allowed there.
    """
    return _check_settings(GenerateConfig, values, source)


def dump_config(config: GenerateConfig | TrainConfig | PrepareConfig) -> str:
    """Write a job as YAML, every setting with its value."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _check_settings(kind: type[Job], values: dict[str, Any], source: str) -> Job:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from error


def _overridden(path: str | Path | None, overrides: Sequence[str]) -> dict[str, Any]:
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


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {where!r}"
    given = problem.get("input")
    shown = "" if isinstance(given, dict) else f", not {given!r}"
    return f"{where or 'the job'}: {problem['msg'][0].lower()}{problem['msg'][1:]}{shown}"
