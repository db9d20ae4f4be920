from dataclasses import replace

import numpy as np
import pytest

from unitaf.emotion import parse_emotion
from unitaf.face.moods import animate_moods
from unitaf.face.visemes import VisemeAnimator
from unitaf.metrics import lips
from unitaf.rigs.arkit import CHANNELS
from unitaf.tts.acting import Actor
from unitaf.tts.hibari import Hibari
from unitaf.types import NEUTRAL, FaceMotion, Speech, Utterance

ANGRY, HAPPY = parse_emotion("angry"), parse_emotion("happy")
LINE = Utterance(
    "a",
    "Put the maps back, Ben. [pause 0.5s] [emotion: angry] Stop mumbling!"
    " [emotion: happy] Maybe Bob brought a boat.",
    seed=2,
)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return Actor(Hibari()).synthesize([LINE])[0]


def moved(speech: Speech) -> FaceMotion:
    return animate_moods(VisemeAnimator(), [LINE], [speech], 60.0)[0]


def test_a_line_of_one_mood_is_the_animators(speech: Speech) -> None:
    plain = replace(speech, moods=())
    (expected,) = VisemeAnimator().animate([LINE], [plain], 60.0)
    np.testing.assert_array_equal(moved(plain).curves, expected.curves)


def test_each_part_has_its_own_emotion(speech: Speech) -> None:
    curves = moved(speech).curves
    frames = [round(60.0 * mood.start_s) for mood in speech.moods] + [len(curves)]
    for index, emotion in enumerate((NEUTRAL, ANGRY, HAPPY)):
        felt = replace(speech, emotion=emotion, moods=())
        (whole,) = VisemeAnimator().animate([replace(LINE, emotion=emotion)], [felt], 60.0)
        inner = slice(frames[index] + 13, frames[index + 1] - 13)
        np.testing.assert_allclose(curves[inner], whole.curves[inner], atol=1e-6)


def test_one_mood_turns_into_the_next_without_a_jump_and_lips_close(speech: Speech) -> None:
    motion = moved(speech)
    brows = motion.curves[:, CHANNELS.index("browDownLeft")]
    assert np.abs(np.diff(brows)).max() < 0.08
    assert np.ptp(brows) > 0.3
    parting = lips.lip_parting(motion.curves, CHANNELS)
    closures = lips.bilabial_closures(speech.phones, parting, 60.0, 0.05)
    assert closures.bilabials >= 8
    assert closures.rate == 1.0
