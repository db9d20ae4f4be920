"""Stores made by hand, without an engine: what a delivery is made from."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.export.takes import make_take, spoken_words
from unitaf.pipelines import catalog, takes
from unitaf.pipelines.store import TakeStore, open_store
from unitaf.storage import open_storage
from unitaf.types import Take


@dataclass(frozen=True)
class Line:
    """A line of a script; another text is another take."""

    id: str
    text: str = "Good day, Mr. Worthing."
    language: str = "en"
    speaker: str = "Pip"
    extras: tuple[tuple[str, str], ...] = ()

    @property
    def take(self) -> Take:
        key = hashlib.sha256(f"{self.text} {self.language}".encode()).hexdigest()[:32]
        rng = np.random.default_rng(int(key[:8], 16))
        words = spoken_words(self.text, 0.1)
        duration_s = words[-1].end_s + float(rng.integers(1, 40)) / 100
        made = make_take(
            30.0, self.text, words, duration_s, id=self.id, language=self.language,
            speaker=self.speaker,
        )  # fmt: skip
        curves = rng.random(made.motion.curves.shape, np.float32)
        return replace(made, key=key, motion=replace(made.motion, curves=curves))


def fill_store(folder: Path, lines: Sequence[Line], run: int = 1, script: str = "s") -> TakeStore:
    """Write the takes and the catalog of a run, and open the store."""
    storage = open_storage(str(folder))
    made = {line.take.key: line.take for line in lines}
    data = takes.encode_takes(list(made.values()), "flac")
    payload = f"takes/language=en/{hashlib.sha256(data).hexdigest()}.parquet"
    storage.create(payload, data)
    rows = [_catalog_row(i, line, list(made), payload) for i, line in enumerate(lines)]
    names = [name for line in lines[:1] for name, _ in line.extras]
    schema = pa.schema(
        [*catalog.SCHEMA, *(pa.field(name, pa.string()) for name in names)],
        metadata={"script": script},
    )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink)
    storage.create(f"runs/{run:04d}/catalog.parquet", sink.getvalue())
    return open_store(folder)


def _catalog_row(position: int, line: Line, keys: list[str], payload: str) -> Mapping[str, object]:
    take = line.take
    place = keys.index(take.key)
    return {
        "line_id": line.id,
        "language": line.language,
        "speaker": line.speaker,
        "text": line.text,
        "emotion": take.utterance.emotion,
        "seed": 0,
        "row": position + 2,
        "take_key": take.key,
        "file": payload,
        "row_group": place // takes.ROW_GROUP_SIZE,
        "file_row": place,
        "sample_rate": take.speech.sample_rate,
        "num_samples": take.speech.num_samples,
        "duration_s": take.speech.duration_s,
        "fps": take.motion.fps,
        "num_frames": len(take.motion.curves),
        **dict(line.extras),
    }


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
