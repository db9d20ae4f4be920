"""Single clips of a corpus and their features, for who needs each of them once."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float32

from unitaf.data.clips import Clip
from unitaf.data.corpus import Corpus
from unitaf.data.payloads import decode_clips, decode_features
from unitaf.data.tables import open_parquet


class ClipReader:
    """Reads clips by their rows in the catalog; every file is opened once.

    Args:
        corpus: What `prepare` made.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._open = cache(lambda name: open_parquet(corpus.storage, name))

    def clip(self, row: Mapping[str, Any]) -> Clip:
        """Return a clip."""
        file: pq.ParquetFile = self._open(row["file"])
        (clip,) = decode_clips(file.read_row_group(row["file_row"]))
        return clip

    def features(self, row: Mapping[str, Any], name: str) -> Float32[np.ndarray, "steps dim"]:
        """Return the features of a clip: ``tts``, the engine's, or ``encoder``."""
        file: pq.ParquetFile = self._open(row[f"{name}_file"])
        table = file.read_row_group(row[f"{name}_row"])
        dim = getattr(self._corpus.info, name).dim
        return decode_features(table["features"][0].as_py(), dim).astype(np.float32)
