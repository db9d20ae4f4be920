import io

import numpy as np
import pytest
import torch

from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.adapter import FeatureAdapter, ReferenceAdapter
from unitaf.face.animator import FaceModelAnimator
from unitaf.face.decoder import TcnDecoder, make_head
from unitaf.face.emotion_channels import emotion_channels
from unitaf.face.expression import EmotionResidual
from unitaf.face.model import Adapter, FaceModel, TorchNetwork
from unitaf.losses import coefficient_loss
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import Emotion, Speech, Utterance

DIM, OUT, RATE = 32, 24, 80.0
NAMES = ("JawOpen", "mouthClose", "browInnerUp", "headYaw", "tongueOut")
ANGRY: Emotion = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def make_model(adapter: Adapter | None = None, expressive: bool = True) -> FaceModel:
    torch.manual_seed(0)
    expression = None
    if expressive:
        expression = EmotionResidual(DIM, emotion_channels(NAMES), dim=16)
        torch.nn.init.normal_(expression.out.weight, std=0.1)
    head = make_head(16, len(NAMES))
    torch.nn.init.normal_(head.weight, std=0.2)
    torch.nn.init.normal_(head.bias, std=0.2)
    adapter = adapter or FeatureAdapter(DIM, RATE, OUT, 30.0)
    return FaceModel(adapter, TcnDecoder(OUT, 3, dim=16, style_dim=4), head, expression)


def make_animator(model: FaceModel | None = None, style_id: int = 2) -> FaceModelAnimator:
    network = TorchNetwork(model or make_model(), style_id)
    return FaceModelAnimator(network, NAMES, "model-1", "CC0")


def speech_of(num_samples: int, seed: int = 0) -> Speech:
    steps = timing.num_frames(num_samples, 16_000, RATE)
    features = np.random.default_rng(seed).normal(size=(steps, DIM)).astype(np.float32)
    return Speech(np.zeros(num_samples, np.float32), 16_000, features, RATE)


@pytest.mark.parametrize("adapter", [None, ReferenceAdapter(DIM, RATE, OUT)])
def test_sixteen_ragged_clips_are_what_they_are_alone(adapter: Adapter | None) -> None:
    model = make_model(adapter).eval()
    random = np.random.default_rng(0)
    seconds = np.concatenate([[0.5, 20.0], random.uniform(0.5, 20.0, 14)])
    frames = [timing.num_frames(int(s * 16_000), 16_000, model.fps) for s in seconds]
    steps = [timing.num_frames(int(s * 16_000), 16_000, RATE) for s in seconds]
    features = torch.randn(16, max(steps), DIM)
    step_mask = torch.arange(max(steps)) < torch.tensor(steps)[:, None]
    frame_mask = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    styles, emotion = torch.arange(16) % 3, torch.rand(16, 8)
    with torch.inference_mode():
        together = model(features, step_mask, frame_mask, styles, emotion)
        for row in range(16):
            one, own, given = slice(row, row + 1), frames[row], steps[row]
            alone = model(
                features[one, :given],
                step_mask[one, :given],
                frame_mask[one, :own],
                styles[one],
                emotion[one],
            )
            torch.testing.assert_close(together[row, :own], alone[0], rtol=0.0, atol=1e-5)


def train(model: FaceModel, steps: int) -> list[float]:
    """Fit four random clips of different lengths and return the loss of every step."""
    random = torch.Generator().manual_seed(1)
    features = torch.randn(4, 64, DIM, generator=random)
    target = torch.rand(4, 24, len(NAMES), generator=random)
    emotion = torch.rand(4, 8, generator=random)
    step_mask = torch.arange(64) < torch.tensor([64, 48, 32, 16])[:, None]
    frame_mask = torch.arange(24) < torch.tensor([24, 18, 12, 6])[:, None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    model.train()
    for _ in range(steps):
        curves = model(features, step_mask, frame_mask, torch.arange(4) % 3, emotion)
        loss = coefficient_loss(curves, target, frame_mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_four_clips_are_learnt_by_heart_in_fifty_steps() -> None:
    losses = train(make_model(), 50)
    assert losses[-1] < 0.1 * losses[0]


def test_two_seeded_steps_give_the_losses_they_always_gave() -> None:
    model = make_model()
    model.decoder.dropout.p = 0.0
    assert train(model, 2) == pytest.approx([0.742350936, 1.014974594], rel=1e-5)


def test_a_saved_model_is_the_same_model() -> None:
    trained, fresh = make_model(), make_model()
    train(trained, 3)
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    line, speech = [Utterance("a", "", emotion=ANGRY)], [speech_of(16_000)]
    expected, found = (make_animator(m).animate(line, speech, 30.0)[0] for m in (trained, fresh))
    assert found.curves.tobytes() == expected.curves.tobytes()


def test_lips_learn_nothing_from_the_residual() -> None:
    model = make_model().train()
    features = torch.randn(2, 40, DIM)
    step_mask, frame_mask = torch.ones(2, 40).bool(), torch.ones(2, 15).bool()
    curves = model(features, step_mask, frame_mask, torch.tensor([0, 1]), torch.rand(2, 8))
    grid = model.adapter.grid(step_mask, frame_mask)
    torch.manual_seed(1)
    mouth = model.mouth(features, step_mask, grid, torch.tensor([0, 1]))
    free = torch.tensor(emotion_channels(NAMES))
    assert curves.shape == mouth.shape == (2, 15, len(NAMES))
    (through_sum,) = torch.autograd.grad(curves[..., free].sum(), model.head.bias)
    torch.testing.assert_close(through_sum, 30.0 * free.float())


@pytest.mark.parametrize("fps", [24.0, 29.97, 30.0, 60.0])
def test_motions_have_the_frames_of_the_sample_clock(fps: float) -> None:
    speeches = [speech_of(num) for num in (16_000, 16_001, 4_321)]
    utterances = [Utterance(str(index), "") for index in range(3)]
    motions = make_animator().animate(utterances, speeches, fps)
    for motion, speech in zip(motions, speeches, strict=True):
        frames = timing.num_frames(speech.num_samples, 16_000, fps)
        assert motion.curves.shape == (frames, len(CHANNELS))
        assert motion.channels == CHANNELS
        assert motion.fps == fps


def test_every_frame_rate_samples_the_same_motion() -> None:
    animator, line = make_animator(), [Utterance("a", "")]
    own = animator.animate(line, [speech_of(32_000)], 30.0)[0].curves
    double = animator.animate(line, [speech_of(32_000)], 60.0)[0].curves
    np.testing.assert_allclose(double[::2], own, atol=1e-6)
    np.testing.assert_allclose(double[1:-1:2], (own[:-1] + own[1:]) / 2.0, atol=1e-6)
    assert own.any()


def test_curves_land_on_their_names_and_are_clipped() -> None:
    curves = make_animator().animate([Utterance("a", "")], [speech_of(32_000)], 30.0)[0].curves
    moved = {name for name, column in zip(CHANNELS, curves.T, strict=True) if column.any()}
    assert moved == {"jawOpen", "mouthClose", "browInnerUp", "headYaw", "tongueOut"}
    assert curves[:, :52].min() == 0.0
    assert curves[:, :52].max() == 1.0
    assert curves[:, CHANNELS.index("headYaw")].min() < 0.0


def test_emotion_and_style_change_the_face() -> None:
    speech, model = [speech_of(16_000)], make_model()
    animator = make_animator(model)
    neutral = animator.animate([Utterance("a", "")], speech, 30.0)[0].curves
    angry = animator.animate([Utterance("a", "", emotion=ANGRY)], speech, 30.0)[0].curves
    other = make_animator(model, 0).animate([Utterance("a", "")], speech, 30.0)[0].curves
    jaw, brow = CHANNELS.index("jawOpen"), CHANNELS.index("browInnerUp")
    np.testing.assert_array_equal(angry[:, jaw], neutral[:, jaw])
    assert (angry[:, brow] != neutral[:, brow]).any()
    assert (other[:, jaw] != neutral[:, jaw]).any()


def test_a_take_does_not_depend_on_its_batch() -> None:
    speeches = [speech_of(num, seed) for seed, num in enumerate((16_000, 3_210, 27_999))]
    utterances = [Utterance(str(index), "") for index in range(3)]
    together = make_animator().animate(utterances, speeches, 30.0)
    for utterance, speech, motion in zip(utterances, speeches, together, strict=True):
        alone = make_animator().animate([utterance], [speech], 30.0)[0]
        assert alone.curves.tobytes() == motion.curves.tobytes()


def test_misuse_is_refused() -> None:
    line = [Utterance("line 7", "")]
    foreign = Speech(np.zeros(800, np.float32), 16_000, np.zeros((4, 48), np.float32), 50.0)
    with pytest.raises(ValueError, match=r"32 features at 80\.0 Hz; this engine gives 48 at 50"):
        make_animator().animate(line, [foreign], 30.0)
    with pytest.raises(InputError, match="'line 7': the speech is empty"):
        make_animator().animate(line, [speech_of(0)], 30.0)
    with pytest.raises(ValueError, match="0 to 2, not 3"):
        make_animator(style_id=3)
    with pytest.raises(ValueError, match="missing channels: mouthWide"):
        FaceModelAnimator(TorchNetwork(make_model(), 0), ("mouthWide",), "", "")
