"""How emotion changes the delivery of an engine that has no emotion of its own.

Only the pace changes: fear, anger and joy speak faster, grief and disgust slower. The directions
are those of Murray and Arnott (1993), the amounts smaller, so that a line keeps its place in a
scene.
"""

from unitaf.types import EMOTIONS, Emotion

_PACE = {
    "happy": 0.05,
    "angry": 0.06,
    "sad": -0.10,
    "afraid": 0.12,
    "disgusted": -0.06,
    "melancholic": -0.12,
    "surprised": 0.04,
    "calm": -0.06,
}
_SLOWEST, _FASTEST = 0.85, 1.15


def pace(emotion: Emotion) -> float:
    """Return how many times faster than usual an emotion speaks: 0.85 to 1.15, 1 if neutral."""
    change = sum(strength * _PACE[name] for name, strength in zip(EMOTIONS, emotion, strict=True))
    return min(max(1.0 + change, _SLOWEST), _FASTEST)
