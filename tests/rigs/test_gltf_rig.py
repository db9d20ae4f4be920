from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation

from unitaf.errors import ConfigError
from unitaf.rigs.gltf_rig import read_glb

POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)


class Maker:
    """Writes GLB files by another library, in ways that our own exporter does not use."""

    def __init__(self) -> None:
        self.document = pygltflib.GLTF2(
            scene=0, scenes=[pygltflib.Scene(nodes=[0])], buffers=[pygltflib.Buffer()]
        )
        self.blob = b""

    def view(self, values: np.ndarray, stride: int | None = None) -> int:
        self.blob += b"\0" * (-len(self.blob) % 4)
        view = pygltflib.BufferView(
            buffer=0, byteOffset=len(self.blob), byteLength=values.nbytes, byteStride=stride
        )
        self.blob += values.tobytes()
        self.document.bufferViews.append(view)
        return len(self.document.bufferViews) - 1

    def accessor(self, count: int, kind: int, shape: str, **more: Any) -> int:
        self.document.accessors.append(
            pygltflib.Accessor(count=count, componentType=kind, type=shape, **more)
        )
        return len(self.document.accessors) - 1

    def points(self, values: np.ndarray) -> int:
        view = self.view(values.astype(np.float32))
        return self.accessor(len(values), pygltflib.FLOAT, "VEC3", bufferView=view)

    def save(self, path: Path) -> Path:
        self.document.buffers[0].byteLength = len(self.blob)
        self.document.set_binary_blob(self.blob)
        self.document.save_binary(str(path))
        return path


def test_every_way_of_storing_is_understood(tmp_path: Path) -> None:
    maker = Maker()
    shorts = np.zeros((4, 4), np.int16)  # three numbers and padding
    shorts[:, :3] = POINTS * 32767
    quantised = maker.accessor(
        4, pygltflib.SHORT, "VEC3", bufferView=maker.view(shorts, stride=8), normalized=True
    )
    at, by = maker.view(np.array([1, 3], np.uint8)), maker.view(np.full((2, 3), 0.25, np.float32))
    sparse = pygltflib.Sparse(
        count=2,
        indices=pygltflib.AccessorSparseIndices(bufferView=at, componentType=5121),
        values=pygltflib.AccessorSparseValues(bufferView=by),
    )
    smile = maker.accessor(4, pygltflib.FLOAT, "VEC3", sparse=sparse)
    jaw = maker.points(POINTS * 2)
    corners = maker.view(np.array([0, 1, 2, 0, 2, 3], np.uint32))
    turn = Rotation.from_euler("y", 90, degrees=True)
    maker.document.nodes = [
        pygltflib.Node(children=[1, 2], translation=[0, 10, 0]),
        pygltflib.Node(mesh=0, rotation=turn.as_quat().tolist(), scale=[2, 2, 2]),
        pygltflib.Node(mesh=1, matrix=np.diag([3.0, 3.0, 3.0, 1.0]).ravel().tolist()),
    ]
    maker.document.meshes = [
        pygltflib.Mesh(
            primitives=[
                pygltflib.Primitive(
                    attributes=pygltflib.Attributes(POSITION=quantised),
                    indices=maker.accessor(6, pygltflib.UNSIGNED_INT, "SCALAR", bufferView=corners),
                    targets=[{"POSITION": smile}, {"POSITION": jaw}, {"POSITION": jaw}],
                )
            ],
            extras={"targetNames": ["mouthSmile_L", "JawOpen", "wink"], "lips": [2]},
        ),
        pygltflib.Mesh(
            primitives=[
                pygltflib.Primitive(
                    attributes=pygltflib.Attributes(POSITION=maker.points(POINTS[:3]))
                )
            ],
        ),
    ]
    rig = read_glb(maker.save(tmp_path / "rig.glb"))
    assert rig.channels == ("jawOpen", "mouthSmileLeft")
    placed = turn.apply(POINTS * 2) + np.array([0, 10, 0])
    np.testing.assert_allclose(rig.neutral[:4], placed, atol=1e-5)
    np.testing.assert_allclose(rig.neutral[4:], POINTS[:3] * 3 + np.array([0, 10, 0]), atol=1e-5)
    np.testing.assert_allclose(rig.deltas[0, :4], turn.apply(POINTS * 4), atol=1e-5)
    expected = np.zeros((4, 3))
    expected[[1, 3]] = turn.apply([0.5, 0.5, 0.5])
    np.testing.assert_allclose(rig.deltas[1, :4], expected, atol=1e-5)
    assert not rig.deltas[:, 4:].any()
    assert rig.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]
    assert rig.lips.tolist() == [2]


def write_simple(path: Path, **changes: Any) -> Path:
    maker = Maker()
    attributes = pygltflib.Attributes(POSITION=maker.points(POINTS[:3]))
    target = {"POSITION": maker.points(POINTS[:3])}
    primitive = pygltflib.Primitive(attributes=attributes, targets=[target])
    names = changes.pop("names", ["jawOpen"])
    maker.document.meshes = [pygltflib.Mesh(primitives=[primitive], extras={"targetNames": names})]
    maker.document.nodes = [pygltflib.Node(mesh=0)]
    for key, value in changes.items():
        setattr(maker.document, key, value)
    return maker.save(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["wink"]}, "no shape with an ARKit name"),
        ({"extensionsRequired": ["EXT_meshopt_compression"]}, "EXT_meshopt_compression; save it"),
        ({"nodes": [pygltflib.Node()]}, "shows no mesh"),
        ({"meshes": []}, "is damaged"),
    ],
)
def test_glb_that_is_no_rig_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert read_glb(write_simple(tmp_path / "good.glb")).channels == ("jawOpen",)
    with pytest.raises(ConfigError, match=message):
        read_glb(write_simple(tmp_path / "bad.glb", **changes))


def test_file_that_is_no_glb_is_refused(tmp_path: Path) -> None:
    whole = write_simple(tmp_path / "good.glb").read_bytes()
    for content in (b"", b"OBJ?" + whole[4:], whole[:40]):
        (tmp_path / "bad.glb").write_bytes(content)
        with pytest.raises(ConfigError, match=r"not a GLB file of glTF 2\.0"):
            read_glb(tmp_path / "bad.glb")
    with pytest.raises(ConfigError, match="cannot read the rig"):
        read_glb(tmp_path / "missing.glb")
