import io

import numpy as np
import pytest
from PIL import Image

from unitaf.rigs.blendshape import BlendshapeRig, Part
from unitaf.rigs.contact_sheet import contact_sheet, face_camera, picture, shape_tour
from unitaf.rigs.render import Camera


def make_rig() -> BlendshapeRig:
    """A moving square above a still one."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * 0.02
    deltas = np.zeros((2, 8, 3), np.float32)
    deltas[0, :4, 0] = 0.02
    deltas[1, :4, 1] = -0.02
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return BlendshapeRig(
        channels=("jawOpen", "mouthClose"),
        neutral=np.concatenate([square, square - np.float32([0, 0.5, 0])]),
        deltas=deltas,
        triangles=np.concatenate([faces, faces + 4]),
        parts=(Part("lips", 0, 2, 0.1), Part("neck", 2, 4, 1.0)),
    )


def test_camera_finds_what_moves() -> None:
    camera = face_camera(make_rig())
    assert camera.centre == (0.0, 0.0, 0.0)
    assert 0.04 < camera.height < 0.07


def test_picture_shows_the_weights() -> None:
    rig = make_rig()
    camera = Camera(height=0.16)
    rest, moved = (picture(rig, weights, camera, 32) for weights in ({}, {"jawOpen": 1.0}))
    # Highlights depend on where the eye is, a little.
    np.testing.assert_allclose(moved[:, 4:].astype(int), rest[:, :-4], atol=3)
    assert (np.abs(moved.astype(int) - rest) > 50).any()
    with pytest.raises(ValueError, match="missing channels: tongueOut"):
        picture(rig, {"tongueOut": 1.0}, camera, 32)


def test_sheet_holds_two_views_of_every_shape() -> None:
    rig = make_rig()
    sheet = np.array(Image.open(io.BytesIO(contact_sheet(rig, 48))))
    assert sheet.shape == (48, 8 * 48, 3)
    closed = picture(rig, {"jawOpen": 1.0, "mouthClose": 1.0}, face_camera(rig), 48)
    assert np.array_equal(sheet[20:, 96:144], closed[20:])
    assert not np.array_equal(sheet[20:, 144:192], closed[20:])


def test_tour_shows_every_shape_alone() -> None:
    tour = shape_tour(make_rig())
    assert tour.fps == 2.0
    # The lips close over an open jaw.
    assert tour.curves.tolist() == [[0, 0], [1, 0], [0, 0], [1, 1], [0, 0]]
