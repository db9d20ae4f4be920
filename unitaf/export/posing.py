"""What every file with a face in it needs: how the head turns, and how a shape turns normals.

Conventions: metres, y up, the face looks along +z. The head angles turn the mesh about the rig's
origin, right-handed: yaw about y (to the character's left), then pitch about x (down), then roll
about z (to the own right shoulder). The eye angles are not used: they tell again what the eyeLook
shapes do.
"""

import numpy as np
from jaxtyping import Float

from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.render import vertex_normals
from unitaf.types import FaceMotion

BARE_COLOUR = (0.6, 0.55, 0.5)
"""The colour of a rig that has none, linear RGB."""

_HEAD_ANGLES = ("headYaw", "headPitch", "headRoll")
_TURNED = 1e-2
"""Smaller changes of a unit normal are left out."""


def head_turns(motion: FaceMotion) -> Float[np.ndarray, "frames 4"]:
    """Return the head's rotation in every frame as a quaternion x, y, z, w."""
    columns = dict(zip(motion.channels, motion.curves.T.astype(np.float64), strict=True))
    still = np.zeros(len(motion.curves))
    yaw, pitch, roll = (columns.get(name, still) / 2.0 for name in _HEAD_ANGLES)
    (sy, cy), (sp, cp), (sr, cr) = ((np.sin(half), np.cos(half)) for half in (yaw, pitch, roll))
    return np.stack(
        [
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * cp * cr + sy * sp * sr,
        ],
        axis=1,
    )


def normal_turns(
    rig: BlendshapeRig, normals: Float[np.ndarray, "points 3"]
) -> list[Float[np.ndarray, "points 3"]]:
    """Return what each whole shape adds to the normals of a rig at rest; small changes are zero."""
    turns = (vertex_normals(rig.neutral + delta, rig.triangles) - normals for delta in rig.deltas)
    return [np.where(np.abs(turn).max(axis=1, keepdims=True) > _TURNED, turn, 0) for turn in turns]
