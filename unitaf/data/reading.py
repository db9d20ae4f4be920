"""From the files of a recording to sound, curves and words.

A file that cannot be used is an `InputError` with a cause, so that one recording never stops the
others; a storage that fails is a `StorageError` and does.
"""

import io
import tokenize
from dataclasses import dataclass
from math import gcd

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Shaped

from unitaf.audio import decode_audio
from unitaf.data.livelink import read_livelink
from unitaf.data.recordings import Recording, text_of
from unitaf.data.tables import open_parquet
from unitaf.errors import InputError
from unitaf.storage import Storage
from unitaf.types import FaceMotion

_COMMON_RATE, _LEAST_DIVISOR = 16000, 16
"""Rates with a smaller common divisor take gigabytes to resample; 47952 Hz has just this one."""


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """What was recorded, as it is in the files."""

    waveform: Float32[np.ndarray, " samples"]
    sample_rate: int
    motion: FaceMotion
    """Its channels are named as the source names them."""
    text: str


class RecordingReader:
    """Reads recordings of a source.

    Rows of one row group that are read one after the other cost one request.

    Args:
        storage: The source's.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._open: tuple[str, pq.ParquetFile] | None = None
        self._held: tuple[str, int, pa.Table] | None = None
        """Of the row group read last: file, its first row, its rows."""

    def read(self, recording: Recording) -> Capture:
        """Read all files of a recording.

        Raises:
            InputError: If one of them cannot be used.
            StorageError: If the storage fails.
        """
        cause = "audio file"
        try:
            waveform, sample_rate = decode_audio(self._bytes(recording, "audio"))
            if gcd(sample_rate, _COMMON_RATE) < _LEAST_DIVISOR:
                raise ValueError(f"{sample_rate} Hz is no usual rate; resample it to 48000 Hz")
            cause = "curves file"
            motion = self._motion(recording)
            cause = "text file"
            text = recording.text
            if recording.text_file:
                text = text_of(recording.text_file, self._storage.read(recording.text_file))
        except ValueError as error:
            raise InputError(recording.id, str(error), column=cause) from error
        return Capture(waveform, sample_rate, motion, text)

    def _bytes(self, recording: Recording, column: str) -> bytes:
        name: str = getattr(recording, column)
        if recording.row < 0 or not name.endswith(".parquet"):
            return self._storage.read(name)
        value = self._cell(name, recording.row, column)
        if not isinstance(value, bytes):
            raise ValueError(f"column {column} of {name} holds no bytes")
        return value

    def _motion(self, recording: Recording) -> FaceMotion:
        name = recording.curves
        if name.endswith(".csv"):
            return read_livelink(self._storage.read(name))
        if name.endswith(".parquet"):
            values = np.array(self._cell(name, recording.row, "curves"))
        else:
            values = _array(self._storage.read(name))
        if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or len(values) == 0:
            raise ValueError(f"the curves must be frames of numbers, not shape {values.shape}")
        if values.shape[1] != len(recording.channels):
            reason = f"{values.shape[1]} columns of curves but {len(recording.channels)} channels"
            raise InputError(recording.id, reason, column="wrong shape")
        if not 0 < recording.fps < float("inf"):
            raise InputError(recording.id, f"fps is {recording.fps:g}", column="fps")
        return FaceMotion(values.astype(np.float32), recording.channels, recording.fps)

    def _cell(self, name: str, row: int, column: str) -> object:
        held = self._held
        if held is None or held[0] != name or not 0 <= row - held[1] < len(held[2]):
            held = self._held = self._row_group(name, row)
        return held[2][column][row - held[1]].as_py()

    def _row_group(self, name: str, row: int) -> tuple[str, int, pa.Table]:
        if self._open is None or self._open[0] != name:
            self._open = name, open_parquet(self._storage, name)
        file = self._open[1]
        first = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if row < first + count:
                return name, first, file.read_row_group(group, columns=["audio", "curves"])
            first += count
        raise ValueError(f"the table has no row {row}")


def _array(data: bytes) -> Shaped[np.ndarray, "..."]:
    """Read a ``.npy`` file; what is wrong with it is a `ValueError`."""
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except (EOFError, SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"not an array that can be read: {error}") from error
    if not isinstance(values, np.ndarray):
        raise ValueError("the file holds several arrays; one .npy array is needed")
    return values
