"""What each emotion does to a face: a pose of the upper face and the mouth's corners, and a manner.

Poses follow the action units that Ekman and Friesen (1978, EMFACS) give for each emotion, on the
ARKit channels that move alike; a channel named without side moves both sides. A mixture is the sum
of its emotions' poses, scaled down when their strengths add to more than one. The manner says how
the emotion moves: a sad face blinks slowly and nods little.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from unitaf.types import EMOTIONS, Emotion

POSES: dict[str, dict[str, float]] = {
    "happy": {
        "cheekSquint": 0.50, "mouthSmile": 0.55, "mouthDimple": 0.14, "eyeSquint": 0.28,
        "browInnerUp": 0.10, "browOuterUp": 0.14, "headPitch": -0.02,
    },
    "angry": {
        "browDown": 0.80, "eyeSquint": 0.36, "eyeWide": 0.14, "noseSneer": 0.38, "mouthPress": 0.22,
        "mouthFrown": 0.24, "mouthStretch": 0.12, "mouthLowerDown": 0.05, "jawForward": 0.16,
        "headPitch": 0.05,
    },
    "sad": {
        "browInnerUp": 0.70, "browDown": 0.16, "mouthFrown": 0.50, "mouthShrugLower": 0.28,
        "cheekSquint": 0.12, "eyeSquint": 0.10, "eyeBlink": 0.09, "headPitch": 0.07,
        "gazePitch": 0.06,
    },
    "afraid": {
        "browInnerUp": 0.75, "browOuterUp": 0.30, "browDown": 0.14, "eyeWide": 0.62,
        "mouthStretch": 0.44, "mouthFrown": 0.16, "jawOpen": 0.03, "headPitch": -0.03,
    },
    "disgusted": {
        "noseSneer": 0.72, "mouthUpperUp": 0.16, "browDown": 0.42, "eyeSquint": 0.34,
        "cheekSquint": 0.32, "mouthFrown": 0.28, "mouthShrugUpper": 0.20, "headPitch": -0.04,
    },
    "melancholic": {
        "browInnerUp": 0.46, "mouthFrown": 0.26, "mouthShrugLower": 0.10, "eyeBlink": 0.15,
        "eyeSquint": 0.04, "headPitch": 0.05, "headRoll": 0.05, "gazePitch": 0.08,
    },
    "surprised": {
        "browInnerUp": 0.66, "browOuterUp": 0.78, "eyeWide": 0.70, "jawOpen": 0.10,
        "mouthFunnel": 0.06, "headPitch": -0.04,
    },
    "calm": {
        "mouthSmile": 0.10, "eyeBlink": 0.07, "eyeSquint": 0.06, "browInnerUp": 0.04,
    },
}  # fmt: skip
"""What each emotion of full strength adds: ARKit channels 0 to 1, angles in radians (down, to the
own left and to the own right shoulder are positive). ``gazePitch`` lowers the eyes in the head."""

_MANNERS = {
    # mouth, gestures, brow accents, blink rate, gaze shifts
    "happy": (1.08, 1.30, 1.20, 1.00, 1.00),
    "angry": (1.14, 1.25, 0.60, 0.60, 0.45),
    "sad": (0.86, 0.60, 0.70, 0.85, 0.80),
    "afraid": (1.00, 0.90, 1.00, 1.45, 2.00),
    "disgusted": (1.02, 0.90, 0.60, 0.90, 0.90),
    "melancholic": (0.82, 0.50, 0.60, 0.70, 0.70),
    "surprised": (1.10, 1.15, 1.50, 0.60, 0.80),
    "calm": (0.92, 0.65, 0.80, 0.80, 0.70),
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How large and how often a face moves; 1 is ordinary."""

    mouth: float
    gestures: float
    brow_accents: float
    blink_rate: float
    gaze_rate: float


def emotion_pose(emotion: Emotion) -> dict[str, float]:
    """Return the pose of a mixture of emotions, by channel."""
    pose: dict[str, float] = {}
    for name, share in _shares(emotion).items():
        for channel, weight in POSES[name].items():
            pose[channel] = pose.get(channel, 0.0) + share * weight
    return pose


def emotion_manner(emotion: Emotion) -> Manner:
    """Return the manner of a mixture of emotions, which is ordinary where the emotion is weak."""
    manner: Float64[np.ndarray, " manners"] = np.ones(5)
    for name, share in _shares(emotion).items():
        manner = manner + share * (np.array(_MANNERS[name]) - 1.0)
    mouth, gestures, brow_accents, blink_rate, gaze_rate = manner.tolist()
    return Manner(mouth, gestures, brow_accents, blink_rate, gaze_rate)


def _shares(emotion: Emotion) -> dict[str, float]:
    total = max(sum(emotion), 1.0)
    named = zip(EMOTIONS, emotion, strict=True)
    return {name: strength / total for name, strength in named if strength > 0.0}
