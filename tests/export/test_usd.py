"""USD files are opened and checked by OpenUSD itself, and deformed by its own skinning."""

from pathlib import Path

import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, UsdValidation, Vt
from scipy.spatial.transform import Rotation

from tests.export.takes import make_take
from unitaf.export import FORMATS
from unitaf.export.usd import usd_files
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.head import procedural_head
from unitaf.types import FaceMotion


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def open_take(folder: Path, motion: FaceMotion, name: str = "en/Pip/a") -> Usd.Stage:
    write(folder, usd_files(procedural_head(), motion, name))
    return Usd.Stage.Open(str(folder / f"{name}.usdc"))


def motion_of(fps: float = 60.0, **values: float) -> FaceMotion:
    curves = np.zeros((2, len(CHANNELS)), np.float32)
    for name, value in values.items():
        curves[1, CHANNELS.index(name)] = value
    return FaceMotion(curves, CHANNELS, fps)


def posed(stage: Usd.Stage, frame: float) -> np.ndarray:
    """The points that OpenUSD moves the face to, its blend shapes and its joint applied."""
    mesh = UsdGeom.Mesh.Get(stage, "/Head/Face")
    cache = UsdSkel.Cache()
    root = UsdSkel.Root.Get(stage, "/Head")
    cache.Populate(root, Usd.PrimDefaultPredicate)
    query = cache.GetSkinningQuery(mesh.GetPrim())
    skeleton = cache.GetSkelQuery(UsdSkel.Skeleton.Get(stage, "/Head/Skeleton"))
    weights = skeleton.GetAnimQuery().ComputeBlendShapeWeights(frame)
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(mesh.GetPrim()))
    mapped = query.GetBlendShapeMapper().Remap(weights)
    sub_weights, indices, sub_indices = shapes.ComputeSubShapeWeights(mapped)
    points = Vt.Vec3fArray(mesh.GetPointsAttr().Get())
    shapes.ComputeDeformedPoints(
        sub_weights, indices, sub_indices, shapes.ComputeBlendShapePointIndices(),
        shapes.ComputeSubShapePointOffsets(), points,
    )  # fmt: skip
    transforms = skeleton.ComputeSkinningTransforms(frame)
    query.ComputeSkinnedPoints(transforms, points, frame)
    return np.array(points)


@pytest.mark.parametrize("fps", [60.0, 29.97])
def test_curves_and_times_come_back(fps: float, tmp_path: Path):
    take = make_take(fps)
    write(tmp_path, FORMATS["usd"](take, "en/Pip/a"))
    stage = Usd.Stage.Open(str(tmp_path / "en/Pip/a.usdc"))
    animation = UsdSkel.Animation.Get(stage, "/Head/Animation")
    weights = animation.GetBlendShapeWeightsAttr()
    frames = len(take.motion.curves)
    assert (stage.GetTimeCodesPerSecond(), stage.GetFramesPerSecond()) == (fps, fps)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0.0, frames - 1)
    assert weights.GetTimeSamples() == list(range(frames))
    names = list(animation.GetBlendShapesAttr().Get())
    found = np.array([weights.Get(frame) for frame in range(frames)])
    for column, name in enumerate(names):
        np.testing.assert_array_equal(found[:, column], take.motion.curves[:, CHANNELS.index(name)])
    assert sorted(names) == sorted(BLENDSHAPES)


def test_files_pass_the_rules_of_usd(tmp_path: Path):
    registry = UsdValidation.ValidationRegistry()
    validators = registry.GetOrLoadAllValidators()
    assert len(validators) > 20
    context = UsdValidation.ValidationContext(validators)
    stage = open_take(tmp_path, make_take().motion)
    head = Usd.Stage.Open(str(tmp_path / "head.usdc"))
    for each in (stage, head):
        assert [error.GetMessage() for error in context.Validate(each)] == []
    # The rules are at work: they see what is broken.
    head.GetPrimAtPath("/Head/Face").RemoveAPI(UsdSkel.BindingAPI)
    head.ClearMetadata("upAxis")
    assert len(context.Validate(head)) >= 2


def test_openusd_moves_the_face_as_our_rig_does(tmp_path: Path):
    rig = procedural_head()
    values = {"jawOpen": 0.7, "mouthSmileLeft": 0.9, "mouthLeft": 0.4, "eyeBlinkRight": 1.0}
    stage = open_take(tmp_path, motion_of(**values))
    curves = np.array([[values.get(name, 0.0) for name in rig.channels]])
    moved = posed(stage, 1)
    np.testing.assert_allclose(posed(stage, 0), rig.neutral, atol=1e-7)
    np.testing.assert_allclose(moved, rig.vertices(curves)[0], atol=1e-6)
    # The left of the face is +x, and it is the left that smiles.
    left_only = posed(open_take(tmp_path, motion_of(mouthSmileLeft=1.0), "b"), 1) - rig.neutral
    where = rig.neutral[np.abs(left_only).max(axis=1) > 2e-3]
    assert where[:, 0].min() > 0


def test_the_head_turns_as_the_angles_say(tmp_path: Path):
    angles = {"headYaw": 0.3, "headPitch": -0.2, "headRoll": 0.1}
    moved = posed(open_take(tmp_path, motion_of(**angles)), 1)
    turn = Rotation.from_euler("YXZ", list(angles.values()))
    np.testing.assert_allclose(moved, turn.apply(procedural_head().neutral), atol=1e-6)


def test_the_mesh_is_the_rig(tmp_path: Path):
    rig = procedural_head()
    stage = open_take(tmp_path, motion_of(), name="a")
    mesh = UsdGeom.Mesh.Get(stage, "/Head/Face")
    corners = np.array(mesh.GetFaceVertexIndicesAttr().Get())
    np.testing.assert_array_equal(corners.reshape(-1, 3), rig.triangles)
    np.testing.assert_array_equal(np.array(mesh.GetPointsAttr().Get()), rig.neutral)
    np.testing.assert_array_equal(np.array(mesh.GetDisplayColorAttr().Get()), rig.colours)
    subsets = UsdShade.MaterialBindingAPI(mesh.GetPrim()).GetMaterialBindSubsets()
    faces = [index for subset in subsets for index in subset.GetIndicesAttr().Get()]
    assert sorted(faces) == list(range(len(rig.triangles)))
    assert [subset.GetPrim().GetName() for subset in subsets] == [part.name for part in rig.parts]


def test_takes_share_the_head_wherever_they_lie(tmp_path: Path):
    rig = procedural_head()
    files = usd_files(rig, motion_of(), "en/Pip/a") | usd_files(rig, motion_of(), "b")
    assert sorted(files) == ["b.usdc", "en/Pip/a.usdc", "head.usdc"]
    write(tmp_path, files)
    for name in ("en/Pip/a", "b"):
        stage = Usd.Stage.Open(str(tmp_path / f"{name}.usdc"))
        assert len(UsdGeom.Mesh.Get(stage, "/Head/Face").GetPointsAttr().Get()) == 10175
    assert len(files["b.usdc"]) < 20_000
    assert usd_files(rig, motion_of(), "b")["b.usdc"] == files["b.usdc"]


def test_another_face_and_its_limits(tmp_path: Path):
    rig = BlendshapeRig(
        channels=("jawOpen",),
        neutral=np.eye(3, dtype=np.float32),
        deltas=np.full((1, 3, 3), 0.1, np.float32),
        triangles=np.array([[0, 1, 2]]),
    )
    write(tmp_path, usd_files(rig, motion_of(jawOpen=0.5), "a"))
    stage = Usd.Stage.Open(str(tmp_path / "a.usdc"))
    np.testing.assert_allclose(posed(stage, 1), rig.neutral + 0.05, atol=1e-7)
    surface = UsdShade.Shader.Get(stage, Sdf.Path("/Head/Materials/face/Surface"))
    assert surface.GetInput("diffuseColor").Get() == Gf.Vec3f(0.6, 0.55, 0.5)
    with pytest.raises(ValueError, match="lacks channels that the motion moves: mouthLeft"):
        usd_files(rig, motion_of(mouthLeft=1.0), "a")
    with pytest.raises(ValueError, match="without frames"):
        usd_files(rig, FaceMotion(np.zeros((0, 61), np.float32), CHANNELS, 30.0), "a")
