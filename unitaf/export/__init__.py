"""What a finished file is: one file a format, each returns names and bytes and writes nothing."""

from collections.abc import Callable

from unitaf.export.audio2face import encode_audio2face
from unitaf.export.glb import encode_glb
from unitaf.export.livelink import encode_livelink
from unitaf.export.npz import encode_npz
from unitaf.export.wav import encode_wav
from unitaf.types import Take

Encoder = Callable[[Take, str], dict[str, bytes]]
"""Takes a take and its path without suffix; returns every file's path and bytes."""

FORMATS: dict[str, Encoder] = {
    "glb": encode_glb,
    "json": encode_audio2face,
    "livelink": encode_livelink,
    "npz": encode_npz,
    "wav": encode_wav,
}
