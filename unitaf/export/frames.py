"""How many animation frames a finished file has, read without what wrote it.

GLB files hold one key more than frames: the last is held to the end of the sound. USD files are not
read: their frames are in a binary layout that only USD knows.
"""

import io
import json
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_DAMAGES = (
    KeyError, TypeError, IndexError, OSError, struct.error, zipfile.BadZipFile, pa.ArrowException,
)  # fmt: skip
"""What readers raise besides ValueError."""


def count_frames(data: bytes, file_format: str) -> int | None:
    """Return the number of frames in a file; None if its format has none that can be counted.

    Raises:
        ValueError: If the file is damaged.
    """
    count = _COUNTERS.get(file_format)
    try:
        return None if count is None else count(data)
    except _DAMAGES as error:
        raise ValueError(f"not a file of the format {file_format}: {error}") from error


def _rows(data: bytes) -> int:
    return len(data.splitlines()) - 1


def _glb(data: bytes) -> int:
    size, _ = struct.unpack_from("<I4s", data, 12)
    document = json.loads(data[20 : 20 + size])
    sampler = document["animations"][0]["samplers"][0]
    return int(document["accessors"][sampler["input"]]["count"]) - 1


def _npz(data: bytes) -> int:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return len(arrays["curves"])


_COUNTERS: dict[str, Callable[[bytes], int]] = {
    "curves_csv": _rows,
    "curves_json": lambda data: len(json.loads(data)["times_s"]),
    "glb": _glb,
    "json": lambda data: len(json.loads(data)["weightMat"]),
    "livelink": _rows,
    "npz": _npz,
    "parquet": lambda data: pq.ParquetFile(io.BytesIO(data)).metadata.num_rows,
}
