"""The complexion of our own head: lips, lids, cheeks and the inside of the mouth.

Conventions: linear RGB; places as in `head_surface`.
"""

import numpy as np
from jaxtyping import Float

from unitaf.rigs.head_face import smoothstep
from unitaf.rigs.head_skin import Skin

_SKIN, _BLUSH, _LID = (0.60, 0.35, 0.26), (0.58, 0.27, 0.21), (0.52, 0.27, 0.21)
_LIP, _INNER_LIP, _LID_EDGE, _BEHIND_LID = (
    (0.46, 0.17, 0.15),
    (0.30, 0.08, 0.075),
    (0.36, 0.15, 0.12),
    (0.50, 0.20, 0.17),
)
_MOUTH, _THROAT, _NOSTRIL = (0.11, 0.018, 0.018), (0.02, 0.003, 0.003), (0.035, 0.008, 0.006)


def skin_colours(skin: Skin) -> Float[np.ndarray, "points 3"]:
    """Return the colour of every point of the skin."""
    ring, lid = skin.mouth_ring, skin.eye_ring
    layers = (
        (_BLUSH, 0.7 * _near(skin, (40.0, -10.0), (17.0, 14.0))),
        (_BLUSH, 0.5 * _near(skin, (0.0, -10.0), (13.0, 9.0))),
        (_LID, 0.45 * _near(skin, (31.0, 21.0), (19.0, 13.0))),
        (_LIP, smoothstep(1.15, 0.95, ring)),
        (_INNER_LIP, 0.8 * smoothstep(0.3, -0.05, ring)),
        (_MOUTH, smoothstep(-0.2, -1.0, ring)),
        (_THROAT, smoothstep(-1.0, -2.0, ring)),
        (_LID_EDGE, 0.8 * smoothstep(0.45, 0.0, np.abs(lid))),
        (_BEHIND_LID, smoothstep(-0.1, -0.6, lid)),
        (_NOSTRIL, smoothstep(0.1, 0.6, skin.nostril)),
    )
    colours = np.tile(np.array(_SKIN), (len(skin.points), 1))
    for colour, cover in layers:
        colours += (np.array(colour) - colours) * cover[:, None]
    return colours


def _near(
    skin: Skin, centre: tuple[float, float], radius: tuple[float, float]
) -> Float[np.ndarray, " points"]:
    x, y, z = np.abs(skin.points[:, 0]), skin.points[:, 1], skin.points[:, 2]
    distance = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2
    bell: Float[np.ndarray, " points"] = np.exp(-distance) * smoothstep(0.0, 45.0, z)
    return bell
