"""Blendshape JSON in the layout of Audio2Face: names once, then a row of weights a frame."""

import json
from pathlib import PurePosixPath

from unitaf.rigs.arkit import BLENDSHAPES, reorder
from unitaf.types import Take


def encode_audio2face(take: Take, name: str) -> dict[str, bytes]:
    """Return the 52 blendshapes as JSON, poses in Apple's order, named as Apple names them.

    ``trackPath`` is the WAV of the same name beside it. Weights have six decimals. Head and eye
    angles have no place in this format: its joints, with their rotations and translations, are
    those of Audio2Face's own skeleton, which a take does not have. The lists are there, empty,
    for readers that expect every key.
    """
    motion = take.motion
    weights = reorder(motion.curves, motion.channels, BLENDSHAPES)
    document = {
        "exportFps": motion.fps,
        "trackPath": f"{PurePosixPath(name).name}.wav",
        "numPoses": len(BLENDSHAPES),
        "numFrames": len(weights),
        "facsNames": list(BLENDSHAPES),
        "weightMat": [[round(value, 6) for value in row] for row in weights.tolist()],
        "joints": [],
        "rotations": [],
        "translations": [],
    }
    return {f"{name}.json": (json.dumps(document, ensure_ascii=False) + "\n").encode()}
