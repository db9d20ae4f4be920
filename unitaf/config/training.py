"""What can be set of ``unitaf train`` and ``unitaf evaluate``: stages are rows of data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from unitaf.config.jobs import HibariConfig, IndexTts2Config, TtsConfig
from unitaf.config.settings import Settings, check_job, read_job

Part = Literal["adapter", "decoder", "head", "expression"]
LossName = Literal[
    "features", "coefficient", "velocity", "vertex", "mouth_state", "decoupled", "residual"
]


class StageConfig(Settings):
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
        None,
        description="A face model or UniTalker to begin from; empty: where the stage before ended.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "features" in self.losses and self.reads == "encoder":
            raise ValueError("the loss 'features' compares the adapter, so it reads the engine")
        if ("residual" in self.losses) != ("expression" in self.trains):
            raise ValueError("'expression' learns from the loss 'residual', and nothing else does")
        idle = sorted(set(self.trains) - self._moved())
        if idle:
            raise ValueError(f"no loss of the stage reaches {', '.join(map(repr, idle))}")
        return self

    def _moved(self) -> set[Part]:
        """Return the parts that the losses can teach."""
        moved: set[Part] = {"expression"} if "residual" in self.losses else set()
        if "features" in self.losses:
            moved.add("adapter")
        if self.losses.keys() - {"features", "residual"}:
            moved |= {"decoder", "head"}
            if self.reads == "engine":
                moved.add("adapter")
        return moved


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


class NetworkSizes(Settings):
    """The sizes of a face model that its features and channels do not decide."""

    adapter_blocks: int = Field(3, ge=2)
    adapter_groups: int = Field(8, ge=1)
    adapter_waist: int | None = Field(None, ge=1, description="Empty: a quarter of the input.")
    adapter_reads_first: bool = Field(
        False, description="Work at the face's rate, not at the features': cheaper, coarser."
    )
    decoder_dim: int = Field(256, ge=1)
    style_dim: int = Field(64, ge=1)
    expression_dim: int = Field(128, ge=1)
    expression_blocks: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.adapter_waist is not None and self.adapter_waist % self.adapter_groups:
            raise ValueError(
                f"adapter_waist {self.adapter_waist} cannot be split into"
                f" {self.adapter_groups} adapter_groups"
            )
        return self


class NetworkConfig(NetworkSizes):
    """The face model's clock and sizes; features, channels and styles are the corpus's."""

    fps: float | None = Field(None, gt=0, le=1000, description="Empty: the corpus's.")
    left_out: tuple[str, ...] = Field(
        (),
        description="Channels whose names begin so are not learnt: blinks cannot be heard.",
    )

    @property
    def sizes(self) -> NetworkSizes:
        """The sizes alone."""
        return NetworkSizes(**self.model_dump(include=set(NetworkSizes.model_fields)))


class OptimiserConfig(Settings):
    """AdamW, warmed up, then falling along half a cosine."""

    clips: int = Field(16, ge=1, description="Clips a batch and worker.")
    accumulation: int = Field(1, ge=1, description="Batches a step.")
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(50, ge=0)
    final_learning_rate: float = Field(0.02, ge=0, le=1, description="As a share of the first.")
    gradient_clip: float = Field(1.0, gt=0)
    pivot_share: float = Field(0.1, ge=0, le=1, description="Clips that move in nobody's style.")


class MouthWeightConfig(Settings):
    """The weight of a frame by its mouth's openness; its interval is found in the corpus."""

    alpha: float = Field(3.0, ge=0)
    gamma: float = Field(2.0, gt=0)
    base: float = Field(0.1, ge=0, description="The weight of a half open mouth.")
    coverage: float = Field(0.95, gt=0, lt=1)
    decoupled_scale: float = Field(10.0, ge=0, description="Of the lips in the loss 'decoupled'.")


class WorkersConfig(Settings):
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


class TrainConfig(Settings):
    """One job of ``unitaf train``."""

    corpus: str = Field(description="What `unitaf prepare` made: a folder or s3://bucket/prefix.")
    out: str = Field(description="Checkpoints, progress and report: a folder or s3://...")
    seed: int = Field(0, ge=0, lt=2**31)
    licence: str = Field(
        "", description="Terms of the model; empty: the corpus's, and of what stages begin from."
    )
    network: NetworkConfig = NetworkConfig()
    stages: tuple[StageConfig, ...] = Field(DEFAULT_STAGES, min_length=1)
    optimiser: OptimiserConfig = OptimiserConfig()
    mouth: MouthWeightConfig = MouthWeightConfig()
    workers: WorkersConfig = WorkersConfig()
    progress_every_s: float = Field(2.0, ge=0.1)
    checkpoint_every_s: float = Field(60.0, ge=0.1, description="What a lost worker costs.")
    tensorboard: str | None = Field(None, description="A local folder for TensorBoard.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("two stages have the same name")
        return self


class EvaluateConfig(Settings):
    """One job of ``unitaf evaluate``."""

    tts: TtsConfig = Field(HibariConfig(), description="The engine that hears the phones.")
    split: Literal["train", "val", "test"] = "test"
    max_clips: int | None = Field(None, ge=1)
    style: str = Field("pivot", description="A style's name, or own: of each clip's speaker.")
    cascade: str | None = Field(None, description="A checkpoint for the audio-driven baseline.")
    others: dict[str, str] = Field({}, description="More checkpoints, each by a name.")


class AdaptConfig(Settings):
    """One job of ``unitaf tts adapt``: a corpus teaches the engine to sound like it."""

    tts: IndexTts2Config
    corpus: str = Field(description="What `unitaf prepare` made: a folder or s3://bucket/prefix.")
    out: str = Field(description="The folder to make: a model to name in tts.path.")
    steps: int = Field(2000, ge=1)
    clips: int = Field(2, ge=1, description="Clips a step.")
    learning_rate: float = Field(5e-7, gt=0)
    rank: int = Field(128, ge=1, description="Of the low-rank updates.")
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tts.precision != "float32":
            raise ValueError("small steps are lost in bfloat16: set tts.precision to float32")
        return self


def load_adapt_config(path: str | Path | None, overrides: Sequence[str] = ()) -> AdaptConfig:
    """Read the job file of a TTS adaptation and apply overrides such as ``steps=500``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = read_job(path, overrides)
    return check_job(AdaptConfig, values, str(path) if path is not None else "--set")


def load_train_config(path: str | Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a training job file and apply overrides such as ``workers.num_workers=2``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = read_job(path, overrides)
    return check_train_config(values, str(path) if path is not None else "--set")


def check_train_config(values: dict[str, Any], source: str) -> TrainConfig:
    """Check settings and return them as a training job.

    Raises:
        ConfigError: Naming the source, the first wrong key and what is allowed there.
    """
    return check_job(TrainConfig, values, source)


def load_evaluate_config(path: str | Path | None, overrides: Sequence[str] = ()) -> EvaluateConfig:
    """Read an evaluation job file and apply overrides such as ``split=val``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = read_job(path, overrides)
    return check_job(EvaluateConfig, values, str(path) if path is not None else "--set")
