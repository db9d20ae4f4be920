"""Our own head as files to look at: pictures of its shapes, and the head itself."""

import io
from pathlib import Path

from PIL import Image

from unitaf.export.glb import glb_bytes
from unitaf.pipelines.files import checked_directory, write_file
from unitaf.rigs.contact_sheet import contact_sheet, face_camera, picture, shape_tour
from unitaf.rigs.head import procedural_head

_NEUTRAL_PIXELS = 800


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
    tour = shape_tour(rig)
    contents = {
        "neutral.png": neutral.getvalue(),
        "shapes.png": contact_sheet(rig, size),
        "head.glb": glb_bytes(rig, tour, len(tour.curves) / tour.fps),
    }
    for name, data in contents.items():
        write_file(directory / name, data)
    return [directory / name for name in contents]
