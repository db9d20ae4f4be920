"""A rig's every shape, to judge them by eye: as one picture, or one after another as a motion.

Conventions: a row holds four shapes, each at full strength from the front and in three-quarter view
from the character's left. mouthClose is shown on an open jaw, where it has a meaning.
"""

import io
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from unitaf.rigs.arkit import column_indices
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.render import Camera, render
from unitaf.types import FaceMotion

_GREY = (0.5, 0.47, 0.44)
_THREE_QUARTER_DEG = 38.0
_SHAPES_A_ROW = 4
_MARGIN = 1.5
_MOVES = 3e-3
"""A point that some shape moves further than this many metres belongs to the face."""
_TOUR_FPS = 2.0
_NEEDS = {"mouthClose": {"jawOpen": 1.0}}


def shape_tour(rig: BlendshapeRig) -> FaceMotion:
    """Return a motion in which each shape in turn comes and goes in a second."""
    curves = np.zeros((2 * len(rig.channels) + 1, len(rig.channels)), np.float32)
    for number, channel in enumerate(rig.channels):
        for name, weight in ({channel: 1.0} | _NEEDS.get(channel, {})).items():
            curves[2 * number + 1, rig.channels.index(name)] = weight
    return FaceMotion(curves, rig.channels, _TOUR_FPS)


def picture(
    rig: BlendshapeRig, weights: Mapping[str, float], camera: Camera, size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """Take a picture of a rig.

    Args:
        rig: Any rig.
        weights: The curves that are not zero, by channel.
        camera: Where the picture is taken from; `face_camera` finds the face.
        size: Pixels on a side.

    Raises:
        ValueError: If the rig lacks a channel.
    """
    curves = np.zeros((1, len(rig.channels)), np.float32)
    curves[0, column_indices(rig.channels, list(weights))] = list(weights.values())
    colours = rig.colours
    if colours is None:
        colours = np.tile(np.array(_GREY, np.float32), (len(rig.neutral), 1))
    gloss = np.full(len(rig.neutral), 0.2)
    for part in rig.parts:
        gloss[rig.triangles[part.start : part.stop]] = 0.6 * (1.0 - part.roughness)
    return render(rig.vertices(curves)[0], rig.triangles, colours, gloss, camera, size)


def face_camera(rig: BlendshapeRig) -> Camera:
    """Return a camera that sees what the rig's shapes move, from the front."""
    moving = rig.neutral[(np.abs(rig.deltas) > _MOVES).any(axis=(0, 2))]
    low, high = np.percentile(moving, (5.0, 95.0), axis=0)
    x, y, z = ((low + high) / 2.0).tolist()
    return Camera(centre=(x, y, z), height=float((high - low)[:2].max()) * _MARGIN)


def contact_sheet(rig: BlendshapeRig, size: int = 240) -> bytes:
    """Return a PNG of all shapes of a rig.

    Args:
        rig: Any rig.
        size: Pixels of one picture's side; two for each shape.
    """
    front = face_camera(rig)
    cameras = (front, replace(front, yaw_deg=_THREE_QUARTER_DEG))
    num_rows = -(-len(rig.channels) // _SHAPES_A_ROW)
    sheet = Image.new("RGB", (_SHAPES_A_ROW * 2 * size, num_rows * size))
    pen = ImageDraw.Draw(sheet)
    for number, channel in enumerate(rig.channels):
        row, column = divmod(number, _SHAPES_A_ROW)
        for view, camera in enumerate(cameras):
            image = picture(rig, {channel: 1.0} | _NEEDS.get(channel, {}), camera, size)
            sheet.paste(Image.fromarray(image), ((2 * column + view) * size, row * size))
        pen.text((2 * column * size + 4, row * size + 4), channel, fill="white")
    data = io.BytesIO()
    sheet.save(data, format="PNG")
    return data.getvalue()
