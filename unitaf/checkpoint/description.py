"""What a face model's checkpoint says about itself, and its weights; to be read without torch."""

import hashlib
from typing import Literal

import numpy as np
from jaxtyping import Shaped
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load

from unitaf.checkpoint.files import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    Described,
    parse_description,
)
from unitaf.config import NetworkSizes
from unitaf.errors import ConfigError
from unitaf.storage import open_storage

PIVOT = "pivot"
"""The style that is nobody's: the last row of the table."""


class FeatureSpace(Described):
    """Which features a network reads."""

    name: str = Field(description="The engine or encoder that gives them, as its fingerprint says.")
    dim: int = Field(ge=1)
    rate: float = Field(gt=0, description="Steps a second.")

    @classmethod
    def of_engine(cls, fingerprint: str, dim: int, rate: float) -> "FeatureSpace":
        """Describe the features of an engine, whatever its voice or settings.

        Args:
            fingerprint: Its `types.TextToSpeech.features_fingerprint`.
            dim: Their width.
            rate: Steps a second.
        """
        return cls(name=fingerprint.split()[0], dim=dim, rate=rate)

    def fits(self, other: "FeatureSpace") -> bool:
        """Return whether a network that reads these can read others.

        The revision of an engine does not matter: it changes what is said, not what features mean.
        """
        ours, theirs = ((s.name.split("/")[0], s.dim, s.rate) for s in (self, other))
        return ours == theirs

    def __str__(self) -> str:
        return f"{self.name}, {self.dim} at {self.rate:g} Hz"


class MouthInterval(Described):
    """The weight of a frame by how open the mouth is, as `losses.MouthWeighting` has it."""

    low: float
    high: float
    alpha: float
    gamma: float
    base: float


class StageSummary(Described):
    """What a stage of training did."""

    name: str
    steps: int
    clips: int = Field(description="Clips seen, repetitions included.")
    losses: dict[str, float] = Field(description="Each term at the end, without its weight.")


class FaceModelDescription(Described):
    """What a face model's checkpoint says about itself."""

    format: Literal[1] = 1
    kind: Literal["face_model"] = "face_model"
    features: FeatureSpace
    encoder: FeatureSpace = Field(description="The audio encoder whose space the decoder reads.")
    fps: float = Field(gt=0)
    channels: tuple[str, ...]
    styles: tuple[str, ...] = Field(description="Whose row is whose; the pivot's comes last.")
    sizes: NetworkSizes
    has_expression: bool = Field(description="Whether the residual has been trained.")
    mouth_interval: MouthInterval | None
    licence: str
    corpus: str = Field(description="What it was trained on.")
    stages: tuple[StageSummary, ...] = Field(description="In the order they ran.")
    weights_sha256: str = ""

    def style_id(self, style: str) -> int:
        """Return the row of a style's name.

        Raises:
            ConfigError: If there is no such style.
        """
        names = (*self.styles, PIVOT)
        if style not in names:
            raise ConfigError(f"there is no style {style!r}; there are {', '.join(names)}")
        return names.index(style)

    def fingerprint(self, style: str) -> str:
        """Return what changes whenever the same speech could give another motion."""
        said = {"mouth_interval", "licence", "corpus", "stages"}
        decisive = self.model_dump_json(exclude=said, exclude_defaults=True)
        return f"face_model/5 {hashlib.sha256(decisive.encode()).hexdigest()[:16]} style={style}"


def read_face_model_description(uri: str) -> FaceModelDescription:
    """Read what a checkpoint says about itself, and nothing else of it.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    storage = open_storage(uri)
    if not storage.exists(DESCRIPTION_FILE):
        raise ConfigError(f"{uri} is not a checkpoint: it has no {DESCRIPTION_FILE}")
    data = storage.read(DESCRIPTION_FILE)
    return parse_description(FaceModelDescription, data, f"{uri}/{DESCRIPTION_FILE}")


def read_tensors(uri: str, described: FaceModelDescription) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Read a checkpoint's weights.

    Raises:
        ConfigError: If they are damaged.
    """
    weights = open_storage(uri).read(WEIGHTS_FILE)
    if hash_weights(weights) != described.weights_sha256:
        raise ConfigError(f"{uri}/{WEIGHTS_FILE} is damaged: it has another hash than described")
    try:
        tensors: dict[str, Shaped[np.ndarray, "..."]] = load(weights)
    except (SafetensorError, KeyError) as error:
        raise ConfigError(f"{uri}/{WEIGHTS_FILE} cannot be read: {error}") from error
    return tensors


def hash_weights(weights: bytes) -> str:
    """Return what a description calls `weights_sha256`."""
    return hashlib.sha256(weights).hexdigest()
