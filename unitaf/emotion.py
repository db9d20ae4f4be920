"""How people write emotions, and how each way maps onto the eight numbers of `types.EMOTIONS`.

Understood: a tag (``angry``), tags with strengths (``angry:0.7, sad 0.2``), eight numbers in
IndexTTS2's order, and Audio2Face-3D's ten emotions. A name alone has strength `DEFAULT_STRENGTH`.
"""

import json
import math
import re

from unitaf.types import EMOTIONS, NEUTRAL, Emotion

DEFAULT_STRENGTH = 0.8

_SYNONYMS: dict[str, dict[str, float]] = {
    "neutral": {},
    "none": {},
    "normal": {},
    "joy": {"happy": 1.0},
    "joyful": {"happy": 1.0},
    "cheerful": {"happy": 0.9},
    "amused": {"happy": 0.7},
    "excited": {"happy": 0.8, "surprised": 0.4},
    "proud": {"happy": 0.6, "calm": 0.3},
    "tender": {"happy": 0.4, "calm": 0.6},
    "love": {"happy": 0.6, "calm": 0.4},
    "sarcastic": {"happy": 0.3, "disgusted": 0.4},
    "cheeky": {"happy": 0.7, "surprised": 0.2},
    "anger": {"angry": 1.0},
    "mad": {"angry": 1.0},
    "furious": {"angry": 1.25},
    "rage": {"angry": 1.25},
    "annoyed": {"angry": 0.5, "disgusted": 0.2},
    "determined": {"angry": 0.4, "calm": 0.3},
    "sadness": {"sad": 1.0},
    "grief": {"sad": 1.25, "melancholic": 0.4},
    "pain": {"sad": 0.7, "afraid": 0.3, "disgusted": 0.3},
    "fear": {"afraid": 1.0},
    "fearful": {"afraid": 1.0},
    "scared": {"afraid": 1.0},
    "terrified": {"afraid": 1.25, "surprised": 0.3},
    "nervous": {"afraid": 0.5},
    "worried": {"afraid": 0.4, "sad": 0.3},
    "disgust": {"disgusted": 1.0},
    "contempt": {"disgusted": 0.7, "angry": 0.2},
    "melancholy": {"melancholic": 1.0},
    "tired": {"melancholic": 0.6, "calm": 0.4},
    "wistful": {"melancholic": 0.8},
    "surprise": {"surprised": 1.0},
    "amazed": {"surprised": 1.0, "happy": 0.3},
    "shocked": {"surprised": 1.1, "afraid": 0.3},
    "confused": {"surprised": 0.4, "afraid": 0.2},
    "curious": {"surprised": 0.4},
    "serene": {"calm": 1.0},
    "whisper": {"calm": 0.6, "afraid": 0.2},
    # Audio2Face-3D's ten, those not named above.
    "amazement": {"surprised": 1.0, "happy": 0.3},
    "cheekiness": {"happy": 0.7, "surprised": 0.2},
    "outofbreath": {"afraid": 0.5, "surprised": 0.3},
}
_JOINT = re.compile(r"(?<=[a-z])[ _-]+(?=[a-z])")
_PART = re.compile(r"^([a-z]+)\s*(?:[:=@ ]\s*)?(-?\d*\.?\d+%?)?$")


def emotion_names() -> tuple[str, ...]:
    """Return every emotion name that `parse_emotion` understands, in alphabetical order."""
    return tuple(sorted({*EMOTIONS, *_SYNONYMS}))


def parse_emotion(text: str) -> Emotion:
    """Read an emotion as people write it; an empty text is neutral.

    Raises:
        ValueError: If a name is unknown or a strength is not between 0 and 1.
    """
    text = text.strip().lower()
    if not text:
        return NEUTRAL
    if text[0] in "[{":
        return _parse_json(text)
    parts = [part.strip() for part in re.split(r"[,;+|]", text) if part.strip()]
    if len(parts) == len(EMOTIONS) and all(_is_number(part) for part in parts):
        return from_numbers([float(part) for part in parts])
    strengths: dict[str, float] = {}
    for part in parts:
        match = _PART.match(_JOINT.sub("", part))
        if match is None:
            raise ValueError(
                f"cannot read emotion {part!r}; write a name such as 'angry' or 'angry:0.7'"
            )
        strengths[match[1]] = _strength(match[2])
    return from_names(strengths)


def from_names(strengths: dict[str, float]) -> Emotion:
    """Map named strengths (0 to 1) of any known vocabulary onto the eight emotions.

    Raises:
        ValueError: If a name is unknown or a strength is not between 0 and 1.
    """
    total = dict.fromkeys(EMOTIONS, 0.0)
    for name, strength in strengths.items():
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"emotion strength must be between 0 and 1, not {strength:g}")
        mix = {name: 1.0} if name in total else _SYNONYMS.get(name)
        if mix is None:
            raise ValueError(f"unknown emotion {name!r}; known are {', '.join(emotion_names())}")
        for target, share in mix.items():
            total[target] += share * strength
    return from_numbers([min(value, 1.0) for value in total.values()])


def from_numbers(numbers: list[float]) -> Emotion:
    """Check eight strengths in the order of `types.EMOTIONS`.

    Raises:
        ValueError: If there are not eight or one is not between 0 and 1.
    """
    if len(numbers) != len(EMOTIONS):
        raise ValueError(f"an emotion has {len(EMOTIONS)} numbers, not {len(numbers)}")
    for number in numbers:
        if not (math.isfinite(number) and 0.0 <= number <= 1.0):
            raise ValueError(f"emotion strength must be between 0 and 1, not {number:g}")
    happy, angry, sad, afraid, disgusted, melancholic, surprised, calm = (float(n) for n in numbers)
    return (happy, angry, sad, afraid, disgusted, melancholic, surprised, calm)


def describe_emotion(emotion: Emotion) -> str:
    """Write an emotion so that `parse_emotion` reads it back; empty if neutral."""
    return ", ".join(
        f"{name}:{value:g}" for name, value in zip(EMOTIONS, emotion, strict=True) if value > 0
    )


def _parse_json(text: str) -> Emotion:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"cannot read emotion {text[:80]!r}: it is not valid JSON") from error
    if isinstance(value, dict) and all(_is_number(v) for v in value.values()):
        return from_names({str(k): float(v) for k, v in value.items()})
    if isinstance(value, list) and all(_is_number(v) for v in value):
        return from_numbers([float(v) for v in value])
    raise ValueError(f"cannot read emotion {text!r}; give eight numbers or names with strengths")


def _strength(text: str | None) -> float:
    if text is None:
        return DEFAULT_STRENGTH
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        float(value)
    except (ValueError, OverflowError):
        return False
    return True
