"""What every kind of checkpoint has: two files, and a description without unread parts.

A checkpoint is a folder: ``checkpoint.json`` says everything that is needed to rebuild the network
and to use it, ``weights.safetensors`` holds its tensors. Nothing is implied by a setting elsewhere.
"""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from unitaf.errors import ConfigError

DESCRIPTION_FILE = "checkpoint.json"
WEIGHTS_FILE = "weights.safetensors"

_KINDS = {
    "unitalker": "moves a face to recordings ('unitaf animate --checkpoint')",
    "face_model": "moves a face to the features of an engine (face.checkpoint of a job)",
}


class Described(BaseModel):
    """A part of a description: read-only, and nothing in it goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Description = TypeVar("Description", bound=Described)


def parse_description(kind: type[Description], data: bytes, file: str) -> Description:
    """Return what a description file says.

    Args:
        kind: The class of the description.
        data: What the file holds.
        file: What an error calls it.

    Raises:
        ConfigError: Saying where it is wrong, or that the checkpoint is of another kind.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        found = first["input"]
        if first["loc"] == ("kind",) and isinstance(found, str) and found in _KINDS:
            problem = f"this checkpoint is a {found}, which {_KINDS[found]}; it cannot be used here"
        else:
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            problem = f"{place}: {first['msg']}"
        raise ConfigError(f"{file}: {problem}") from error
