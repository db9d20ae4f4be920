"""Writers of small data sets, each as its format is documented, without a line of unitaf's own."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

_HEADER = (
    "EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,"
    "EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,"
    "MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,MouthSmileRight,MouthFrownLeft,"
    "MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,MouthStretchRight,"
    "MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,"
    "BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,"
    "CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,"
    "LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)
APPLE = _HEADER.split(",")
"""The columns of a file recorded by the Live Link Face app."""


def babble(duration_s: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Something like speech: noise in syllables, with a pause of 0.4 s every two seconds."""
    times = np.arange(int(duration_s * rate)) / rate
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * times)
    syllables[(times % 2.0) > 1.6] = 0.0005
    return 0.2 * syllables * np.random.default_rng(seed).normal(size=len(times)).clip(-3, 3) / 3


def moving(frames: int, columns: int, seed: int = 0) -> np.ndarray:
    """Curves between 0 and 1 that never stand still, each with its own speed."""
    random = np.random.default_rng(seed)
    phase = np.arange(frames)[:, None] * random.uniform(0.1, 0.4, columns)
    return (0.5 + 0.4 * np.sin(phase + random.uniform(0, 6, columns))).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def write_csv(
    path: Path, curves: np.ndarray, names: list[str] = APPLE, fps: int = 60, first: int = 1000
) -> None:
    """Write a Live Link Face CSV; every row's timecode carries a fraction of a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(["Timecode", "BlendshapeCount", *names])]
    for index, row in enumerate(curves):
        seconds, frame = divmod(first + index, fps)
        clock = f"{10 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        values = ",".join(f"{value:.10f}" for value in row)
        lines.append(f"{clock}:{frame:02d}.275,{len(names)},{values}")
    path.write_text("\r\n".join(lines) + "\r\n")


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_npy(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
