from pathlib import Path

import numpy as np
import pytest
import torch

from tests.face.tiny_unitalker import babble
from tests.pipelines.tiny_training import DESCRIBED
from tests.test_checkpoint import tiny_checkpoint
from unitaf import timing
from unitaf.checkpoint.description import FaceModelDescription, FeatureSpace
from unitaf.checkpoint.face_model import build_face_model, write_face_model
from unitaf.checkpoint.unitalker import encoder_space, load_checkpoint
from unitaf.config import NetworkSizes, StageConfig
from unitaf.errors import ConfigError
from unitaf.face.decoder import FrameGrid
from unitaf.face.model import FaceModel
from unitaf.face.recordings import predict_motion
from unitaf.pipelines.training_stages import begin_stage
from unitaf.rigs.arkit import UNITALKER_51
from unitaf.storage import open_storage

CHANNELS = ("jawOpen", "headYaw", "mouthPucker", "tongueOut")


@pytest.fixture
def unitalker(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "unitalker")


def on_unitalker(folder: Path, **changes: object) -> FaceModelDescription:
    described = {
        "encoder": encoder_space(load_checkpoint(folder).description),
        "channels": CHANNELS,
        "sizes": NetworkSizes(decoder_dim=24, style_dim=64),
        **changes,
    }
    return DESCRIBED.model_copy(update=described)


def begun(folder: Path, described: FaceModelDescription) -> FaceModel:
    stage = StageConfig(
        name="align", trains=("adapter",), losses={"features": 1.0}, steps=1, init_from=str(folder)
    )
    return begin_stage(described, (stage,), 0, None, is_resumed=False)


def test_a_stage_begins_from_unitalker_and_moves_as_it_does(unitalker: Path) -> None:
    other = load_checkpoint(unitalker)
    waveform = babble(24_000)
    (expected,) = predict_motion(other.model, [waveform], other.target()[1])

    described = on_unitalker(unitalker)
    model = begun(unitalker, described).eval()
    (encoded,) = other.model.encoder.encode([waveform])
    frames = timing.num_frames(len(waveform), 16_000, 30.0)
    grid = FrameGrid.on_clock([len(encoded)], [frames], described.encoder.rate, 30.0)
    for style in range(3):
        with torch.inference_mode():
            read = grid.read(torch.from_numpy(encoded)[None])
            moved = model.head(model.decoder(read, grid.mask, torch.tensor([style])))[0].numpy()
        for row, name in ((0, "jawOpen"), (2, "mouthPucker")):
            theirs = expected[:, UNITALKER_51.index(name)]
            assert np.ptp(theirs) > 0.01
            np.testing.assert_allclose(moved[:, row], theirs, atol=1e-5)
        assert not moved[:, [1, 3]].any()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"encoder": FeatureSpace(name="whisper", dim=32, rate=50.0)},
            r"reads its own encoder, but the corpus has the features of whisper: prepare it with",
        ),
        ({"fps": 60.0}, r"its set D6 moves at 30 fps, this network at 60: set network\.fps"),
        ({"sizes": NetworkSizes(decoder_dim=32)}, r"has another network: .* of the wrong shape"),
    ],
)
def test_a_unitalker_that_does_not_fit_is_refused(
    unitalker: Path, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        begun(unitalker, on_unitalker(unitalker, **changes))


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, unitalker: Path) -> None:
    with pytest.raises(ConfigError, match="is not a checkpoint"):
        begun(tmp_path, on_unitalker(unitalker))


def test_an_adapter_that_reads_at_another_rate_is_refused(tmp_path: Path) -> None:
    """Its tensors may well have the same shapes."""
    state = build_face_model(DESCRIBED).state_dict()
    write_face_model(open_storage(str(tmp_path)), "model", DESCRIBED, state)
    sizes = DESCRIBED.sizes.model_copy(update={"adapter_reads_first": True})
    with pytest.raises(ConfigError, match=r"its adapter_reads_first is False; this network's is"):
        begun(tmp_path / "model", DESCRIBED.model_copy(update={"sizes": sizes}))
