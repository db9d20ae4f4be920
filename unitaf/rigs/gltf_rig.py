"""A blendshape rig from the morph targets of a GLB file.

Conventions: glTF's frame is ours: metres, y up, forward +z. All meshes of the scene are taken in
order of its nodes, each where its node stands at rest; one without morph targets does not move.
Shapes are named by ``mesh.extras.targetNames``, and ``mesh.extras.lips`` may list the lip vertices.
Only what a rig needs is read of the file, so any glTF 2.0 file without compressed meshes will do.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from unitaf.errors import ConfigError
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.rig_files import build_rig

_COMPONENTS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("i1"), 5121: np.dtype("u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
    5125: np.dtype("<u4"), 5126: np.dtype("<f4"),
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_UNDERSTOOD = {"KHR_mesh_quantization", "KHR_materials_unlit", "KHR_texture_basisu"}
"""Extensions that a file may require: none changes how positions are read."""
_TRIANGLES = 4
_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")


@dataclass(frozen=True, slots=True)
class _Document:
    """A GLB file: its description and its numbers."""

    json: dict[str, Any]
    blob: bytes

    def values(self, index: int) -> Float[np.ndarray, "values width"]:
        """Return what an accessor holds, normalised integers as numbers up to 1."""
        accessor = self.json["accessors"][index]
        kind, width = _COMPONENTS[accessor["componentType"]], _WIDTHS[accessor["type"]]
        values = np.zeros((accessor["count"], width))
        if "bufferView" in accessor:
            values[:] = self._array(accessor, values.shape, kind)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            places = sparse["indices"]
            at = self._array(places, (sparse["count"], 1), _COMPONENTS[places["componentType"]])
            values[at.ravel()] = self._array(sparse["values"], (sparse["count"], width), kind)
        if accessor.get("normalized"):
            values = np.maximum(values / np.iinfo(kind).max, -1.0)
        return values

    def _array(
        self, place: dict[str, Any], shape: tuple[int, ...], kind: np.dtype[Any]
    ) -> np.ndarray:
        view = self.json["bufferViews"][place["bufferView"]]
        start = view.get("byteOffset", 0) + place.get("byteOffset", 0)
        row = view.get("byteStride", shape[1] * kind.itemsize)
        return np.ndarray(shape, kind, self.blob, start, (row, kind.itemsize))


@dataclass(slots=True)
class _Scene:
    """The meshes read so far, one after another."""

    points: list[Float[np.ndarray, "points 3"]] = field(default_factory=list)
    triangles: list[Int64[np.ndarray, "triangles 3"]] = field(default_factory=list)
    shapes: list[dict[str, Float[np.ndarray, "points 3"]]] = field(default_factory=list)
    lips: list[Int64[np.ndarray, " lips"]] = field(default_factory=list)
    num_points: int = 0

    def deltas(self, name: str) -> Float[np.ndarray, "points 3"]:
        """Return a shape over all meshes."""
        return np.concatenate(
            [
                shapes.get(name, np.zeros_like(points))
                for shapes, points in zip(self.shapes, self.points, strict=True)
            ]
        )


def read_glb(path: str | Path) -> BlendshapeRig:
    """Read a rig from a GLB file.

    Raises:
        ConfigError: If the file cannot be read, needs an extension that is not understood, or holds
            no morph target with an ARKit name.
    """
    document = _load(path)
    foreign = sorted(set(document.json.get("extensionsRequired", [])) - _UNDERSTOOD)
    if foreign:
        raise ConfigError(f"the rig {path} needs the glTF extension {foreign[0]}; save it without")
    scene = _Scene()
    try:
        for mesh, to_world in _placed_meshes(document.json):
            _add_mesh(scene, document, mesh, to_world)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ConfigError(f"the rig {path} is damaged: {error!r}") from error
    if not scene.points:
        raise ConfigError(f"the rig {path} shows no mesh")
    names = dict.fromkeys(name for shapes in scene.shapes for name in shapes)
    return build_rig(
        path,
        np.concatenate(scene.points),
        ((name, scene.deltas(name)) for name in names),
        np.concatenate(scene.triangles),
        np.concatenate(scene.lips),
    )


def _load(path: str | Path) -> _Document:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the rig {path}: {error.strerror}") from error
    try:
        magic, version, _ = _HEADER.unpack_from(data)
        length, kind = _CHUNK.unpack_from(data, _HEADER.size)
        start = _HEADER.size + _CHUNK.size
        if (magic, version, kind) != (b"glTF", 2, b"JSON"):
            raise ConfigError(f"the rig {path} is not a GLB file of glTF 2.0")
        blob = data[start + length + _CHUNK.size :]
        return _Document(json.loads(data[start : start + length]), blob)
    except (struct.error, ValueError) as error:
        raise ConfigError(f"the rig {path} is not a GLB file of glTF 2.0") from error


def _placed_meshes(
    document: dict[str, Any],
) -> Iterator[tuple[dict[str, Any], Float[np.ndarray, "4 4"]]]:
    """Return the meshes of the scene and where their nodes stand, parents before children."""
    scene = document["scenes"][document.get("scene", 0)]
    waiting = [(index, np.eye(4)) for index in reversed(scene["nodes"])]
    while waiting:
        index, parent = waiting.pop()
        node = document["nodes"][index]
        to_world = parent @ _local(node)
        if "mesh" in node:
            yield document["meshes"][node["mesh"]], to_world
        waiting += [(child, to_world) for child in reversed(node.get("children", []))]


def _local(node: dict[str, Any]) -> Float[np.ndarray, "4 4"]:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    local[:3, :3] = turn * np.array(node.get("scale", (1.0, 1.0, 1.0)))
    local[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return local


def _add_mesh(
    scene: _Scene, document: _Document, mesh: dict[str, Any], to_world: Float[np.ndarray, "4 4"]
) -> None:
    linear, offset = to_world[:3, :3], to_world[:3, 3]
    extras = mesh.get("extras", {})
    scene.lips.append(np.array(extras.get("lips", []), np.int64) + scene.num_points)
    for primitive in mesh["primitives"]:
        if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
            continue
        points = document.values(primitive["attributes"]["POSITION"]) @ linear.T + offset
        corners = np.arange(len(points))
        if "indices" in primitive:
            corners = document.values(primitive["indices"]).astype(np.int64).ravel()
        targets = primitive.get("targets", [])
        scene.shapes.append(
            {
                name: document.values(target["POSITION"]) @ linear.T
                for name, target in zip(extras.get("targetNames", []), targets, strict=False)
                if "POSITION" in target
            }
        )
        scene.points.append(points)
        scene.triangles.append(corners.reshape(-1, 3) + scene.num_points)
        scene.num_points += len(points)
