from dataclasses import fields

import numpy as np
import pytest

from unitaf.face.channel_mixing import EYE_RANGE, Mixer, Scale
from unitaf.face.coarticulation import MouthShape
from unitaf.face.speech_gestures import Brows, EyesAndHead
from unitaf.rigs.arkit import CHANNELS, LIP_OPENING

FRAMES = 3
EVEN = Scale(jaw=1.0, lips=1.0, spread=1.0, left_mouth=0.0, left_brow=0.0)
PARTING_POSE = {"jawOpen": 0.1, "mouthUpperUp": 0.3, "mouthFunnel": 0.2, "mouthLowerDown": 0.2}


def mouth_of(**parts: float) -> MouthShape:
    names = [field.name for field in fields(MouthShape)]
    values = {name: np.full(FRAMES, parts.get(name, 0.0)) for name in names}
    return MouthShape(**(values | {"edge": np.full(FRAMES, parts.get("edge", 1.0))}))


def eyes_of(yaw: float = 0.0, pitch: float = 0.0, blink: float = 0.0) -> EyesAndHead:
    gaze = np.array([np.full(FRAMES, yaw), np.full(FRAMES, pitch)])
    return EyesAndHead(np.full(FRAMES, blink), np.zeros((3, FRAMES)), gaze)


def mix(
    mouth: MouthShape,
    eyes: EyesAndHead | None = None,
    pose: dict[str, float] | None = None,
    scale: Scale = EVEN,
) -> dict[str, float]:
    """Return the channels of the first frame, with the emotion in full."""
    still = np.zeros(FRAMES)
    brows = Brows(still, still, np.full((2, FRAMES), -1.0))
    channels = Mixer(pose or {}, scale).mix(
        mouth, eyes or eyes_of(), brows, still, still, np.ones(FRAMES)
    )
    return dict(zip(CHANNELS, channels[:, 0].tolist(), strict=True))


def test_looking_to_the_own_left_turns_the_left_eye_out_and_the_right_eye_in() -> None:
    face = mix(mouth_of(), eyes_of(yaw=0.3))
    assert face["eyeLookOutLeft"] > 0.4
    assert face["eyeLookInRight"] > 0.4
    assert face["eyeLookInLeft"] == face["eyeLookOutRight"] == 0.0
    assert face["leftEyeYaw"] > 0.0
    assert face["rightEyeYaw"] > 0.0


@pytest.mark.parametrize(("yaw", "pitch"), [(0.3, 0.1), (-0.2, -0.15), (0.0, 0.0)])
def test_eye_channels_and_angles_say_the_same(yaw: float, pitch: float) -> None:
    face = mix(mouth_of(), eyes_of(yaw, pitch))
    for side, toward_nose in (("Left", -1.0), ("Right", 1.0)):
        eye = side.lower()
        inward = face[f"eyeLookIn{side}"] - face[f"eyeLookOut{side}"]
        downward = face[f"eyeLookDown{side}"] - face[f"eyeLookUp{side}"]
        assert inward * EYE_RANGE == pytest.approx(toward_nose * face[f"{eye}EyeYaw"])
        assert downward * EYE_RANGE == pytest.approx(face[f"{eye}EyePitch"])


def test_straight_eyes_meet_at_the_listener() -> None:
    face = mix(mouth_of())
    assert face["leftEyeYaw"] < 0.0 < face["rightEyeYaw"]
    assert face["eyeLookInLeft"] == pytest.approx(face["eyeLookInRight"])


def test_lids_follow_the_eyes_down_and_shut_wide_eyes() -> None:
    assert mix(mouth_of(), eyes_of(pitch=0.3))["eyeBlinkLeft"] > 0.15
    scared = mix(mouth_of(), eyes_of(blink=1.0), {"eyeWide": 0.8})
    assert scared["eyeBlinkLeft"] == 1.0
    assert scared["eyeWideLeft"] == 0.0


def test_a_contact_overrules_whatever_parts_the_lips() -> None:
    spoken = {"jaw": 0.4, "lower_lip": 0.3, "upper_lip": 0.2, "funnel": 0.4}
    face = mix(mouth_of(**spoken, close=1.0), pose=PARTING_POSE)
    assert face["jawOpen"] == pytest.approx(face["mouthClose"])
    assert max(face[name] for name in LIP_OPENING) == 0.0
    assert face["mouthPressLeft"] > 0.0
    apart = mix(mouth_of(**spoken), pose=PARTING_POSE)
    assert apart["jawOpen"] - apart["mouthClose"] > 0.3
    assert min(apart[name] for name in LIP_OPENING) > 0.2


def test_teeth_on_the_lip_keep_the_upper_lip_up_and_the_lower_one_in() -> None:
    face = mix(mouth_of(jaw=0.2, lower_lip=0.3, upper_lip=0.1, bite=1.0))
    assert face["mouthRollLower"] > 0.25
    assert face["mouthLowerDownLeft"] == 0.0
    assert face["mouthUpperUpLeft"] > 0.2
    assert face["jawOpen"] - face["mouthClose"] < 0.06


def test_a_silent_mouth_is_shut_unless_surprise_drops_the_jaw() -> None:
    silent = mouth_of(jaw=0.02, rest=1.0)
    face = mix(silent)
    assert face["jawOpen"] == face["mouthClose"]
    agape = mix(silent, pose={"jawOpen": 0.1})
    assert agape["jawOpen"] - agape["mouthClose"] > 0.1


def test_a_smile_gives_way_to_speech_and_rounding() -> None:
    smile = {"mouthSmile": 0.6}
    silent, speaking, rounded = (
        mix(mouth_of(rest=rest, pucker=pucker), pose=smile)["mouthSmileLeft"]
        for rest, pucker in ((1.0, 0.0), (0.0, 0.0), (0.0, 0.7))
    )
    assert silent == pytest.approx(0.6)
    assert silent > speaking > rounded > 0.1


def test_one_side_may_lead() -> None:
    scale = Scale(jaw=1.0, lips=1.0, spread=1.0, left_mouth=0.1, left_brow=-0.1)
    face = mix(mouth_of(lower_lip=0.2), pose={"browDown": 0.5, "eyeSquint": 0.4}, scale=scale)
    assert face["mouthLowerDownLeft"] == pytest.approx(0.22)
    assert face["mouthLowerDownRight"] == pytest.approx(0.18)
    assert face["browDownLeft"] < face["browDownRight"]
    assert face["eyeSquintLeft"] == face["eyeSquintRight"]


def test_scale_moves_jaw_and_lips_apart() -> None:
    mouth = mouth_of(jaw=0.3, lower_lip=0.2)
    half = Scale(jaw=0.5, lips=1.0, spread=1.0, left_mouth=0.0, left_brow=0.0)
    assert mix(mouth, scale=half)["jawOpen"] == pytest.approx(0.15)
    assert mix(mouth, scale=half)["mouthLowerDownLeft"] == pytest.approx(0.2)
