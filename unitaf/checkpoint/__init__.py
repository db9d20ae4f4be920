"""Checkpoints: a folder with the weights and a description that says everything about them.

There are two kinds: `unitalker`, which moves a face to recordings, and `face_model`, which moves
one to the features of a text-to-speech engine.
"""

import json
from pathlib import Path

from unitaf.checkpoint.face_model import (
    FaceModelCheckpoint,
    FaceModelDescription,
    FeatureSpace,
    MouthInterval,
    Sizes,
    StageSummary,
    build_face_model,
    describe_face_model,
    load_face_model,
    read_face_model_description,
    write_face_model,
)
from unitaf.checkpoint.files import DESCRIPTION_FILE, WEIGHTS_FILE
from unitaf.checkpoint.unitalker import (
    Description,
    FaceSet,
    UniTalkerCheckpoint,
    convert_unitalker,
    describe_unitalker,
    load_unitalker,
    read_description,
    write_checkpoint,
)
from unitaf.errors import ConfigError

__all__ = [
    "DESCRIPTION_FILE",
    "WEIGHTS_FILE",
    "Description",
    "FaceModelCheckpoint",
    "FaceModelDescription",
    "FaceSet",
    "FeatureSpace",
    "MouthInterval",
    "Sizes",
    "StageSummary",
    "UniTalkerCheckpoint",
    "build_face_model",
    "convert_unitalker",
    "describe_checkpoint",
    "load_face_model",
    "load_unitalker",
    "read_description",
    "read_face_model_description",
    "write_checkpoint",
    "write_face_model",
]


def describe_checkpoint(folder: Path) -> str:
    """Return what a checkpoint of either kind says about itself as lines for a person to read.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    file = folder / DESCRIPTION_FILE
    if not file.is_file():
        raise ConfigError(f"{folder} is not a checkpoint: it has no {DESCRIPTION_FILE}")
    try:
        description = json.loads(file.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{file} is not valid JSON: {error}") from error
    if isinstance(description, dict) and description.get("kind") == "face_model":
        return describe_face_model(str(folder))
    return describe_unitalker(folder)
