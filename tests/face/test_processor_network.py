from collections.abc import Mapping

import numpy as np
import pytest
import torch

from unitaf.checkpoint.description import FaceModelDescription, FeatureSpace
from unitaf.checkpoint.face_model import build_face_model
from unitaf.config import NetworkSizes
from unitaf.face.model import FaceModel, TorchNetwork
from unitaf.face.network_graph import NetworkShape
from unitaf.face.processor_network import ProcessorNetwork
from unitaf.types import NEUTRAL, Emotion

CHANNELS = ("jawOpen", "mouthClose", "browInnerUp", "mouthSmileLeft", "cheekPuff")
SAD: Emotion = (0.0, 0.2, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0)
PUBLISHED = NetworkSizes(decoder_dim=24, style_dim=8, expression_dim=16)
LIGHT = NetworkSizes(
    adapter_blocks=2,
    adapter_groups=1,
    adapter_waist=12,
    adapter_reads_first=True,
    decoder_dim=16,
    style_dim=4,
    expression_dim=8,
    expression_blocks=1,
)
ALIKE = NetworkSizes(adapter_reads_first=True, adapter_groups=2, decoder_dim=256, style_dim=1)


def make_model(
    sizes: NetworkSizes, dim: int, has_expression: bool, rate: float = 80.0, fps: float = 30.0
) -> tuple[FaceModel, NetworkShape]:
    described = FaceModelDescription(
        features=FeatureSpace(name="engine/1", dim=dim, rate=rate),
        encoder=FeatureSpace(name="encoder/1", dim=300, rate=50.0),
        fps=fps,
        channels=CHANNELS,
        styles=("ann", "ben"),
        sizes=sizes,
        has_expression=has_expression,
        mouth_interval=None,
        licence="CC0",
        corpus="none",
        stages=(),
    )
    torch.manual_seed(0)
    model = build_face_model(described)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0.0, 0.3)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    shape = NetworkShape(dim, 300, len(CHANNELS), 3, has_expression, sizes)
    return model, shape


def state_of(model: FaceModel) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def on_processor(
    state: Mapping[str, np.ndarray], shape: NetworkShape, style_id: int = 1
) -> ProcessorNetwork:
    return ProcessorNetwork(state, shape, (80.0, 30.0), CHANNELS, style_id)


@pytest.mark.parametrize("has_expression", [True, False])
@pytest.mark.parametrize(
    ("sizes", "dim"),
    [(PUBLISHED, 64), (PUBLISHED, 256), (LIGHT, 256), (LIGHT, 320), (ALIKE, 64)],
)
def test_it_gives_what_torch_gives(sizes: NetworkSizes, dim: int, has_expression: bool) -> None:
    model, shape = make_model(sizes, dim, has_expression)
    random = np.random.default_rng(0)
    for style_id, (steps, frames) in enumerate([(1, 1), (2, 3), (301, 113)]):
        features = random.normal(size=(steps, dim)).astype(np.float32)
        network, torchs = (
            on_processor(state_of(model), shape, style_id),
            TorchNetwork(model, style_id),
        )
        for emotion in (NEUTRAL, SAD):
            expected = torchs.decode(features, frames, emotion)
            found = network.decode(features, frames, emotion)
            assert found.shape == expected.shape == (frames, len(CHANNELS))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize(("rate", "fps"), [(50.0, 25.0), (80.0, 29.97), (22050 / 256, 60.0)])
def test_it_keeps_the_clock_at_any_rate(rate: float, fps: float) -> None:
    model, shape = make_model(LIGHT, 32, True, rate, fps)
    features = np.random.default_rng(0).normal(size=(round(40 * rate), 32)).astype(np.float32)
    network = ProcessorNetwork(state_of(model), shape, (rate, fps), CHANNELS, 0)
    frames = round(40 * fps)
    expected = TorchNetwork(model, 0).decode(features, frames, SAD)
    np.testing.assert_allclose(
        network.decode(features, frames, SAD), expected, rtol=1e-4, atol=2e-5
    )
    assert (network.feature_dim, network.feature_rate, network.fps) == (32, rate, fps)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"head.bias": None}, "head.bias is missing"),
        ({"head.bias": np.zeros(7)}, r"head.bias is \[7\] instead of \[5\]"),
        ({"tail.bias": np.zeros(7)}, "unexpected are tail.bias"),
    ],
)
def test_another_networks_tensors_are_refused(
    damage: dict[str, np.ndarray | None], message: str
) -> None:
    model, shape = make_model(LIGHT, 32, True)
    state = {k: v for k, v in (state_of(model) | damage).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        on_processor(state, shape)
    with pytest.raises(ValueError, match="0 to 2, not 3"):
        on_processor(state_of(model), shape, 3)
