"""A small corpus, laid down from its parts without a preparation run."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.data.captures import babble, moving
from unitaf.audio import encode_audio
from unitaf.data.clips import Clip
from unitaf.data.corpus import CATALOG_SCHEMA, Corpus, CorpusInfo
from unitaf.data.features import FeatureSet
from unitaf.data.payloads import encode_clips, encode_features
from unitaf.rigs.arkit import CHANNELS
from unitaf.storage import open_storage
from unitaf.types import NEUTRAL

TTS = FeatureSet("tts", "voice/1", 80.0, 6)
ENCODER = FeatureSet("encoder", "ears/1", 50.0, 4)
FPS = 30.0


def clip(number: int, duration_s: float) -> Clip:
    frames = int(np.ceil(duration_s * FPS - 1e-9))
    sound = babble(duration_s, seed=number).astype(np.float32)
    return Clip(
        key=f"{number:032x}",
        id=f"clip{number}",
        recording=f"clip{number}",
        start_s=0.0,
        split="val" if number % 5 == 4 else "train",
        speaker=("zoe", "ann", "bob")[number % 3],
        language="en",
        text=f"Line {number}.",
        text_source="given",
        emotion=NEUTRAL,
        audio=encode_audio(sound, 16000, "flac"),
        sample_rate=16000,
        num_samples=len(sound),
        curves=moving(frames, 61, number),
        channels=CHANNELS[: 52 if number == 1 else 61],
        fps=FPS,
    )


def features(number: int, steps: int, dim: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(steps, dim)).astype(np.float16)


def lay_down(folder: Path, durations_s: list[float], run: str = "runs/1", first: int = 0) -> Corpus:
    """Write clips of some lengths in files of three; the last one has no speech features."""
    storage = open_storage(str(folder))
    clips = [clip(first + number, duration) for number, duration in enumerate(durations_s)]
    rows = []
    for start in range(0, len(clips), 3):
        group = clips[start : start + 3]
        numbers = [int(one.key, 16) for one in group]
        seconds = [len(one.curves) / FPS for one in group]
        pairs = list(zip(numbers, seconds, strict=True))
        spoken = [features(number, round(80 * length_s), 6) for number, length_s in pairs]
        heard = [features(number, round(50 * length_s), 4) for number, length_s in pairs]
        keys = [one.key for one in group]
        name = f"{run.replace('/', '-')}-{start}.parquet"
        storage.create(f"clips/{name}", encode_clips(group))
        storage.create(f"features/tts/{name}", encode_features(keys, spoken))
        storage.create(f"features/encoder/{name}", encode_features(keys, heard))
        for row, one in enumerate(group):
            has_speech = one is not clips[-1]
            rows.append(
                {
                    **{field: getattr(one, field, None) for field in CATALOG_SCHEMA.names},
                    "clip_key": one.key,
                    "clip_id": one.id,
                    "duration_s": one.num_samples / one.sample_rate,
                    "num_frames": len(one.curves),
                    "file": f"clips/{name}",
                    "file_row": row,
                    "tts_file": f"features/tts/{name}" if has_speech else None,
                    "tts_row": row,
                    "tts_steps": len(spoken[row]),
                    "alignment_cost": 0.5,
                    "encoder_file": f"features/encoder/{name}",
                    "encoder_row": row,
                    "encoder_steps": len(heard[row]),
                }
            )
    info = CorpusInfo(run, FPS, TTS, ENCODER, "Apache-2.0")
    schema = CATALOG_SCHEMA.with_metadata({"corpus": info.to_json()})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    storage.create(f"{run}/catalog.parquet", sink.getvalue())
    return Corpus(storage)
