from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.face.tiny_unitalker import babble, tiny_unitalker
from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.recordings import (
    RecordingAnimator,
    Target,
    predict_motion,
    upstream_windows,
)
from unitaf.face.unitalker import UniTalker
from unitaf.face.windows import join_windows
from unitaf.rigs.arkit import CHANNELS, UNITALKER_51
from unitaf.types import FaceAnimator, Speech, Utterance

TARGET = Target("inhouse_blendshape_weight", 3, 30.0, np.full(51, 0.3, np.float32))


@pytest.fixture(scope="module", params=["wavlm", "wav2vec2"])
def model(request: pytest.FixtureRequest) -> UniTalker:
    return tiny_unitalker(encoder=request.param)


def animator(model: UniTalker) -> FaceAnimator:
    return RecordingAnimator(model, TARGET, UNITALKER_51, "unitalker test", "none")


def speech(waveform: np.ndarray, sample_rate: int = 16_000) -> Speech:
    return Speech(waveform, sample_rate, np.zeros((1, 1), np.float32), 50.0)


def test_clips_given_together_get_what_each_gets_alone(model: UniTalker) -> None:
    lengths = [0.5, 0.5, 0.8, 2.0, 2.2, 2.3, 0.03, 2.2]
    waveforms = [babble(int(16_000 * s), seed) for seed, s in enumerate(lengths)]
    together = predict_motion(model, waveforms, TARGET)
    alone = [predict_motion(model, [waveform], TARGET)[0] for waveform in waveforms]
    assert max(np.abs(a - b).max() for a, b in zip(together, alone, strict=True)) <= 1e-5


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("sample_rate", [16_000, 24_000, 44_100])
def test_a_motion_fits_its_sound_at_any_rate(fps: float, sample_rate: int) -> None:
    waveform = babble(int(1.2345 * sample_rate), sample_rate=sample_rate)
    animated = animator(tiny_unitalker())
    motion = animated.animate([Utterance("a", "")], [speech(waveform, sample_rate)], fps)[0]
    frames = timing.num_frames(len(waveform), sample_rate, fps)
    assert motion.curves.shape == (frames, len(CHANNELS))
    assert motion.fps == fps
    assert motion.channels == CHANNELS


def test_frame_rates_sample_one_motion() -> None:
    sound, line = speech(babble(32_000)), Utterance("a", "")
    animated = animator(tiny_unitalker())
    slow, fast = (animated.animate([line], [sound], fps)[0].curves for fps in (30.0, 60.0))
    assert np.allclose(slow, fast[::2], atol=1e-6)
    assert slow.std(axis=0).max() > 0.01


def test_curves_stay_within_their_range_and_other_channels_at_rest(model: UniTalker) -> None:
    far = replace(TARGET, template=np.linspace(-2, 3, 51).astype(np.float32))
    animated = RecordingAnimator(model, far, UNITALKER_51, "", "")
    curves = animated.animate([Utterance("a", "")], [speech(babble(16_000))], 30.0)[0].curves
    assert curves.min() == 0.0
    assert curves.max() == 1.0
    rest = [CHANNELS.index(name) for name in ("tongueOut", "headYaw", "leftEyePitch")]
    assert (curves[:, rest] == 0.0).all()


def test_a_long_recording_is_windowed_and_short_ones_beside_it_are_not_touched(
    model: UniTalker,
) -> None:
    long, short = babble(16_000 * 31, seed=1), babble(16_000 * 2, seed=2)
    first, second = predict_motion(model, [long, short], TARGET)
    assert first.shape == (31 * 30, 51)
    assert np.allclose(second, predict_motion(model, [short], TARGET)[0], atol=1e-5)


def test_the_clock_and_the_published_way_differ_by_less_than_a_step_of_the_encoder() -> None:
    model, waveform = tiny_unitalker(), babble(16_000 * 3)
    ours = predict_motion(model, [waveform], TARGET)[0]
    theirs = join_windows(upstream_windows(model, waveform, TARGET), TARGET.fps)
    assert ours.shape == theirs.shape
    assert np.allclose(ours[0], theirs[0], atol=1e-5)
    step = np.abs(np.diff(ours, axis=0)).max()
    assert 0 < np.abs(ours - theirs).max() < step


def test_the_style_changes_motion_and_fingerprint() -> None:
    model, other = tiny_unitalker(), replace(TARGET, style_id=4)
    waveform = babble(8000)
    ours, theirs = (predict_motion(model, [waveform], target)[0] for target in (TARGET, other))
    assert np.abs(ours - theirs).max() > 1e-3
    named = [
        RecordingAnimator(model, t, UNITALKER_51, "x", "").fingerprint for t in (TARGET, other)
    ]
    assert named[0] != named[1]


def test_pca_heads_are_decoded() -> None:
    from unitaf.face.decoder import PcaBasis

    model = tiny_unitalker()
    torch.manual_seed(0)
    basis = PcaBasis(torch.randn(12, 60), torch.randn(60))
    plain = replace(TARGET, head="FLAME_5023_vertices", template=np.zeros(12, np.float32))
    numbers = predict_motion(model, [babble(8000)], plain)[0]
    model.bases["FLAME_5023_vertices"] = basis
    decoded = replace(plain, template=np.ones(60, np.float32))
    motion = predict_motion(model, [babble(8000)], decoded)[0]
    expected = numbers @ basis.basis.numpy() + basis.mean.numpy() + 1.0
    assert np.allclose(motion, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("waveform", "problem"),
    [
        (np.zeros(0, np.float32), "line 'b': the audio is empty"),
        (np.zeros(300, np.float32), r"line 'b': the audio lasts 18\.8 ms; at least 25 ms"),
        (np.full(8000, np.inf, np.float32), "line 'b': the audio holds values that are not finite"),
    ],
)
def test_bad_audio_names_its_line(waveform: np.ndarray, problem: str) -> None:
    lines = [Utterance("a", ""), Utterance("b", "")]
    with pytest.raises(InputError, match=problem):
        animator(tiny_unitalker()).animate(lines, [speech(babble(8000)), speech(waveform)], 30.0)
