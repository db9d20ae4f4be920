"""How speech, gestures and emotion share the canonical channels.

Speech has the first say in the mouth: an emotion's pose is halved while the mouth speaks, and
whatever parts the lips, emotion's share too, gives way to a contact. Closed lips over a lowered jaw
are jawOpen with an equal mouthClose, as ARKit means it. Eye channels and eye angles say the same
gaze.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from unitaf.face.coarticulation import MouthShape
from unitaf.face.speech_gestures import Brows, EyesAndHead
from unitaf.rigs.arkit import ANGLES, BLENDSHAPES, CHANNELS

EYE_RANGE = 0.6
"""The eye angle, in radians, that an eyeLook channel of 1 stands for, as in Live Link takes."""

EYES_AND_HEAD = tuple(
    name for name in CHANNELS if name.startswith(("eyeBlink", "eyeLook")) or name in ANGLES
)
"""The channels of blinks, gaze and head, in their canonical order."""

_POSES_OF_EYES_AND_HEAD = ("eyeBlink", *ANGLES[:3])
_VERGENCE = 0.018
"""How far each eye turns to the nose to meet a listener at 1.7 m, in radians."""
_LID_FOLLOW = 0.45
"""How far the lids close with eyes that look down."""
_JAW_LIMIT = 0.85

_POSITION = {name: index for index, name in enumerate(CHANNELS)}
_SPEECH_SHARES_MOUTH = 0.45
"""The part of an emotion's mouth that gives way while the mouth speaks."""


_BOTH = {
    name.removesuffix("Left"): [_POSITION[name], _POSITION[f"{name.removesuffix('Left')}Right"]]
    for name in BLENDSHAPES
    if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
} | {name: [position] for name, position in _POSITION.items()}
"""The positions of a channel, or of the left and right ones of a name without side."""


def _left_minus_right(*parts: str) -> Float64[np.ndarray, " channels"]:
    """Return 1 for left and -1 for right channels of some parts of the face, 0 for the others."""
    side = np.zeros(len(CHANNELS))
    for name, positions in _BOTH.items():
        if len(positions) == 2 and name.startswith(parts):
            side[positions] = (1.0, -1.0)
    return side


_MOUTH_SIDE = _left_minus_right("mouth", "cheek", "nose")
_BROW_SIDE = _left_minus_right("brow")


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the parts of one line's face move; 1 is ordinary."""

    jaw: float
    lips: float
    spread: float
    left_mouth: float
    """What the left half of the mouth moves more than the right one, -0.2 to 0.2."""
    left_brow: float


class Mixer:
    """Channels of one line.

    Args:
        pose: What the line's emotion adds, by channel without side; see `emotion_poses.POSES`.
        scale: How large the parts move.
    """

    def __init__(self, pose: dict[str, float], scale: Scale) -> None:
        self._pose = pose
        self._scale = scale
        more_left = scale.left_mouth * _MOUTH_SIDE + scale.left_brow * _BROW_SIDE
        self._sides = 1.0 + more_left[:, None]

    def mix(
        self,
        mouth: MouthShape,
        eyes: EyesAndHead,
        brows: Brows,
        breath: Float64[np.ndarray, " frames"],
        emphasis: Float64[np.ndarray, " frames"],
        intensity: Float64[np.ndarray, " frames"],
    ) -> Float64[np.ndarray, "channels frames"]:
        """Return the channels, blendshapes not yet clipped.

        Args:
            mouth: Speech.
            eyes: Blinks, gaze and head.
            brows: Brows.
            breath: 0 to 1 while breath is drawn.
            emphasis: 0 to 1 on accents.
            intensity: How much of the emotion's pose shows, about 0 to 1.
        """
        channels = np.zeros((len(CHANNELS), len(breath)))
        self._add_pose(channels, mouth, intensity)
        self._add_speech(channels, mouth, breath)
        self._add_brows(channels, brows, emphasis)
        channels *= self._sides
        self._set_eyes(channels, eyes, intensity)
        wide, open_lids = _BOTH["eyeWide"], 1.0 - eyes.blink
        channels[wide] = np.minimum(channels[wide], 1.0) * open_lids
        return channels

    def mix_eyes_and_head(
        self, eyes: EyesAndHead, intensity: Float64[np.ndarray, " frames"]
    ) -> Float64[np.ndarray, "channels frames"]:
        """Return what `mix` does on `EYES_AND_HEAD` and rest on the others."""
        channels = np.zeros((len(CHANNELS), len(intensity)))
        for name, weight in self._pose.items():
            if name in _POSES_OF_EYES_AND_HEAD:
                channels[_BOTH[name]] = weight * intensity
        self._set_eyes(channels, eyes, intensity)
        return channels

    def _add_pose(
        self,
        channels: Float64[np.ndarray, "channels frames"],
        mouth: MouthShape,
        intensity: Float64[np.ndarray, " frames"],
    ) -> None:
        free = 1.0 - _SPEECH_SHARES_MOUTH * (1.0 - mouth.rest) * mouth.edge
        rounded = 1.0 - 0.7 * np.minimum(mouth.pucker + 0.5 * mouth.funnel, 1.0)
        for name, weight in self._pose.items():
            if name == "gazePitch":
                continue
            level = weight * intensity
            if name in ("mouthSmile", "mouthDimple", "mouthStretch"):
                level = level * free * rounded
            elif name.startswith("mouth"):
                level = level * free
            if name in ("jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp"):
                level = level * mouth.edge
            channels[_BOTH[name]] += level

    def _add_speech(
        self,
        channels: Float64[np.ndarray, "channels frames"],
        mouth: MouthShape,
        breath: Float64[np.ndarray, " frames"],
    ) -> None:
        scale, close, bite = self._scale, mouth.close, mouth.bite
        drop = self._pose.get("jawOpen", 0.0)
        parted = np.minimum(breath + min(drop / 0.05, 1.0), 1.0) * mouth.edge
        jaw = np.minimum(
            channels[_POSITION["jawOpen"]] + mouth.jaw * scale.jaw + 0.05 * breath, _JAW_LIMIT
        )
        jaw *= 1.0 - np.maximum(0.5 * close, 0.5 * bite)
        touch = close * mouth.edge
        lower = (mouth.lower_lip * scale.lips + 0.03 * breath) * (1.0 - bite)
        upper = mouth.upper_lip * scale.lips + 0.19 * bite * mouth.edge
        spread = mouth.spread * scale.spread * (1.0 - 0.5 * close)
        speech = {
            "mouthLowerDown": lower,
            "mouthUpperUp": upper,
            "mouthFunnel": mouth.funnel * scale.lips * (1.0 - 0.6 * bite),
            "mouthPucker": mouth.pucker * scale.lips * (1.0 - 0.25 * np.maximum(close, bite)),
            "mouthStretch": 0.42 * spread,
            "mouthSmile": 0.22 * spread,
            "mouthDimple": 0.20 * spread,
            "mouthRollLower": 0.26 * touch + 0.31 * bite * mouth.edge,
            "mouthRollUpper": 0.18 * touch,
            "mouthPress": 0.20 * touch,
            "mouthShrugLower": 0.10 * touch + 0.13 * bite * mouth.edge + 1.2 * mouth.forward,
            "mouthShrugUpper": 0.06 * touch,
            "jawForward": mouth.forward,
            "tongueOut": mouth.tongue * scale.lips * (1.0 - close),
            "noseSneer": 0.12 * upper + 0.03 * breath,
            "cheekSquint": 0.10 * spread,
        }
        for name, level in speech.items():
            channels[_BOTH[name]] += level
        for name in ("mouthFunnel", "mouthLowerDown", "mouthUpperUp"):
            channels[_BOTH[name]] *= 1.0 - close
        sealed = np.maximum(np.maximum(close, 0.6 * bite), mouth.rest * (1.0 - parted))
        channels[_POSITION["jawOpen"]] = jaw
        channels[_POSITION["mouthClose"]] = jaw * sealed

    def _add_brows(
        self,
        channels: Float64[np.ndarray, "channels frames"],
        brows: Brows,
        emphasis: Float64[np.ndarray, " frames"],
    ) -> None:
        frowning = min(self._pose.get("browDown", 0.0), 1.0)
        first, second = brows.wander
        channels[_BOTH["browDown"]] += frowning * 0.15 * emphasis
        channels[_BOTH["browInnerUp"]] += brows.inner + 0.025 * (1.0 + first)
        channels[_BOTH["browOuterUp"]] += brows.outer + 0.020 * (1.0 + second)
        channels[_BOTH["eyeWide"]] += 0.25 * brows.inner
        channels[_BOTH["cheekSquint"]] += 0.015 * (1.0 + second)
        channels[_BOTH["eyeSquint"]] += 0.020 * (1.0 + first)

    def _set_eyes(
        self,
        channels: Float64[np.ndarray, "channels frames"],
        eyes: EyesAndHead,
        intensity: Float64[np.ndarray, " frames"],
    ) -> None:
        head = [_POSITION[name] for name in ANGLES[:3]]
        channels[head] += eyes.head
        yaw = eyes.gaze[0]
        pitch = eyes.gaze[1] + self._pose.get("gazePitch", 0.0) * intensity
        for side, nose in (("Left", -1.0), ("Right", 1.0)):
            turned = yaw + nose * _VERGENCE
            inward = nose * turned / EYE_RANGE
            channels[_POSITION[f"{side.lower()}EyeYaw"]] = turned
            channels[_POSITION[f"{side.lower()}EyePitch"]] = pitch
            channels[_POSITION[f"eyeLookIn{side}"]] = np.maximum(inward, 0.0)
            channels[_POSITION[f"eyeLookOut{side}"]] = np.maximum(-inward, 0.0)
            channels[_POSITION[f"eyeLookDown{side}"]] = np.maximum(pitch / EYE_RANGE, 0.0)
            channels[_POSITION[f"eyeLookUp{side}"]] = np.maximum(-pitch / EYE_RANGE, 0.0)
        lids = _BOTH["eyeBlink"]
        drooped = channels[lids] + _LID_FOLLOW * np.maximum(pitch / EYE_RANGE, 0.0)
        channels[lids] = eyes.blink + (1.0 - eyes.blink) * drooped
