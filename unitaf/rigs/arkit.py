"""The face channels by name, and every order of them that is met in the wild.

Conventions: 52 blendshapes with Apple's names, in the order of Apple's documentation and of the
Live Link protocol ("order P"), then nine angles: 61 canonical channels. Blendshapes are 0 to 1,
angles are radians. Orders differ between files that look alike, so every border maps by name
(`column_indices`, `reorder`); no code may assume a position.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

BLENDSHAPES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
"""The 52 ARKit blendshapes in order P."""

ANGLES = (
    "headYaw", "headPitch", "headRoll",
    "leftEyeYaw", "leftEyePitch", "leftEyeRoll",
    "rightEyeYaw", "rightEyePitch", "rightEyeRoll",
)  # fmt: skip
"""Head and eye angles in radians."""

CHANNELS = BLENDSHAPES + ANGLES
"""The 61 canonical channels."""


def _swapped(names: tuple[str, ...], *pairs: tuple[str, str]) -> tuple[str, ...]:
    order = list(names)
    for first, second in pairs:
        i, j = order.index(first), order.index(second)
        order[i], order[j] = order[j], order[i]
    return tuple(order)


LIVE_LINK_CSV = _swapped(CHANNELS, ("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"))
"""The columns of files recorded by the Live Link Face app ("order C"): not its protocol's order."""

ALPHABETICAL = tuple(sorted(BLENDSHAPES))
"""Order A: MediaPipe-style and several Audio2Face files."""

UNITALKER_51 = (
    "eyeBlinkLeft", "eyeBlinkRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeWideLeft", "eyeWideRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "jawOpen", "mouthClose", "jawLeft", "jawRight", "jawForward",
    "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthRollUpper", "mouthRollLower", "mouthSmileLeft", "mouthSmileRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight",
    "mouthShrugLower", "mouthShrugUpper", "noseSneerLeft", "noseSneerRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
)  # fmt: skip
"""UniTalker's order for its own recordings (D6 and D7): FaceScape's, without tongueOut."""

UNITALKER_52 = ALPHABETICAL
"""UniTalker's order for 3D-ETF (data sets D3 and D4): EmoTalk's, which is alphabetical."""

UNITAF_61 = (*UNITALKER_51, "tongueOut", *ANGLES)
"""UniTAF's labels. That the last ten are these is inferred from their count, not documented."""

ORDERS = {
    "apple": CHANNELS,
    "live_link_csv": LIVE_LINK_CSV,
    "alphabetical": ALPHABETICAL,
    "unitalker_51": UNITALKER_51,
    "unitalker_52": UNITALKER_52,
    "unitaf_61": UNITAF_61,
}
"""Every known order by the name that a user can give for a file or checkpoint without names."""

LIP_OPENING = (
    "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
)  # fmt: skip
"""Channels that part the lips while the jaw is closed."""


def column_indices(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each wanted channel stands among names, whatever their capitals.

    Raises:
        ValueError: If a wanted channel is missing or a name stands twice.
    """
    positions: dict[str, int] = {}
    for index, name in enumerate(names):
        if name.lower() in positions:
            raise ValueError(f"channel {name!r} stands twice")
        positions[name.lower()] = index
    missing = [name for name in wanted if name.lower() not in positions]
    if missing:
        raise ValueError(f"missing channels: {', '.join(missing)}")
    return [positions[name.lower()] for name in wanted]


def reorder(
    curves: Float[np.ndarray, "frames channels"], names: Sequence[str], wanted: Sequence[str]
) -> Float32[np.ndarray, "frames wanted"]:
    """Return curves with their columns in the wanted order, matched by name.

    Raises:
        ValueError: If a wanted channel is missing, a name stands twice, or the counts differ.
    """
    if curves.shape[1] != len(names):
        raise ValueError(f"{curves.shape[1]} columns but {len(names)} channel names")
    return np.ascontiguousarray(curves[:, column_indices(names, wanted)], np.float32)


def pascal_case(name: str) -> str:
    """Return a channel name as Live Link and Audio2Face-3D spell it (``JawOpen``)."""
    return name[0].upper() + name[1:]
