import numpy as np
import pytest

from unitaf.rigs.blendshape import BlendshapeRig, rig_curves
from unitaf.types import FaceMotion


def make_rig(channels: tuple[str, ...] = ("jawOpen", "mouthPucker")) -> BlendshapeRig:
    rng = np.random.default_rng(7)
    return BlendshapeRig(
        channels=channels,
        neutral=rng.normal(size=(5, 3)).astype(np.float32),
        deltas=rng.normal(size=(len(channels), 5, 3)).astype(np.float32),
        triangles=np.array([[0, 1, 2], [2, 3, 4]]),
    )


def test_rig_is_neutral_at_zero_and_linear() -> None:
    rig = make_rig()
    a, b = np.random.default_rng(1).random((2, 4, 2))
    assert np.array_equal(rig.vertices(np.zeros((3, 2))), np.stack([rig.neutral] * 3))
    both = rig.vertices(a) + rig.vertices(b) - rig.neutral
    np.testing.assert_allclose(rig.vertices(a + b), both, atol=2e-6)
    np.testing.assert_allclose(
        rig.vertices(np.array([[0.25, 0.0]]))[0], rig.neutral + 0.25 * rig.deltas[0], atol=1e-6
    )


def test_rig_refuses_curves_of_another_width() -> None:
    with pytest.raises(ValueError, match="3 curves but the rig has 2"):
        make_rig().vertices(np.zeros((1, 3)))


def test_rig_refuses_arrays_that_do_not_fit() -> None:
    rig = make_rig()
    with pytest.raises(ValueError, match="deltas have shape"):
        BlendshapeRig(rig.channels, rig.neutral, rig.deltas[:1], rig.triangles)
    with pytest.raises(ValueError, match="triangles name a vertex"):
        BlendshapeRig(rig.channels, rig.neutral, rig.deltas, rig.triangles + 1)
    with pytest.raises(ValueError, match="lips name a vertex"):
        BlendshapeRig(rig.channels, rig.neutral, rig.deltas, rig.triangles, np.array([-1]))
    with pytest.raises(ValueError, match="stands twice"):
        make_rig(("jawOpen", "JawOpen"))


def test_curves_are_found_by_name() -> None:
    curves = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)
    motion = FaceMotion(curves, ("MouthPucker", "headYaw", "jawOpen"), 30.0)
    assert np.array_equal(
        rig_curves(("jawOpen", "mouthPucker", "jawLeft"), motion),
        np.array([[0.3, 0.1, 0.0], [0.6, 0.4, 0.0]], np.float32),
    )


def test_a_channel_that_moves_must_be_there() -> None:
    motion = FaceMotion(np.array([[0.0, 0.5]], np.float32), ("jawOpen", "tongueOut"), 30.0)
    with pytest.raises(ValueError, match="lacks channels that the motion moves: tongueOut"):
        rig_curves(("jawOpen",), motion)
    assert rig_curves(("jawOpen",), motion, ignored=("tongueOut",)).tolist() == [[0.0]]
    still = FaceMotion(np.zeros((1, 2), np.float32), motion.channels, 30.0)
    assert rig_curves(("jawOpen",), still).tolist() == [[0.0]]
