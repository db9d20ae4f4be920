"""What every face animator promises, checked against all of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.face.tiny_unitalker import tiny_unitalker
from tests.serving.triton_server import TritonServer
from unitaf import timing
from unitaf.build import build_face
from unitaf.config import AutoFaceConfig
from unitaf.emotion import parse_emotion
from unitaf.face.hearing import HeardVisemes, PhoneRecognizer
from unitaf.face.recordings import RecordingAnimator, Target
from unitaf.face.triton import TritonFace
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, UNITALKER_51
from unitaf.triton.client import Limits, TritonClient
from unitaf.triton.tensors import FACE_MODEL
from unitaf.tts.hibari import Hibari
from unitaf.types import FaceAnimator, Mood, Speech, Utterance

ANGRY = parse_emotion("angry")
UTTERANCES = (
    Utterance("one", "Stop!", seed=3),
    Utterance("two", "The ship sails at dawn.", emotion=ANGRY),
    Utterance("three", "Who goes there?", speaker="Guard", seed=7),
)
TARGET = Target("inhouse_blendshape_weight", 3, 30.0, np.full(51, 0.3, np.float32))


def embedded() -> FaceAnimator:
    return build_face(AutoFaceConfig(kind="auto"), Hibari())


def heard() -> FaceAnimator:
    return HeardVisemes(PhoneRecognizer(), VisemeAnimator())


def unitalker() -> FaceAnimator:
    return RecordingAnimator(tiny_unitalker(), TARGET, UNITALKER_51, "unitalker test", "none")


def served(server: TritonServer) -> FaceAnimator:
    return TritonFace(TritonClient(server.url, FACE_MODEL, Limits()))


FACES = [VisemeAnimator, embedded, heard, unitalker, served]


@pytest.fixture(scope="module", params=FACES, ids=lambda face: face.__name__)
def face(request: pytest.FixtureRequest) -> FaceAnimator:
    make: Callable[..., FaceAnimator] = request.param
    return make(request.getfixturevalue("stub_server")) if make is served else make()


@pytest.fixture(scope="module")
def speeches() -> list[Speech]:
    return Hibari().synthesize(UTTERANCES)


def test_says_what_it_is(face: FaceAnimator) -> None:
    assert isinstance(face, FaceAnimator)
    face.load()
    assert face.fingerprint
    assert face.licence


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0, 120.0])
def test_gives_one_motion_for_each_speech_at_any_rate(
    face: FaceAnimator, speeches: list[Speech], fps: float
) -> None:
    assert face.animate([], [], fps) == []
    motions = face.animate(UTTERANCES, speeches, fps)
    assert len(motions) == len(speeches)
    for motion, speech in zip(motions, speeches, strict=True):
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        assert (motion.channels, motion.fps) == (CHANNELS, fps)
        assert motion.curves.shape == (frames, len(CHANNELS))
        assert motion.curves.dtype == np.float32
        assert np.isfinite(motion.curves).all()
        shapes = motion.curves[:, : len(BLENDSHAPES)]
        assert shapes.min() >= 0.0
        assert shapes.max() <= 1.0
        assert np.ptp(shapes, axis=0).max() > 0.0


def test_a_motion_does_not_depend_on_its_company(
    face: FaceAnimator, speeches: list[Speech]
) -> None:
    together = face.animate(UTTERANCES, speeches, 30.0)
    for utterance, speech, motion in zip(UTTERANCES, speeches, together, strict=True):
        [alone] = face.animate([utterance], [speech], 30.0)
        # Networks may add in another order in a batch.
        np.testing.assert_allclose(alone.curves, motion.curves, atol=1e-5)
        [again] = face.animate([utterance], [speech], 30.0)
        np.testing.assert_array_equal(again.curves, alone.curves)


def test_a_face_is_in_one_emotion_whatever_the_moods(
    face: FaceAnimator, speeches: list[Speech]
) -> None:
    line, speech = UTTERANCES[1], speeches[1]
    moody = replace(speech, moods=(Mood(0.0, ANGRY), Mood(0.5, parse_emotion("happy"))))
    [expected] = face.animate([line], [speech], 30.0)
    [found] = face.animate([line], [moody], 30.0)
    np.testing.assert_array_equal(found.curves, expected.curves)
