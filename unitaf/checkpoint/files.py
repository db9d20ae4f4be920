"""What every kind of checkpoint has: two files, and a description without unread parts.

A checkpoint is a folder: ``checkpoint.json`` says everything that is needed to rebuild the network
and to use it, ``weights.safetensors`` holds its tensors. Nothing is implied by a setting elsewhere.
"""

from pydantic import BaseModel, ConfigDict, ValidationError

DESCRIPTION_FILE = "checkpoint.json"
WEIGHTS_FILE = "weights.safetensors"


class Described(BaseModel):
    """A part of a description: read-only, and nothing in it goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_problem(error: ValidationError) -> str:
    """Return where a description is wrong, and how."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{place}: {first['msg']}"
