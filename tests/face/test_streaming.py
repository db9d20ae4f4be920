import pytest
import torch
from torch import Tensor

from unitaf.face.adapter import AdapterSizes, FeatureAdapter, ReferenceAdapter
from unitaf.face.calming import MoodAverage
from unitaf.face.decoder import TcnDecoder, make_head
from unitaf.face.expression import EmotionResidual, FilmResidual
from unitaf.face.model import Adapter, FaceModel, Residual
from unitaf.face.streaming import FeatureStream, stream_face
from unitaf.types import NEUTRAL, Emotion

DIM, OUT, CHANNELS = 32, 24, 7
HAPPY: Emotion = (0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.0)


def make_adapter(kind: str, feature_rate: float, fps: float) -> Adapter:
    torch.manual_seed(0)
    adapter: Adapter
    if kind == "reference":
        adapter = ReferenceAdapter(DIM, feature_rate, OUT)
    elif kind == "light":
        sizes = AdapterSizes(groups=1, waist=6, reads_first=True)
        adapter = FeatureAdapter(DIM, feature_rate, OUT, fps, sizes)
    else:
        adapter = FeatureAdapter(DIM, feature_rate, OUT, fps)
    for parameter in adapter.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return adapter.eval()


def make_model(adapter: Adapter, expression: Residual | None = None) -> FaceModel:
    head = make_head(16, CHANNELS, num_layers=2)
    decoder = TcnDecoder(OUT, 3, dim=16, style_dim=4)
    calming = MoodAverage([index > 3 for index in range(CHANNELS)], adapter.fps)
    return FaceModel(adapter, decoder, head, expression, calming).eval()


def residual() -> EmotionResidual:
    expression = EmotionResidual(DIM, [True] * CHANNELS, dim=16)
    torch.nn.init.normal_(expression.out.weight, std=0.1)
    return expression


def offline(model: FaceModel, features: Tensor, frames: int, emotion: Emotion) -> Tensor:
    masks = [torch.ones(1, size, dtype=torch.bool) for size in (len(features), frames)]
    with torch.inference_mode():
        curves = model(features[None], *masks, torch.tensor([1]), torch.tensor([emotion]))
    return curves[0]


def streamed(stream: FeatureStream, features: Tensor, chunk: int, frames: int) -> list[Tensor]:
    given = [stream.push(part) for part in features.split(chunk)]
    return [*given, stream.finish(frames)]


@pytest.mark.parametrize("chunk", [1, 7, 64, 200])
@pytest.mark.parametrize(
    ("kind", "feature_rate", "fps"),
    [
        ("general", 80.0, 30.0),
        ("general", 80.0, 29.97),
        ("general", 50.0, 60.0),
        ("general", 22050 / 256, 25.0),
        ("light", 80.0, 30.0),
        ("light", 22050 / 256, 25.0),
        ("reference", 50.0, 25.0),
    ],
)
def test_a_stream_equals_the_whole_clip_at_its_edges_too(
    kind: str, feature_rate: float, fps: float, chunk: int
) -> None:
    model = make_model(make_adapter(kind, feature_rate, fps), residual())
    features = torch.randn(150, DIM)
    frames = int(150 / feature_rate * model.fps) + 1
    expected = offline(model, features, frames, HAPPY)
    parts = streamed(stream_face(model, CHANNELS, 1, HAPPY), features, chunk, frames)
    torch.testing.assert_close(torch.cat(parts), expected, rtol=0.0, atol=1e-6)


def test_the_adapter_alone_streams_too() -> None:
    adapter = make_adapter("general", 80.0, 30.0).double()
    features = torch.randn(150, DIM, dtype=torch.float64)
    mask = torch.ones(1, 150, dtype=torch.bool)
    grid = adapter.grid(mask, torch.ones(1, 57, dtype=torch.bool))
    with torch.inference_mode():
        expected = adapter(features[None], mask, grid)[0]
    parts = streamed(FeatureStream(adapter, adapter.frame_context, adapter, OUT), features, 10, 57)
    torch.testing.assert_close(torch.cat(parts), expected, rtol=0.0, atol=1e-12)


def test_frames_come_as_soon_as_their_look_ahead_has() -> None:
    model = make_model(make_adapter("general", 80.0, 30.0))
    stream = stream_face(model, CHANNELS, 0, NEUTRAL)
    received = given = 0
    for part in torch.randn(160, DIM).split(8):
        given += len(stream.push(part))
        received += len(part)
        due = 30.0 * ((received - 1) / 80.0 - stream.look_ahead_s)
        assert due - 1.0 <= given <= max(due + 1.0, 0.0)
    assert stream.look_ahead_s < 0.35


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_clip_shorter_than_the_look_ahead_comes_at_the_end(steps: int) -> None:
    model = make_model(make_adapter("general", 80.0, 30.0))
    features = torch.randn(steps, DIM)
    none, everything = streamed(stream_face(model, CHANNELS, 1, NEUTRAL), features, steps, 2)
    assert none.shape == (0, CHANNELS)
    torch.testing.assert_close(everything, offline(model, features, 2, NEUTRAL))


def test_misuse_is_refused() -> None:
    adapter = make_adapter("general", 80.0, 30.0)
    whole_clip = make_model(adapter, FilmResidual(DIM, CHANNELS, 8, 16, 1, 4))
    with pytest.raises(ValueError, match="whole clip"):
        stream_face(whole_clip, CHANNELS, 0, NEUTRAL)
    stream = stream_face(make_model(adapter), CHANNELS, 0, NEUTRAL)
    with pytest.raises(ValueError, match="no features came"):
        stream.finish(3)
    stream.push(torch.randn(150, DIM))
    with pytest.raises(ValueError, match="more than 40 frames"):
        stream.finish(40)
