"""A training that takes seconds: small networks, clips whose face follows from their features."""

from collections.abc import Iterator

import numpy as np
import torch

from unitaf.checkpoint import FaceModelDescription, FeatureSpace, Sizes
from unitaf.config import StageConfig, TrainConfig
from unitaf.face.expression import non_lip_channels
from unitaf.losses import MouthWeighting, face_geometry
from unitaf.pipelines.training_step import ClipBatch, FaceMeasure

CHANNELS = ("jawOpen", "mouthPucker", "browInnerUp", "headYaw")
DIM, ENCODER_DIM = 32, 12
SMALL = {"decoder_dim": 16, "style_dim": 4, "expression_dim": 8, "expression_blocks": 1}
DESCRIBED = FaceModelDescription(
    features=FeatureSpace(name="engine/1", dim=DIM, rate=80.0),
    encoder=FeatureSpace(name="encoder/1", dim=ENCODER_DIM, rate=50.0),
    fps=30.0,
    channels=CHANNELS,
    styles=("ann", "ben"),
    sizes=Sizes(**SMALL),
    has_expression=False,
    mouth_interval=None,
    licence="CC0",
    corpus="made up",
    stages=(),
)
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
    free = [i for i, is_free in enumerate(non_lip_channels(CHANNELS)) if is_free]
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
