"""GLB files are read back by pygltflib's parser, by trimesh and by the few lines of `numbers`."""

import io
import json
import struct
from typing import Any

import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from unitaf.export.glb import encode_glb, glb_bytes
from unitaf.rigs.arkit import ANGLES, BLENDSHAPES, CHANNELS
from unitaf.rigs.blendshape import BlendshapeRig, Part
from unitaf.rigs.gltf_rig import read_glb
from unitaf.rigs.head import procedural_head
from unitaf.types import FaceMotion, Provenance, Speech, Take, Utterance

KINDS = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    blob_size, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert (kind, blob_size % 4, 28 + size + blob_size) == (b"BIN\0", 0, len(data))
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def numbers(document: dict[str, Any], blob: bytes, index: int) -> np.ndarray:
    def stored(place: dict[str, Any], kind: int, shape: tuple[int, int]) -> np.ndarray:
        view = document["bufferViews"][place["bufferView"]]
        start = view["byteOffset"]
        values = np.frombuffer(blob[start : start + view["byteLength"]], KINDS[kind])
        return values.reshape(shape)

    accessor = document["accessors"][index]
    kind, width = accessor["componentType"], WIDTHS[accessor["type"]]
    values = np.zeros((accessor["count"], width), KINDS[kind])
    if "bufferView" in accessor:
        values[:] = stored(accessor, kind, values.shape)
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        at = stored(sparse["indices"], sparse["indices"]["componentType"], (sparse["count"], 1))
        values[at.ravel()] = stored(sparse["values"], kind, (sparse["count"], width))
    return values


def make_motion(frames: int = 7, fps: float = 29.97) -> FaceMotion:
    rng = np.random.default_rng(6)
    curves = rng.random((frames, 61)).astype(np.float32)
    curves[:, 52:] = rng.normal(size=(frames, 9)) * 0.3
    return FaceMotion(curves, CHANNELS, fps)


def make_rig(channels: tuple[str, ...] = ("mouthPucker", "jawOpen")) -> BlendshapeRig:
    box = trimesh.creation.box(extents=(0.1, 0.2, 0.3))
    deltas = np.random.default_rng(8).normal(size=(len(channels), 8, 3)).astype(np.float32) * 0.01
    deltas[0, :5] = 0.0
    return BlendshapeRig(
        channels=channels,
        neutral=box.vertices.astype(np.float32),
        deltas=deltas,
        triangles=np.array(box.faces, np.int64),
        lips=np.array([2, 7]),
        parts=(Part("front", 0, 5, 0.3), Part("back", 5, 12, 0.8)),
    )


def animation(data: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times and tracks, found the way that a viewer finds them."""
    document = pygltflib.GLTF2().load_from_bytes(data)
    plain, blob = parts(data)
    (take,) = document.animations
    tracks = {}
    for channel in take.channels:
        sampler = take.samplers[channel.sampler]
        assert document.nodes[channel.target.node].mesh == 0
        assert sampler.interpolation == "LINEAR"
        tracks[channel.target.path] = numbers(plain, blob, sampler.output)
    return numbers(plain, blob, take.samplers[0].input)[:, 0], tracks


def test_curves_and_times_come_back() -> None:
    motion = make_motion()
    data = glb_bytes(procedural_head(), motion, 0.23)
    times, tracks = animation(data)
    assert np.array_equal(times[:-1], (np.arange(7) / 29.97).astype(np.float32))
    assert times[-1] == np.float32(0.23)
    weights = tracks["weights"].reshape(8, 52)
    names = parts(data)[0]["meshes"][0]["extras"]["targetNames"]
    assert tuple(names) == BLENDSHAPES
    np.testing.assert_allclose(weights[:7], motion.curves[:, :52], atol=1e-6)
    assert np.array_equal(weights[7], weights[6])


def test_head_turns_as_the_angles_say() -> None:
    motion = make_motion()
    turns = animation(glb_bytes(make_rig(BLENDSHAPES), motion, 1.0))[1]["rotation"]
    angles = motion.curves[:, [CHANNELS.index(n) for n in ("headYaw", "headPitch", "headRoll")]]
    theirs = Rotation.from_euler("YXZ", angles)
    difference = theirs * Rotation.from_quat(turns[:7]).inv()
    assert difference.magnitude().max() < 1e-6
    # Positive yaw is to the own left, pitch down, roll to the own right shoulder.
    nose, crown = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])
    for name, pointer, axis, sign in (
        ("headYaw", nose, 0, 1), ("headPitch", nose, 1, -1), ("headRoll", crown, 0, -1),
    ):  # fmt: skip
        curves = np.zeros((1, 61), np.float32)
        curves[0, CHANNELS.index(name)] = 0.2
        turn = animation(glb_bytes(make_rig(), FaceMotion(curves, CHANNELS, 30.0), 0.1))[1]
        moved = Rotation.from_quat(turn["rotation"][0]).apply(pointer)
        assert sign * moved[axis] > 0.19, name


def test_eye_angles_do_not_turn_the_eyes_twice() -> None:
    motion = make_motion()
    without = motion.curves.copy()
    without[:, [CHANNELS.index(name) for name in ANGLES[3:]]] = 0.0
    rig = make_rig(BLENDSHAPES)
    still = FaceMotion(without, CHANNELS, motion.fps)
    assert glb_bytes(rig, motion, 1.0) == glb_bytes(rig, still, 1.0)


def test_mesh_equals_an_independent_reader() -> None:
    rig = procedural_head()
    data = glb_bytes(rig, make_motion(), 1.0)
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
    theirs = list(scene.geometry.values())
    assert len(theirs) == len(rig.parts)
    for mesh, part in zip(theirs, rig.parts, strict=True):
        ours = rig.neutral[rig.triangles[part.start : part.stop]]
        np.testing.assert_allclose(mesh.vertices[mesh.faces], ours, atol=1e-7)
        assert mesh.visual.material.roughnessFactor == pytest.approx(part.roughness)


@pytest.mark.parametrize("make", [procedural_head, make_rig])
def test_targets_hold_the_deltas(make: Any) -> None:
    rig = make()
    document, blob = parts(glb_bytes(rig, make_motion(), 1.0, ignored=BLENDSHAPES))
    for primitive, part in zip(document["meshes"][0]["primitives"], rig.parts, strict=True):
        corners = numbers(document, blob, primitive["indices"]).ravel()
        assert len(primitive["targets"]) == len(rig.channels)
        for target, delta in zip(primitive["targets"], rig.deltas, strict=True):
            values = numbers(document, blob, target["POSITION"])
            ours = delta[rig.triangles[part.start : part.stop].ravel()]
            np.testing.assert_array_equal(values[corners], ours)
            accessor = document["accessors"][target["POSITION"]]
            assert accessor["min"] == values.min(axis=0).tolist()
            assert accessor["max"] == values.max(axis=0).tolist()
            assert document["accessors"][target["NORMAL"]]["count"] == len(values)


def test_our_own_reader_gives_the_rig_back(tmp_path: Any) -> None:
    rig = procedural_head()
    (tmp_path / "head.glb").write_bytes(glb_bytes(rig, make_motion(), 1.0))
    again = read_glb(tmp_path / "head.glb")
    curves = np.random.default_rng(9).random((1, 52))
    ours, theirs = rig.vertices(curves)[0], again.vertices(curves)[0]
    assert again.channels == rig.channels
    np.testing.assert_allclose(theirs[again.triangles], ours[rig.triangles], atol=1e-6)
    np.testing.assert_allclose(
        np.unique(theirs[again.lips], axis=0), np.unique(ours[rig.lips], axis=0), atol=1e-6
    )


def test_rig_without_colours_gets_a_material() -> None:
    document, _ = parts(glb_bytes(make_rig(), make_motion(), 1.0, ignored=BLENDSHAPES))
    assert [material["name"] for material in document["materials"]] == ["front", "back"]
    assert "COLOR_0" not in document["meshes"][0]["primitives"][0]["attributes"]


def test_motion_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks channels .*tongueOut"):
        glb_bytes(make_rig(), make_motion(), 1.0)
    rig = make_rig(BLENDSHAPES)
    with pytest.raises(ValueError, match=r"7 frames at 29\.97 fps do not fit 0\.2 s"):
        glb_bytes(rig, make_motion(), 0.2)
    with pytest.raises(ValueError, match="0 frames"):
        glb_bytes(rig, make_motion(frames=0), 1.0)


def test_take_becomes_one_file_as_long_as_its_sound() -> None:
    speech = Speech(np.zeros(24001, np.float32), 24000, np.zeros((1, 4), np.float32), 50.0)
    take = Take(
        "key",
        Utterance("line", "hello"),
        speech,
        make_motion(frames=61, fps=60.0),
        Provenance("stub", "visemes", "", "", "0"),
    )
    files = encode_glb(take, "scenes/line")
    assert list(files) == ["scenes/line.glb"]
    times, _ = animation(files["scenes/line.glb"])
    assert len(times) == 62
    assert times[-1] == np.float32(24001 / 24000)
