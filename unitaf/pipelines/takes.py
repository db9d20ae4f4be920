"""A shard's takes as Parquet: the table that animation pipelines read.

Conventions: one row a take, audio as a whole encoded file in a binary column, curves as a list of
frames of 61 float32 whose names stand in the schema's metadata (``channels``, comma separated).
Row groups are small, so that one take is one small range read. The same takes give the same bytes.
"""

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.audio import decode_audio, encode_audio
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import (
    EMOTIONS,
    Emotion,
    FaceMotion,
    Phone,
    Provenance,
    Speech,
    Take,
    Utterance,
    Word,
)

ROW_GROUP_SIZE = 8

_PHONE = pa.struct(
    [
        ("label", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("stress", pa.int8()),
    ]
)
_WORD = pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])
_PROVENANCE = pa.struct(
    [(name, pa.string()) for name in ("tts", "face", "voice", "licence", "unitaf")]
)

SCHEMA = pa.schema(
    [
        pa.field("take_key", pa.string(), nullable=False),
        pa.field("line_id", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("speaker", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("emotion", pa.list_(pa.float64(), len(EMOTIONS)), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("sample_rate", pa.int32(), nullable=False),
        pa.field("num_samples", pa.int64(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("audio", pa.binary(), nullable=False),
        pa.field("audio_format", pa.string(), nullable=False),
        pa.field("fps", pa.float64(), nullable=False),
        pa.field("curves", pa.list_(pa.list_(pa.float32(), len(CHANNELS))), nullable=False),
        pa.field("phones", pa.list_(_PHONE), nullable=False),
        pa.field("words", pa.list_(_WORD), nullable=False),
        pa.field("provenance", _PROVENANCE, nullable=False),
    ],
    metadata={"channels": ",".join(CHANNELS), "emotions": ",".join(EMOTIONS), "angles": "radians"},
)


def encode_takes(takes: Sequence[Take], audio_format: str) -> bytes:
    """Write takes as one Parquet file, in the order given."""
    table = pa.Table.from_pylist([_row(take, audio_format) for take in takes], schema=SCHEMA)
    table = table.set_column(
        SCHEMA.get_field_index("curves"), SCHEMA.field("curves"), _curves_column(takes)
    )
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP_SIZE,
        use_dictionary=["language", "speaker", "engine", "audio_format"],
        compression=_compression(),
        use_byte_stream_split=["curves.list.element.list.element"],
        write_statistics=["take_key", "line_id"],
    )
    return sink.getvalue()


def decode_takes(table: pa.Table) -> Iterator[Take]:
    """Read takes back from rows of the table; features and F0, which are not kept, come empty."""
    for batch in table.to_batches():
        curves = batch.column("curves")
        for index, row in enumerate(batch.drop_columns(["curves"]).to_pylist()):
            values = curves[index].values.flatten().to_numpy().reshape(-1, len(CHANNELS))
            yield _take(row, values)


def _row(take: Take, audio_format: str) -> dict[str, Any]:
    utterance, speech = take.utterance, take.speech
    return {
        "take_key": take.key,
        "line_id": utterance.id,
        "language": utterance.language,
        "speaker": utterance.speaker,
        "text": utterance.text,
        "emotion": utterance.emotion,
        "seed": utterance.seed,
        "engine": take.provenance.tts.partition(" ")[0],
        "sample_rate": speech.sample_rate,
        "num_samples": speech.num_samples,
        "duration_s": speech.duration_s,
        "audio": encode_audio(speech.waveform, speech.sample_rate, audio_format),
        "audio_format": audio_format,
        "fps": take.motion.fps,
        "curves": [],
        "phones": [
            {"label": p.label, "start_s": p.start_s, "end_s": p.end_s, "stress": p.stress}
            for p in speech.phones
        ],
        "words": [{"text": w.text, "start_s": w.start_s, "end_s": w.end_s} for w in speech.words],
        "provenance": {
            "tts": take.provenance.tts,
            "face": take.provenance.face,
            "voice": take.provenance.voice,
            "licence": take.provenance.licence,
            "unitaf": take.provenance.unitaf,
        },
    }


def _curves_column(takes: Sequence[Take]) -> pa.Array:
    frames = [len(take.motion.curves) for take in takes]
    values = np.concatenate([take.motion.curves for take in takes]) if takes else np.zeros((0, 61))
    flat = pa.array(np.ascontiguousarray(values, np.float32).reshape(-1))
    offsets = pa.array(np.concatenate([[0], np.cumsum(frames)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, len(CHANNELS)))


@cache
def _compression() -> dict[str, str]:
    """Return the codec of every column: LZ4, which costs least; FLAC cannot be made smaller."""
    file = io.BytesIO()
    pq.write_table(SCHEMA.empty_table(), file)
    schema = pq.ParquetFile(file).schema
    columns = [schema.column(index).path for index in range(len(schema))]
    return {name: "none" if name == "audio" else "lz4" for name in columns}


def _take(row: dict[str, Any], curves: np.ndarray) -> Take:
    waveform, sample_rate = decode_audio(row["audio"])
    speech = Speech(
        waveform=waveform,
        sample_rate=sample_rate,
        features=np.zeros((0, 0), np.float32),
        feature_rate=0.0,
        phones=tuple(Phone(**phone) for phone in row["phones"]),
        words=tuple(Word(**word) for word in row["words"]),
        emotion=_emotion(row),
    )
    return Take(
        key=row["take_key"],
        utterance=Utterance(
            row["line_id"], row["text"], row["language"], row["speaker"], _emotion(row), row["seed"]
        ),
        speech=speech,
        motion=FaceMotion(curves, CHANNELS, row["fps"]),
        provenance=Provenance(**row["provenance"]),
    )


def _emotion(row: dict[str, Any]) -> Emotion:
    a, b, c, d, e, f, g, h = row["emotion"]
    return (a, b, c, d, e, f, g, h)
