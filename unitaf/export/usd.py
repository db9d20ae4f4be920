"""USD: a face with UsdSkel blend shapes, and the animation of one take that refers to it.

Conventions: metres, y up, the face looks along +z. The face is one file, ``head.usdc``, at the top
of a delivery; a take's ``.usdc`` references it by a relative path and holds only the animation, so
a take weighs kilobytes. Frame i is time code i and the stage has the take's fps, so times are
exact. Weights go to the shapes by name; the head angles turn the only joint as
`unitaf.export.posing` says. Shapes are sparse.
"""

import tempfile
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, Vt

from unitaf.export.posing import BARE_COLOUR, head_turns, normal_turns
from unitaf.rigs.blendshape import BlendshapeRig, Part, rig_curves
from unitaf.rigs.head import procedural_head
from unitaf.rigs.render import vertex_normals
from unitaf.types import FaceMotion, Take

HEAD_FILE = "head.usdc"

_HEAD = Sdf.Path("/Head")
_SKELETON, _FACE, _ANIMATION = (_HEAD.AppendChild(n) for n in ("Skeleton", "Face", "Animation"))
_JOINT = "head"
_KEPT_RIGS = 4


def encode_usd(take: Take, name: str) -> dict[str, bytes]:
    """Return the animation of our own head by a take, and the head."""
    return usd_files(procedural_head(), take.motion, name)


def usd_files(
    rig: BlendshapeRig, motion: FaceMotion, name: str, ignored: Collection[str] = ()
) -> dict[str, bytes]:
    """Return the animation of a rig by a motion, and the rig.

    Args:
        rig: Written once; the last few rigs are kept.
        motion: Any channels, any order; at least one frame.
        name: The path of the animation's file without suffix.
        ignored: Channels that the rig may lack.

    Raises:
        ValueError: If the rig lacks a channel that the motion moves, or the motion has no frame.
    """
    if not len(motion.curves):
        raise ValueError("a motion without frames cannot be written as USD")
    layer = Sdf.Layer.CreateAnonymous(".usdc")
    _set_stage(layer)
    layer.framesPerSecond = layer.timeCodesPerSecond = motion.fps
    layer.startTimeCode, layer.endTimeCode = 0, len(motion.curves) - 1
    head = Sdf.CreatePrimInLayer(layer, _HEAD)
    head.specifier, head.typeName = Sdf.SpecifierDef, "SkelRoot"
    head.referenceList.Prepend(Sdf.Reference(("../" * name.count("/") or "./") + HEAD_FILE))
    bound = Sdf.RelationshipSpec(
        Sdf.CreatePrimInLayer(layer, _SKELETON), "skel:animationSource", custom=False
    )
    bound.targetPathList.explicitItems = [_ANIMATION]
    _animate(layer, rig.channels, rig_curves(rig.channels, motion, ignored), head_turns(motion))
    return {f"{name}.usdc": _crate(layer), HEAD_FILE: _head_file(rig)}


def _animate(
    layer: Any,
    channels: tuple[str, ...],
    curves: Float[np.ndarray, "frames channels"],
    turns: Float[np.ndarray, "frames 4"],
) -> None:
    animation = Sdf.CreatePrimInLayer(layer, _ANIMATION)
    animation.specifier, animation.typeName = Sdf.SpecifierDef, "SkelAnimation"
    tokens, fixed = Sdf.ValueTypeNames.TokenArray, Sdf.VariabilityUniform
    Sdf.AttributeSpec(animation, "joints", tokens, fixed).default = Vt.TokenArray([_JOINT])
    Sdf.AttributeSpec(animation, "blendShapes", tokens, fixed).default = Vt.TokenArray(channels)
    for name, kind, value in (
        ("translations", Sdf.ValueTypeNames.Float3Array, Vt.Vec3fArray([Gf.Vec3f(0)])),
        ("scales", Sdf.ValueTypeNames.Half3Array, Vt.Vec3hArray([Gf.Vec3h(1)])),
    ):
        Sdf.AttributeSpec(animation, name, kind).default = value
    weights = Sdf.AttributeSpec(animation, "blendShapeWeights", Sdf.ValueTypeNames.FloatArray)
    rotations = Sdf.AttributeSpec(animation, "rotations", Sdf.ValueTypeNames.QuatfArray)
    for frame, (values, (x, y, z, w)) in enumerate(zip(curves, turns.tolist(), strict=True)):
        layer.SetTimeSample(weights.path, frame, Vt.FloatArray.FromNumpy(values))
        layer.SetTimeSample(rotations.path, frame, Vt.QuatfArray([Gf.Quatf(w, x, y, z)]))


@lru_cache(maxsize=_KEPT_RIGS)
def _head_file(rig: BlendshapeRig) -> bytes:
    layer = Sdf.Layer.CreateAnonymous(".usdc")
    _set_stage(layer)
    stage = Usd.Stage.Open(layer)
    UsdSkel.Root.Define(stage, _HEAD)
    skeleton = UsdSkel.Skeleton.Define(stage, _SKELETON)
    skeleton.CreateJointsAttr([_JOINT])
    skeleton.CreateBindTransformsAttr([Gf.Matrix4d(1)])
    skeleton.CreateRestTransformsAttr([Gf.Matrix4d(1)])
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    normals = vertex_normals(rig.neutral, rig.triangles)
    face = _define_face(stage, rig, normals)
    _bind(stage, face, rig, normals)
    for part in rig.parts or (Part("face", 0, len(rig.triangles)),):
        subset = UsdGeom.Subset.CreateGeomSubset(
            face, part.name, UsdGeom.Tokens.face, Vt.IntArray(range(part.start, part.stop)),
            "materialBind", UsdGeom.Tokens.partition,
        )  # fmt: skip
        material = _define_material(stage, part, has_colours=rig.colours is not None)
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)
    return _crate(layer)


def _define_face(stage: Any, rig: BlendshapeRig, normals: Float[np.ndarray, "points 3"]) -> Any:
    face = UsdGeom.Mesh.Define(stage, _FACE)
    points = _vectors(rig.neutral)
    face.CreatePointsAttr(points)
    face.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    face.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(rig.triangles)))
    corners = np.ascontiguousarray(rig.triangles.ravel(), np.int32)
    face.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(corners))
    face.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    face.CreateDoubleSidedAttr(True)
    face.CreateNormalsAttr(_vectors(normals))
    face.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    colour = face.CreateDisplayColorPrimvar()
    if rig.colours is None:
        colour.Set([Gf.Vec3f(*BARE_COLOUR)])
    else:
        colour.SetInterpolation(UsdGeom.Tokens.vertex)
        colour.Set(_vectors(rig.colours))
    return face


def _bind(
    stage: Any, face: Any, rig: BlendshapeRig, normals: Float[np.ndarray, "points 3"]
) -> None:
    """Bind the face to the skeleton, rigidly, and to a blend shape for every channel."""
    binding = UsdSkel.BindingAPI.Apply(face.GetPrim())
    binding.CreateSkeletonRel().SetTargets([_SKELETON])
    binding.CreateJointIndicesPrimvar(constant=True, elementSize=1).Set([0])
    binding.CreateJointWeightsPrimvar(constant=True, elementSize=1).Set([1.0])
    shapes = []
    turns = normal_turns(rig, normals)
    for name, delta, turn in zip(rig.channels, rig.deltas, turns, strict=True):
        shape = UsdSkel.BlendShape.Define(stage, _FACE.AppendChild(name))
        moved = np.flatnonzero(delta.any(axis=1) | turn.any(axis=1))
        shape.CreateOffsetsAttr(_vectors(delta[moved]))
        shape.CreateNormalOffsetsAttr(_vectors(turn[moved]))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(moved.astype(np.int32)))
        shapes.append(shape.GetPath())
    binding.CreateBlendShapesAttr(Vt.TokenArray(rig.channels))
    binding.CreateBlendShapeTargetsRel().SetTargets(shapes)


def _define_material(stage: Any, part: Part, *, has_colours: bool) -> Any:
    path = _HEAD.AppendPath(f"Materials/{part.name}")
    material = UsdShade.Material.Define(stage, path)
    surface = UsdShade.Shader.Define(stage, path.AppendChild("Surface"))
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(part.roughness)
    diffuse = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    if has_colours:
        reader = UsdShade.Shader.Define(stage, path.AppendChild("Colour"))
        reader.CreateIdAttr("UsdPrimvarReader_float3")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
        diffuse.ConnectToSource(reader.CreateOutput("result", Sdf.ValueTypeNames.Float3))
    else:
        diffuse.Set(Gf.Vec3f(*BARE_COLOUR))
    material.CreateSurfaceOutput().ConnectToSource(
        surface.CreateOutput("surface", Sdf.ValueTypeNames.Token)
    )
    return material


def _set_stage(layer: Any) -> None:
    """Say what a stage is measured in, and what stands in it."""
    layer.defaultPrim = _HEAD.name
    layer.pseudoRoot.SetInfo(UsdGeom.Tokens.metersPerUnit, 1.0)
    layer.pseudoRoot.SetInfo(UsdGeom.Tokens.upAxis, UsdGeom.Tokens.y)


def _vectors(values: Float[np.ndarray, "values 3"]) -> Any:
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _crate(layer: Any) -> bytes:
    """Return a layer as a binary USD file; USD writes only to paths."""
    with tempfile.TemporaryDirectory(prefix="unitaf-") as folder:
        path = Path(folder, "layer.usdc")
        layer.Export(str(path))
        return path.read_bytes()
