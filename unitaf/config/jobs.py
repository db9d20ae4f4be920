"""What can be set of ``unitaf generate`` and ``unitaf prepare``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from unitaf.config.casting import CastConfig
from unitaf.config.settings import Settings, check_job, read_job


class HibariConfig(Settings):
    """The embedded English voice: fast, offline, Apache-2.0."""

    kind: Literal["hibari"] = "hibari"
    voice: str = Field("heart", description="The only voice that ships inside the package.")
    speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate; 2 is twice as fast.")


class KokoroConfig(Settings):
    """Neural voices in English, Spanish, French, Italian, Portuguese, Japanese and Chinese."""

    kind: Literal["kokoro"]
    voice: str = Field(
        "native", description="Says every line; native: for each language one of its own."
    )
    speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate; 2 is twice as fast.")
    path: str | None = Field(
        None, description="The folder with its files; empty: where `unitaf voices install` puts it."
    )


class EspeakConfig(Settings):
    """A robot's voice in a hundred languages: espeak-ng, GPL-3.0-or-later."""

    kind: Literal["espeak"]
    voice: str = Field("default", description="A variant of espeak-ng, such as f2 or m3.")
    speed: float = Field(1.0, ge=0.5, le=2.0, description="Speaking rate; 2 is twice as fast.")
    pitch: float = Field(0.0, ge=-8.0, le=8.0, description="Semitones above the voice's own.")


class StubConfig(Settings):
    """A silent, instant engine: to try a script or to test at scale."""

    kind: Literal["stub"]


class VoiceConfig(Settings):
    """How a speaker sounds, for engines that take the voice from a recording."""

    reference: str = Field(description="A clip of the voice: a local file or s3://bucket/name.")
    emotion: str | None = Field(None, description="A clip whose emotion lines without one take.")
    alpha: float = Field(1.0, ge=0.0, le=1.0, description="How much of that emotion.")
    description: str | None = Field(
        None, description="Or an emotion in words; {text} stands for what the line says."
    )

    @model_validator(mode="after")
    def _has_one_emotion(self) -> Self:
        if self.emotion is not None and self.description is not None:
            raise ValueError("emotion is a clip and description is words: give one of them")
        return self


class IndexTts2Config(Settings):
    """IndexTTS2, English and Chinese in any voice: from its published files, terms restricted."""

    kind: Literal["indextts2"]
    path: str = Field(description="The folder with the published files.")
    voices: dict[str, VoiceConfig] = Field(
        min_length=1, description="By speaker; '*' for all that have none."
    )
    licence_accepted: bool = Field(
        False, description="True says that you keep to the terms; `unitaf tts check` shows them."
    )
    num_beams: int = Field(3, ge=1, le=10, description="Ways that are followed at once.")
    sampling: bool = Field(
        True, description="False: no code is drawn, the likeliest is taken: greedy or beam search."
    )
    temperature: float = Field(0.8, gt=0, description="Of sampling.")
    top_k: int = Field(30, ge=1, description="Of sampling.")
    top_p: float = Field(0.8, gt=0, le=1, description="Of sampling.")
    repetition_penalty: float = Field(10.0, gt=0)
    reproduce_upstream: bool = Field(
        True, description="False: code positions as in training; other lines, and faster."
    )
    flow_steps: int = Field(25, ge=1, le=1000, description="Steps from noise to spectrum.")
    guidance: float = Field(0.7, ge=0)
    max_text_tokens: int = Field(120, ge=10, le=600, description="Of a segment of a long line.")
    has_sound: bool = Field(
        True, description="False: silence as long as the speech, with the same face; far faster."
    )
    batch_size: int = Field(8, ge=1, description="Segments made at once.")
    device: str = Field("cpu", description="cpu, cuda or cuda:1.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Of the networks that cost most."
    )

    @model_validator(mode="after")
    def _draws_as_it_says(self) -> Self:
        if not self.sampling:
            for name in ("temperature", "top_k", "top_p"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(
                        f"{name} is of sampling, which is false: leave it out, or set sampling to"
                        " true"
                    )
        return self


class ServerSettings(Settings):
    """A Triton server, and how long it is waited for."""

    url: str = Field(description="grpc://host:8001, or grpcs:// for TLS.")
    timeout_s: float = Field(120.0, gt=0, description="For an answer, its time in a queue too.")
    retry_budget_s: float = Field(
        120.0, gt=0, description="How long a server that is away or too slow is tried again."
    )
    max_in_flight: int = Field(8, ge=1, description="Lines asked for at once by each worker.")


class TritonSpeechConfig(ServerSettings):
    """The engine of a server that `unitaf serve export` wrote the models for."""

    kind: Literal["triton"]
    model: str = "unitaf_tts"


class IndexTts2ServerConfig(ServerSettings):
    """IndexTTS2 on a server that speaks its public protocol: one voice clip a request, no seed."""

    kind: Literal["indextts2_server"]
    model: str = "indextts2"
    voices: dict[str, VoiceConfig] = Field(
        min_length=1, description="By speaker; '*' for all that have none."
    )
    features: Literal["hibari", "none"] = Field(
        "none", description="Whose features the face gets: hibari's, aligned, English only."
    )
    licence_accepted: bool = Field(
        False, description="True says that you keep to the terms; `unitaf tts check` shows them."
    )


class VisemesConfig(Settings):
    """The rule-based animator: phones, loudness and emotion to face channels."""

    kind: Literal["visemes"] = "visemes"
    strength: float = Field(1.0, ge=0.0, le=1.5, description="Scales all mouth movement.")
    expression: float = Field(1.0, ge=0.0, le=1.5, description="Scales the emotion's pose.")
    gestures: float = Field(1.0, ge=0.0, le=1.5, description="Scales brow and head movement.")
    blinks_per_minute: float = Field(18.0, ge=0.0, le=60.0, description="Of a neutral face.")
    variation: float = Field(
        1.0, ge=0.0, le=1.5, description="How much lines differ in style for their seed alone."
    )


class FaceModelConfig(Settings):
    """A face model that `unitaf train` made: the engine's features to face channels."""

    kind: Literal["model"]
    checkpoint: str | None = Field(
        None,
        description="Its folder, or s3://bucket/prefix; empty: the one that ships for the engine.",
    )
    style: str = Field("pivot", description="Whose style to move in: a speaker of the corpus.")
    rest: Literal["rules", "still"] = Field(
        "rules", description="What moves channels that it has not learnt, such as blinks."
    )
    device: str = Field("cpu", description="cpu, cuda or cuda:1.")


class TritonFaceConfig(ServerSettings):
    """The face of a server that `unitaf serve export` wrote the models for."""

    kind: Literal["triton"]
    model: str = "unitaf_face"


class AutoFaceConfig(Settings):
    """The face model that ships, where the engine has the features that it reads; else visemes."""

    kind: Literal["auto"] = "auto"
    style: Literal["plain", "lively", "restrained"] = Field(
        "plain", description="How large everything moves."
    )


def _default_kind(kind: str) -> BeforeValidator:
    """Let settings stand without a kind: they are those of the default."""
    return BeforeValidator(
        lambda value: {"kind": kind, **value} if isinstance(value, dict) else value
    )


TtsConfig = Annotated[
    HibariConfig
    | KokoroConfig
    | EspeakConfig
    | StubConfig
    | IndexTts2Config
    | TritonSpeechConfig
    | IndexTts2ServerConfig,
    Field(discriminator="kind"),
    _default_kind("hibari"),
]
FaceConfig = Annotated[
    VisemesConfig | FaceModelConfig | TritonFaceConfig | AutoFaceConfig,
    Field(discriminator="kind"),
    _default_kind("visemes"),
]


class ScriptConfig(Settings):
    """The script, and how its lines are read."""

    path: str | None = Field(
        None, description="A file or folder here, or s3://bucket/name; CSV, XLSX, PO, ..."
    )
    name: str | None = Field(
        None, description="What the script is called on the store; empty: its whole path."
    )
    language: str = Field("en", description="Language tag of lines that name none.")
    speaker: str = Field("", description="Speaker of lines that name none.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of lines that name none.")
    max_characters: int = Field(5000, ge=1, description="Longer lines are rejected.")
    format: str | None = Field(
        None, description="csv, xlsx, po, unity, ...; empty: by the file's suffix and header."
    )
    columns: dict[
        Literal["line_id", "text", "speaker", "language", "emotion", "seed", "target_s"], str
    ] = Field(
        default_factory=dict,
        description="What a column is where its name does not say so: {text: Line (FR)}.",
    )
    sheet: str | None = Field(None, description="Of a workbook; empty: its first.")
    leave_out_unapproved: bool = Field(
        False, description="Fuzzy or unapproved translations are not lines of the script."
    )
    placeholders: dict[str, str] = Field(
        default_factory=dict,
        description="What is said for {name} or %s; lines with others are rejected.",
    )
    directions: tuple[Literal["parentheses", "brackets", "asterisks"], ...] = Field(
        ("parentheses", "brackets", "asterisks"),
        description="What is in these marks and stands alone, or in brackets, is not read aloud.",
    )
    lexicon: tuple[str, ...] = Field(
        (), description="How words are said: YAML, CSV, TSV or XLSX files, here or on s3://."
    )
    max_reject_fraction: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="The run exits with 1 if more lines than this are rejected.",
    )


class OutputConfig(Settings):
    """What is written for a take."""

    fps: float = Field(60.0, gt=0, le=1000, description="Animation frames a second, any rate.")
    audio_format: Literal["flac", "wav"] = Field("flac", description="Both are lossless 16 bit.")
    head_s: float | None = Field(
        None, ge=0, le=10, description="Silence before every line; empty: as the engine gives it."
    )
    tail_s: float | None = Field(
        None, ge=0, le=10, description="Silence after it; a line's target comes first."
    )


class RunConfig(Settings):
    """How the work is spread."""

    shard_size: int | None = Field(
        None,
        ge=1,
        description="Lines a shard; empty: a 16th of the script, from 8 to 256, and on GPUs as many"
        " as an engine takes at once, up to a quarter of the script.",
    )
    num_actors: int | None = Field(
        None, ge=1, description="Worker processes; empty: one for each CPU of the cluster."
    )
    cpus_per_actor: float = Field(1.0, gt=0)
    gpus_per_actor: float = Field(0.0, ge=0)
    retry_budget_s: float = Field(
        120.0, gt=0, description="How long a storage or server that is down is waited for."
    )


class GenerateConfig(Settings):
    """One job of ``unitaf generate``."""

    tts: TtsConfig = HibariConfig()
    face: FaceConfig = AutoFaceConfig()
    cast: CastConfig | str | None = Field(
        None, description="Who speaks with which voice: a YAML, CSV, TSV or XLSX file, or here."
    )
    engines: dict[str, TtsConfig] = Field(
        {}, description="Engines besides tts, each by a name that the cast uses."
    )
    script: ScriptConfig = ScriptConfig()
    output: OutputConfig = OutputConfig()
    run: RunConfig = RunConfig()
    store: str | None = Field(None, description="A folder or s3://bucket/prefix for the takes.")

    @model_validator(mode="after")
    def _has_something_to_move_to(self) -> Self:
        is_silent = isinstance(self.tts, IndexTts2Config) and not self.tts.has_sound
        if is_silent and self.face.kind != "model":
            raise ValueError("without tts.has_sound only a face model moves; set face.kind: model")
        return self


class SourceConfig(Settings):
    """Recordings with face capture, and what they do not say themselves."""

    path: str | None = Field(None, description="A folder or list, here or s3://...")
    kind: Literal["livelink", "unitalker", "unitaf", "list"] | None = Field(
        None, description="Empty: found out from the files."
    )
    language: str = Field("en", description="Of recordings that name none.")
    speaker: str = Field("", description="Of recordings that name none.")


class ClipsConfig(Settings):
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


class PrepareRunConfig(RunConfig):
    """How the work on recordings is spread."""

    shard_size: int | None = Field(
        None, ge=1, description="Recordings a shard, about; empty: by their number, from 4 to 32."
    )


class PrepareConfig(Settings):
    """One job of ``unitaf prepare``."""

    source: SourceConfig = SourceConfig()
    clips: ClipsConfig = ClipsConfig()
    transcriber: str | None = Field("tiny.en", description="Or a faster-whisper folder; or none.")
    tts: TtsConfig = HibariConfig()
    emotion: Literal["tags", "recording"] = Field("tags", description="Of clips without a tag.")
    encoder: str | None = Field(
        "whisper", description="Or the folder of a UniTalker checkpoint, for its encoder; or none."
    )
    alignment: Literal["warp", "stretch"] = Field(
        "warp", description="How the engine's features meet the recording; stretch: do not."
    )
    max_alignment_cost: float = Field(0.79, gt=0, description="1: no better than nonsense.")
    max_reject_fraction: float = Field(0.2, ge=0, le=1, description="Above it, exit with 1.")
    run: PrepareRunConfig = PrepareRunConfig()
    corpus: str | None = Field(None, description="Where it goes: a folder or s3://...")

    @model_validator(mode="after")
    def _is_heard(self) -> Self:
        if self.emotion == "recording" and not isinstance(self.tts, IndexTts2Config):
            raise ValueError(
                f"emotion: recording needs indextts2; {self.tts.kind} hears no emotion"
            )
        return self


def load_prepare_config(path: str | Path | None, overrides: Sequence[str] = ()) -> PrepareConfig:
    """Read a preparation job file and apply overrides, as `load_config` does."""
    values = read_job(path, overrides)
    return check_job(PrepareConfig, values, str(path) if path is not None else "--set")


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> GenerateConfig:
    """Read a job file and apply overrides such as ``output.fps=30``.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, or a setting is unknown or wrong.
    """
    values = read_job(path, overrides)
    return check_config(values, str(path) if path is not None else "--set")


def check_config(values: dict[str, Any], source: str) -> GenerateConfig:
    """Check settings and return them as a job.

    Raises:
        ConfigError: Naming the source, the first wrong key and what is allowed there.
    """
    return check_job(GenerateConfig, values, source)
