"""Our own head as files to look at: pictures of its shapes, and the head itself."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from unitaf.export.glb import glb_bytes
from unitaf.pipelines.export import checked_directory, write_file
from unitaf.rigs.contact_sheet import contact_sheet, face_camera, picture
from unitaf.rigs.head import procedural_head
from unitaf.types import FaceMotion

_NEUTRAL_PIXELS = 800
_TOUR_FPS = 2.0


def write_head(directory: Path, size: int = 240) -> list[Path]:
    """Write our own head: at rest, every shape, and the head with all shapes as morph targets.

    Args:
        directory: The folder that files go to.
        size: Pixels of the side of a shape's picture; there are two for each shape.

    Returns:
        ``neutral.png``; ``shapes.png``, each shape from the front and in three-quarter view; and
        ``head.glb``, whose animation goes through the shapes, one a second.

    Raises:
        ConfigError: If the folder is a file.
        StorageError: If a file cannot be written.
    """
    directory = checked_directory(directory)
    rig = procedural_head()
    neutral = io.BytesIO()
    image = picture(rig, {}, face_camera(rig), _NEUTRAL_PIXELS)
    Image.fromarray(image).save(neutral, format="PNG")
    tour = _tour(rig.channels)
    contents = {
        "neutral.png": neutral.getvalue(),
        "shapes.png": contact_sheet(rig, size),
        "head.glb": glb_bytes(rig, tour, len(tour.curves) / _TOUR_FPS),
    }
    for name, data in contents.items():
        write_file(directory / name, data)
    return [directory / name for name in contents]


def _tour(channels: tuple[str, ...]) -> FaceMotion:
    """Return a motion in which each shape in turn comes and goes in a second."""
    curves = np.zeros((2 * len(channels) + 1, len(channels)), np.float32)
    curves[1::2] = np.eye(len(channels), dtype=np.float32)
    closes, opens = channels.index("mouthClose"), channels.index("jawOpen")
    # Lips can only be brought together where the jaw has parted them.
    curves[2 * closes + 1, opens] = 1.0
    return FaceMotion(curves, channels, _TOUR_FPS)
