import pytest

from unitaf.face.emotion_poses import POSES, emotion_manner, emotion_pose
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import EMOTIONS, NEUTRAL, Emotion


def only(name: str, strength: float = 1.0) -> Emotion:
    happy, angry, sad, afraid, disgusted, melancholic, surprised, calm = (
        strength if emotion == name else 0.0 for emotion in EMOTIONS
    )
    return (happy, angry, sad, afraid, disgusted, melancholic, surprised, calm)


def test_every_emotion_has_a_pose_of_known_channels() -> None:
    assert set(POSES) == set(EMOTIONS)
    for pose in POSES.values():
        for channel in pose:
            known = channel in CHANNELS or f"{channel}Left" in CHANNELS
            assert known or channel == "gazePitch", channel


def test_poses_grow_with_strength() -> None:
    for name in EMOTIONS:
        weak, strong = emotion_pose(only(name, 0.3)), emotion_pose(only(name))
        assert weak.keys() == strong.keys()
        for channel, weight in strong.items():
            assert weak[channel] == pytest.approx(0.3 * weight)


def test_no_two_emotions_look_alike() -> None:
    def distance(one: str, other: str) -> float:
        channels = POSES[one].keys() | POSES[other].keys()
        return max(abs(POSES[one].get(c, 0.0) - POSES[other].get(c, 0.0)) for c in channels)

    pairs = [(a, b) for a in EMOTIONS for b in EMOTIONS if a < b]
    assert min(distance(a, b) for a, b in pairs) > 0.2


def test_a_mixture_never_exceeds_its_parts() -> None:
    both: Emotion = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    pose = emotion_pose(both)
    for channel, weight in pose.items():
        parts = [POSES[name].get(channel, 0.0) for name in ("happy", "surprised")]
        assert abs(weight) <= max(abs(part) for part in parts) + 1e-9


def test_neutral_is_ordinary() -> None:
    assert emotion_pose(NEUTRAL) == {}
    manner = emotion_manner(NEUTRAL)
    assert (manner.mouth, manner.gestures, manner.blink_rate, manner.gaze_rate) == (1, 1, 1, 1)


def test_manners_fit_the_emotion() -> None:
    angry, sad, afraid = (emotion_manner(only(name)) for name in ("angry", "sad", "afraid"))
    assert sad.mouth < 1.0 < angry.mouth
    assert sad.gestures < 1.0 < angry.gestures
    assert angry.blink_rate < 1.0 < afraid.blink_rate
    assert emotion_manner(only("sad", 0.2)).mouth > sad.mouth
