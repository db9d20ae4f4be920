"""The JSON splits that published data sets come with: found below a root, read, checked for shape.

A data set is a folder with ``train.json``, ``val.json`` or ``test.json``; a release may hold
several. What the records mean is the importer's business.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from unitaf.data.recordings import SPLITS, Source
from unitaf.errors import ConfigError

SPLIT_FILES = tuple(f"{split}.json" for split in SPLITS)


@dataclass(frozen=True, slots=True)
class SplitFile:
    """One JSON file of a data set."""

    name: str
    split: str
    info: dict[str, Any]
    data: list[dict[str, Any]]

    @property
    def data_set(self) -> str:
        """The name of the folder, which is that of the data set."""
        return PurePosixPath(self.name).parent.name


def split_files(source: Source) -> Iterator[SplitFile]:
    """Read every split of every data set of a source.

    Raises:
        ConfigError: If one is not JSON with ``info`` and ``data``.
    """
    for name in source.files:
        path = PurePosixPath(name)
        if path.name in SPLIT_FILES:
            yield _read(source, name, path.stem)


def _read(source: Source, name: str, split: str) -> SplitFile:
    try:
        value = json.loads(source.storage.read(name).decode("utf-8-sig"))
        info, data = value["info"], value["data"]
        if not isinstance(info, dict) or not all(isinstance(record, dict) for record in data):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{source.uri}/{name} does not hold an object 'info' and a list 'data' of objects"
        ) from error
    return SplitFile(name, split, info, data)


def named(names: object, index: object, default: str) -> str:
    """Return the entry of a list of names, or a default where there is none.

    Raises:
        ValueError: If the index lies outside the list.
    """
    if not isinstance(names, list) or not names:
        return default
    if not isinstance(index, int) or not 0 <= index < len(names):
        raise ValueError(f"speaker {index!r} is not one of the {len(names)} of the data set")
    return str(names[index])
