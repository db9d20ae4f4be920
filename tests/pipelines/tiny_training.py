"""A training that takes seconds: small networks, clips whose face follows from their features."""

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from unitaf import timing
from unitaf.audio import encode_audio
from unitaf.checkpoint.description import FaceModelDescription, FeatureSpace
from unitaf.config import NetworkSizes, StageConfig, TrainConfig
from unitaf.data.clips import Clip
from unitaf.data.corpus import CATALOG_SCHEMA, CorpusInfo
from unitaf.data.features import FeatureSet
from unitaf.data.payloads import encode_clips, encode_features
from unitaf.face.emotion_channels import emotion_channels
from unitaf.losses import MouthWeighting, face_geometry
from unitaf.pipelines.training_step import ClipBatch, FaceMeasure
from unitaf.rigs.arkit import CHANNELS as CANONICAL
from unitaf.rigs.arkit import column_indices
from unitaf.storage import open_storage
from unitaf.tts.stub import StubSpeech

CHANNELS = ("jawOpen", "mouthPucker", "browInnerUp", "headYaw")
DIM, ENCODER_DIM = 32, 12
SMALL = {"decoder_dim": 16, "style_dim": 4, "expression_dim": 8, "expression_blocks": 1}
DESCRIBED = FaceModelDescription(
    features=FeatureSpace(name="engine/1", dim=DIM, rate=80.0),
    encoder=FeatureSpace(name="encoder/1", dim=ENCODER_DIM, rate=50.0),
    fps=30.0,
    channels=CHANNELS,
    styles=("ann", "ben"),
    sizes=NetworkSizes(**SMALL),
    has_expression=False,
    mouth_interval=None,
    licence="CC0",
    corpus="made up",
    stages=(),
)


class TinyEngine(StubSpeech):
    """An engine with the features of the made-up clips."""

    @property
    def feature_rate(self) -> float:
        return DESCRIBED.features.rate

    @property
    def feature_dim(self) -> int:
        return DIM

    @property
    def features_fingerprint(self) -> str:
        return f"{DESCRIBED.features.name} voice=ann"


STAGES = (
    StageConfig(
        name="a2f",
        reads="encoder",
        trains=("decoder", "head"),
        losses={"coefficient": 1.0, "mouth_state": 100.0},
        steps=12,
        learning_rate=1e-2,
    ),
    StageConfig(name="align", trains=("adapter",), losses={"features": 1.0}, steps=12),
    StageConfig(
        name="joint",
        trains=("adapter", "decoder", "head"),
        losses={"coefficient": 1.0, "vertex": 1.0, "decoupled": 1.0},
        steps=12,
        learning_rate=1e-2,
    ),
    StageConfig(
        name="expression",
        trains=("expression",),
        losses={"residual": 1.0},
        steps=12,
        learning_rate=3e-2,
    ),
)


def tiny_config(**changes: object) -> TrainConfig:
    values = {
        "corpus": "made up",
        "out": "nowhere",
        "network": SMALL,
        "stages": STAGES,
        "optimiser": {"clips": 4, "warmup_steps": 2},
    }
    return TrainConfig.model_validate({**values, **changes})


def tiny_measure() -> FaceMeasure:
    random = torch.Generator().manual_seed(3)
    neutral = torch.rand(6, 3, generator=random)
    deltas = torch.rand(len(CHANNELS), 6, 3, generator=random) * 0.1
    deltas[2:] = 0.0
    free = [i for i, is_free in enumerate(emotion_channels(CHANNELS)) if is_free]
    geometry = face_geometry(neutral, deltas, torch.tensor([0, 1, 2]))
    return FaceMeasure(geometry, MouthWeighting(0.1, 0.6, base=0.1), 10.0, free)


class MadeUpClips:
    """Clips of different lengths; mouth from the features, brow from the emotion too."""

    def __init__(self, clips: int = 4, rank: int = 0, world: int = 1) -> None:
        self._clips, self._rank, self._world = clips, rank, world

    def batches(self, first: int) -> Iterator[ClipBatch]:
        index = first
        while True:
            yield made_up_batch(self._clips, index * self._world + self._rank)
            index += 1


def made_up_batch(clips: int, seed: int) -> ClipBatch:
    random = np.random.default_rng(seed)
    frames = random.integers(12, 30, clips)
    longest = int(frames.max())
    times = np.arange(longest) / 30.0
    phase = random.uniform(0, 6, (clips, 1))
    jaw = 0.5 + 0.4 * np.sin(9 * times + phase)
    pucker = 0.5 + 0.4 * np.cos(9 * times + phase)
    emotion = random.uniform(0, 1, (clips, 8)).astype(np.float32)
    brow = 0.5 * emotion[:, :1] * jaw
    curves = np.stack([jaw, pucker, brow, 0.1 * jaw], -1)

    def hidden(rate: float, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
        steps = np.ceil(frames * rate / 30.0).astype(int)
        own = np.arange(int(steps.max())) / rate
        waves = np.stack([np.sin(9 * own + phase), np.cos(9 * own + phase)], -1)
        mixed = waves @ np.random.default_rng(dim).normal(size=(2, dim))
        mask = np.arange(len(own)) < steps[:, None]
        return torch.tensor(mixed, dtype=torch.float32), torch.tensor(mask)

    features, step_mask = hidden(80.0, DIM)
    encoded, encoder_mask = hidden(50.0, ENCODER_DIM)
    return ClipBatch(
        features=features,
        step_mask=step_mask,
        encoded=encoded,
        encoder_mask=encoder_mask,
        curves=torch.tensor(curves, dtype=torch.float32),
        frame_mask=torch.tensor(np.arange(longest) < frames[:, None]),
        style_ids=torch.tensor(random.integers(0, 2, clips)),
        emotion=torch.tensor(emotion),
    )


def write_corpus(uri: str, clips: int = 24, seconds: float = 0.5) -> None:
    """Write a corpus as `prepare` leaves it: clips, features and the catalog of a run.

    Clips take between that long and twice as long.
    """
    storage = open_storage(uri)
    made = [_clip(index, seconds) for index in range(clips)]
    tts = FeatureSet("tts", "engine/1 voice=made-up", 80.0, DIM)
    encoder = FeatureSet("encoder", "encoder/1", 50.0, ENCODER_DIM)
    keys = [clip.key for clip in made]
    features = {
        row.name: [_features(clip, row.rate, row.dim) for clip in made] for row in (tts, encoder)
    }
    storage.create("clips/all.parquet", encode_clips(made))
    for name, rows in features.items():
        storage.create(f"features/{name}.parquet", encode_features(keys, rows))
    rows = [
        {
            **{name: getattr(clip, name) for name in SAME},
            "clip_key": clip.key,
            "clip_id": clip.id,
            "duration_s": clip.num_samples / clip.sample_rate,
            "num_frames": len(clip.curves),
            "file": "clips/all.parquet",
            "file_row": row,
            "alignment_cost": 0.0,
            **{f"{name}_file": f"features/{name}.parquet" for name in features},
            **{f"{name}_row": row for name in features},
            **{f"{name}_steps": len(features[name][row]) for name in features},
        }
        for row, clip in enumerate(made)
    ]
    info = CorpusInfo("made up", 30.0, tts, encoder, "CC0")
    table = pa.Table.from_pylist(rows, schema=CATALOG_SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"corpus": info.to_json()}), sink)
    storage.create("runs/20260101T000000Z-abcdef/catalog.parquet", sink.getvalue())


SAME = (
    "recording", "split", "speaker", "language", "text", "text_source", "emotion", "channels",
    "sample_rate", "num_samples",
)  # fmt: skip


def _clip(index: int, seconds: float) -> Clip:
    random = np.random.default_rng(index)
    samples = int(random.integers(16000 * seconds, 32000 * seconds))
    frames = timing.num_frames(samples, 16000, 30.0)
    emotion = tuple(random.uniform(0, 1, 8).tolist())
    phase = index % 7
    jaw = 0.3 + 0.3 * np.sin(9 * np.arange(frames) / 30.0 + phase)
    curves = np.zeros((frames, len(CANONICAL)), np.float32)
    values = np.stack([jaw, 0.6 - jaw, np.full_like(jaw, emotion[0]), 0.1 * jaw], -1)
    curves[:, column_indices(CANONICAL, CHANNELS)] = values
    return Clip(
        key=f"{index:032x}",
        id=f"clip{index}",
        recording=f"recording{index}",
        start_s=0.0,
        split=("train", "train", "train", "val")[index % 4],
        speaker=("ann", "ben")[index % 2],
        language="en",
        text="Pam met Bob",
        text_source="given",
        emotion=emotion,
        audio=encode_audio(np.zeros(samples, np.float32), 16000, "flac"),
        sample_rate=16000,
        num_samples=samples,
        curves=curves,
        channels=CHANNELS,
        fps=30.0,
    )


def _features(clip: Clip, rate: float, dim: int) -> np.ndarray:
    steps = timing.num_frames(clip.num_samples, clip.sample_rate, rate)
    times = np.arange(steps) / rate
    phase = int(clip.key, 16) % 7
    waves = np.stack([np.sin(9 * times + phase), np.cos(9 * times + phase)], -1)
    mixed = waves @ np.random.default_rng(dim).normal(size=(2, dim))
    return mixed.astype(np.float16)
