"""Checkpoints: a folder with the weights and a description that says everything about them.

There are two kinds: `unitalker`, which moves a face to recordings, and `face_model`, which moves
one to the features of a text-to-speech engine.
"""

import json
from pathlib import Path

from unitaf.checkpoint.conversion import convert_unitalker, load_unitalker
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
from unitaf.checkpoint.files import DESCRIPTION_FILE, WEIGHTS_FILE, parse_description
from unitaf.checkpoint.unitalker import (
    Description,
    FaceSet,
    UniTalkerCheckpoint,
    describe_unitalker,
    parse_unitalker,
    read_description,
    write_checkpoint,
)
from unitaf.errors import ConfigError
from unitaf.storage import open_storage

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


def describe_checkpoint(uri: str | Path) -> str:
    """Return what a checkpoint of either kind says about itself as lines for a person to read.

    Args:
        uri: A folder or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    storage = open_storage(str(uri))
    if not storage.exists(DESCRIPTION_FILE):
        hint = "; 'unitaf checkpoint convert' makes one of it" if Path(uri).is_file() else ""
        raise ConfigError(f"{uri} is not a checkpoint: it has no {DESCRIPTION_FILE}{hint}")
    data, file = storage.read(DESCRIPTION_FILE), f"{uri}/{DESCRIPTION_FILE}"
    try:
        description = json.loads(data)
    except ValueError as error:
        raise ConfigError(f"{file} is not valid JSON: {error}") from error
    if isinstance(description, dict) and description.get("kind") == "face_model":
        return describe_face_model(parse_description(FaceModelDescription, data, file))
    return describe_unitalker(parse_unitalker(data, file))
