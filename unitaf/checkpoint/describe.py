"""What a checkpoint of any kind says about itself, for a person to read."""

import json
from pathlib import Path

from unitaf.checkpoint.description import FaceModelDescription
from unitaf.checkpoint.face_model import describe_face_model
from unitaf.checkpoint.files import DESCRIPTION_FILE, parse_description
from unitaf.checkpoint.unitalker import describe_unitalker, parse_unitalker
from unitaf.errors import ConfigError
from unitaf.storage import open_storage


def describe_checkpoint(uri: str | Path) -> str:
    """Return what a checkpoint of either kind says about itself as lines for a person to read.

    Args:
        uri: A folder or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    data, file = _read(uri), f"{uri}/{DESCRIPTION_FILE}"
    if _facts(uri, data).get("kind") == "face_model":
        return describe_face_model(parse_description(FaceModelDescription, data, file))
    return describe_unitalker(parse_unitalker(data, file))


def checkpoint_kind(uri: str | Path) -> str:
    """Return the kind that a checkpoint says it is; empty if it says none.

    Args:
        uri: A folder or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    return str(_facts(uri, _read(uri)).get("kind", ""))


def checkpoint_licence(uri: str | Path) -> str:
    """Return the terms that a checkpoint of any kind names; empty if it names none.

    Args:
        uri: A folder or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    return str(_facts(uri, _read(uri)).get("licence", ""))


def _read(uri: str | Path) -> bytes:
    storage = open_storage(str(uri))
    if not storage.exists(DESCRIPTION_FILE):
        hint = "; 'unitaf checkpoint convert' makes one of it" if Path(uri).is_file() else ""
        raise ConfigError(f"{uri} is not a checkpoint: it has no {DESCRIPTION_FILE}{hint}")
    return storage.read(DESCRIPTION_FILE)


def _facts(uri: str | Path, data: bytes) -> dict[str, object]:
    """Return what a checkpoint's description file says, unchecked."""
    try:
        facts = json.loads(data)
    except ValueError as error:
        raise ConfigError(f"{uri}/{DESCRIPTION_FILE} is not valid JSON: {error}") from error
    return facts if isinstance(facts, dict) else {}
