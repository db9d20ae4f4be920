"""What is written of clips and of features: Parquet, one row and one row group a clip.

Conventions: a row group a clip makes one clip a small range read. Features are raw little-endian
float16, steps by dim, in a column of bytes without compression: a cache that is read at the speed
of the storage. Curves are a list of 61 numbers a frame, as in a store of takes.
"""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float16, Float32

from unitaf.data.clips import Clip
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import EMOTIONS, Emotion

CLIPS_SCHEMA = pa.schema(
    [
        pa.field("clip_key", pa.string(), nullable=False),
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("recording", pa.string(), nullable=False),
        pa.field("start_s", pa.float64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("speaker", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("text_source", pa.string(), nullable=False),
        pa.field("emotion", pa.list_(pa.float64(), len(EMOTIONS)), nullable=False),
        pa.field("audio", pa.binary(), nullable=False),
        pa.field("sample_rate", pa.int32(), nullable=False),
        pa.field("num_samples", pa.int64(), nullable=False),
        pa.field("channels", pa.list_(pa.string()), nullable=False),
        pa.field("fps", pa.float64(), nullable=False),
        pa.field("curves", pa.list_(pa.list_(pa.float32(), len(CHANNELS))), nullable=False),
        pa.field("emotion_source", pa.string(), nullable=False),
    ],
    metadata={"channels": ",".join(CHANNELS), "emotions": ",".join(EMOTIONS), "angles": "radians"},
)

FEATURES_SCHEMA = pa.schema(
    [
        pa.field("clip_key", pa.string(), nullable=False),
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("features", pa.binary(), nullable=False),
    ],
    metadata={"dtype": "float16, little-endian, steps by dim"},
)

_PLAIN = {"audio", "features"}


def encode_clips(clips: Sequence[Clip]) -> bytes:
    """Write clips as one Parquet file, in the order given."""
    rows = [
        {
            "clip_key": clip.key,
            "clip_id": clip.id,
            "recording": clip.recording,
            "start_s": clip.start_s,
            "split": clip.split,
            "speaker": clip.speaker,
            "language": clip.language,
            "text": clip.text,
            "text_source": clip.text_source,
            "emotion": clip.emotion,
            "audio": clip.audio,
            "sample_rate": clip.sample_rate,
            "num_samples": clip.num_samples,
            "channels": clip.channels,
            "fps": clip.fps,
            "curves": [],
            "emotion_source": clip.emotion_source,
        }
        for clip in clips
    ]
    table = pa.Table.from_pylist(rows, schema=CLIPS_SCHEMA)
    offsets = np.concatenate([[0], np.cumsum([len(clip.curves) for clip in clips])])
    numbers = pa.array(np.concatenate([clip.curves for clip in clips]).reshape(-1))
    curves = pa.ListArray.from_arrays(
        offsets.astype(np.int32), pa.FixedSizeListArray.from_arrays(numbers, len(CHANNELS))
    )
    position = CLIPS_SCHEMA.get_field_index("curves")
    return _write(table.set_column(position, CLIPS_SCHEMA.field(position), curves))


def decode_clips(table: pa.Table) -> Iterator[Clip]:
    """Read clips back from rows of the table."""
    for index, row in enumerate(table.drop_columns(["curves"]).to_pylist()):
        yield Clip(
            key=row["clip_key"],
            id=row["clip_id"],
            curves=decode_curves(table["curves"], index),
            channels=tuple(row["channels"]),
            emotion=_emotion(row["emotion"]),
            emotion_source=row.get("emotion_source", "tags"),  # Files of old corpora lack it.
            **{name: row[name] for name in _SAME},
        )


_SAME = (
    "recording", "start_s", "split", "speaker", "language", "text", "text_source", "audio",
    "sample_rate", "num_samples", "fps",
)  # fmt: skip


def decode_curves(column: pa.ChunkedArray, row: int) -> Float32[np.ndarray, "frames 61"]:
    """Return the curves of one row."""
    numbers = column[row].values.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(numbers, np.float32).reshape(-1, len(CHANNELS))


def encode_features(keys: Sequence[str], features: Sequence[Float16[np.ndarray, "_ dim"]]) -> bytes:
    """Write the features of clips as one Parquet file, in the order given."""
    columns = [
        pa.array(keys, pa.string()),
        pa.array([len(one) for one in features], pa.int32()),
        pa.array([np.ascontiguousarray(one, "<f2").tobytes() for one in features], pa.binary()),
    ]
    return _write(pa.Table.from_arrays(columns, schema=FEATURES_SCHEMA))


def decode_features(data: bytes, dim: int) -> Float16[np.ndarray, "steps dim"]:
    """Return the features of one row."""
    return np.frombuffer(data, "<f2").reshape(-1, dim)


def _write(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    empty = io.BytesIO()
    pq.write_table(table.schema.empty_table(), empty)
    schema = pq.ParquetFile(empty).schema
    leaves = [schema.column(index).path for index in range(len(schema))]
    pq.write_table(
        table,
        sink,
        row_group_size=1,
        use_dictionary=False,
        compression={leaf: "none" if leaf in _PLAIN else "zstd" for leaf in leaves},
        write_statistics=["clip_key"],
    )
    return sink.getvalue()


def _emotion(values: list[float]) -> Emotion:
    a, b, c, d, e, f, g, h = values
    return (a, b, c, d, e, f, g, h)
