"""GLB: a face with morph targets and the animation of one take, playable in any glTF viewer.

Conventions: glTF 2.0; metres, y up, the face looks along +z. Frame i is a key at i / fps, and the
last frame is held to the end of the sound. Morph targets move the mesh; the head angles turn its
node as `unitaf.export.posing` says. Targets are named in ``mesh.extras.targetNames``, by custom.
Most of a face stands still in a shape, so targets are sparse.
"""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pygltflib
from jaxtyping import Float, Int64

from unitaf.export.posing import BARE_COLOUR, head_turns, normal_turns
from unitaf.rigs.blendshape import BlendshapeRig, Part, rig_curves
from unitaf.rigs.head import procedural_head
from unitaf.rigs.render import vertex_normals
from unitaf.timing import frame_times
from unitaf.types import FaceMotion, Take

_KEPT_RIGS = 4

_COMPONENTS = {
    np.dtype(np.float32): pygltflib.FLOAT,
    np.dtype(np.uint16): pygltflib.UNSIGNED_SHORT,
    np.dtype(np.uint32): pygltflib.UNSIGNED_INT,
}
_TYPES = {1: pygltflib.SCALAR, 3: pygltflib.VEC3, 4: pygltflib.VEC4}


def encode_glb(take: Take, name: str) -> dict[str, bytes]:
    """Return our own head, animated by a take."""
    return {f"{name}.glb": glb_bytes(procedural_head(), take.motion, take.speech.duration_s)}


def glb_bytes(
    rig: BlendshapeRig, motion: FaceMotion, duration_s: float, ignored: Collection[str] = ()
) -> bytes:
    """Return a rig that plays a motion.

    Args:
        rig: Its mesh is prepared once; the last few rigs are kept.
        motion: Any channels, any order; at least one frame.
        duration_s: The length of the sound, which the animation gets too.
        ignored: Channels that the rig may lack.

    Raises:
        ValueError: If the rig lacks a channel that the motion moves, or the motion has no frame or
            lasts longer than the sound.
    """
    curves = rig_curves(rig.channels, motion, ignored)
    times = frame_times(len(curves), motion.fps)
    if not len(times) or times[-1] > duration_s:
        raise ValueError(
            f"{len(times)} frames at {motion.fps} fps do not fit {duration_s} s of sound"
        )
    held = np.minimum(np.arange(len(times) + 1), len(times) - 1)
    document = _mesh_document(rig).copy()
    key = document.accessor(np.append(times, duration_s)[:, None], bounded=True)
    tracks = (("weights", curves.reshape(-1, 1)), ("rotation", head_turns(motion)))
    samplers: list[Any] = []
    channels: list[Any] = []
    for path, values in tracks:
        frames = values.reshape(len(times), -1)[held]
        output = document.accessor(frames.reshape(-1, values.shape[1]))
        samplers.append(
            pygltflib.AnimationSampler(input=key, output=output, interpolation="LINEAR")
        )
        target = pygltflib.AnimationChannelTarget(node=0, path=path)
        channels.append(pygltflib.AnimationChannel(sampler=len(channels), target=target))
    document.animations = [pygltflib.Animation(name="take", samplers=samplers, channels=channels)]
    return document.glb()


@dataclass(slots=True)
class _Document:
    """A glTF file while it grows."""

    blob: bytearray = field(default_factory=bytearray)
    views: list[Any] = field(default_factory=list)
    accessors: list[Any] = field(default_factory=list)
    meshes: list[Any] = field(default_factory=list)
    materials: list[Any] = field(default_factory=list)
    animations: list[Any] = field(default_factory=list)

    def copy(self) -> "_Document":
        """Return a document that can grow without changing this one."""
        return _Document(
            copy(self.blob), copy(self.views), copy(self.accessors), self.meshes, self.materials
        )

    def view(self, values: np.ndarray, target: int | None = None) -> int:
        """Store values and return their buffer view."""
        self.blob += bytes(-len(self.blob) % 4)
        data = np.ascontiguousarray(values).tobytes()
        self.views.append(
            pygltflib.BufferView(
                buffer=0, byteOffset=len(self.blob), byteLength=len(data), target=target
            )
        )
        self.blob += data
        return len(self.views) - 1

    def accessor(
        self,
        values: Float[np.ndarray, "values width"],
        target: int | None = None,
        *,
        bounded: bool = False,
    ) -> int:
        """Store numbers as float32 and return their accessor."""
        stored = values.astype(np.float32)
        accessor = _accessor(stored, bounded=bounded)
        accessor.bufferView = self.view(stored, target)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def indices(self, values: Int64[np.ndarray, " values"]) -> int:
        """Store vertex indices and return their accessor."""
        stored = values.astype(_index_type(values))[:, None]
        accessor = _accessor(stored)
        accessor.bufferView = self.view(stored, pygltflib.ELEMENT_ARRAY_BUFFER)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse(self, values: Float[np.ndarray, "values 3"], *, bounded: bool = False) -> int:
        """Store only the rows that are not zero and return the accessor of all."""
        stored = values.astype(np.float32)
        accessor = _accessor(stored, bounded=bounded)
        rows = np.flatnonzero(stored.any(axis=1))
        if len(rows):
            at = rows.astype(_index_type(rows))
            accessor.sparse = pygltflib.Sparse(
                count=len(rows),
                indices=pygltflib.AccessorSparseIndices(
                    bufferView=self.view(at), byteOffset=None, componentType=_COMPONENTS[at.dtype]
                ),
                values=pygltflib.AccessorSparseValues(
                    bufferView=self.view(stored[rows]), byteOffset=0
                ),
            )
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def glb(self) -> bytes:
        """Return the finished file."""
        self.blob += bytes(-len(self.blob) % 4)
        document = pygltflib.GLTF2(
            asset=pygltflib.Asset(version="2.0", generator="unitaf"),
            scene=0,
            scenes=[pygltflib.Scene(nodes=[0])],
            nodes=[pygltflib.Node(name="head", mesh=0)],
            meshes=self.meshes,
            materials=self.materials,
            animations=self.animations,
            accessors=self.accessors,
            bufferViews=self.views,
            buffers=[pygltflib.Buffer(byteLength=len(self.blob))],
        )
        document.set_binary_blob(bytes(self.blob))
        return b"".join(document.save_to_bytes())


def _accessor(stored: np.ndarray, *, bounded: bool = False) -> Any:
    return pygltflib.Accessor(
        byteOffset=None,
        normalized=None,
        componentType=_COMPONENTS[stored.dtype],
        count=len(stored),
        type=_TYPES[stored.shape[1]],
        min=stored.min(axis=0).tolist() if bounded else None,
        max=stored.max(axis=0).tolist() if bounded else None,
    )


def _index_type(values: Int64[np.ndarray, " values"]) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if values.max() < 0xFFFF else np.uint32


@lru_cache(maxsize=_KEPT_RIGS)
def _mesh_document(rig: BlendshapeRig) -> _Document:
    """Return a document with the rig's mesh at rest, one primitive a part."""
    document = _Document()
    normals = vertex_normals(rig.neutral, rig.triangles)
    turns = normal_turns(rig, normals)
    primitives, lips = [], []
    first = 0
    for part in rig.parts or (Part("face", 0, len(rig.triangles)),):
        used, corners = np.unique(rig.triangles[part.start : part.stop], return_inverse=True)
        primitives.append(
            pygltflib.Primitive(
                attributes=_attributes(document, rig, normals, used),
                indices=document.indices(corners.ravel()),
                material=len(document.materials),
                targets=[
                    {
                        "POSITION": document.sparse(delta[used], bounded=True),
                        "NORMAL": document.sparse(turn[used]),
                    }
                    for delta, turn in zip(rig.deltas, turns, strict=True)
                ],
            )
        )
        document.materials.append(_material(part, has_colours=rig.colours is not None))
        lips += (first + np.flatnonzero(np.isin(used, rig.lips))).tolist()
        first += len(used)
    document.meshes = [
        pygltflib.Mesh(
            name="face",
            primitives=primitives,
            weights=[0.0] * len(rig.channels),
            extras={"targetNames": list(rig.channels), "lips": lips},
        )
    ]
    return document


def _attributes(
    document: _Document,
    rig: BlendshapeRig,
    normals: Float[np.ndarray, "points 3"],
    used: Int64[np.ndarray, " used"],
) -> Any:
    vertex = pygltflib.ARRAY_BUFFER
    attributes = pygltflib.Attributes(
        POSITION=document.accessor(rig.neutral[used], vertex, bounded=True),
        NORMAL=document.accessor(normals[used], vertex),
    )
    if rig.colours is not None:
        attributes.COLOR_0 = document.accessor(rig.colours[used], vertex)
    return attributes


def _material(part: Part, *, has_colours: bool) -> Any:
    colour = (1.0, 1.0, 1.0) if has_colours else BARE_COLOUR
    return pygltflib.Material(
        name=part.name,
        doubleSided=True,
        pbrMetallicRoughness=pygltflib.PbrMetallicRoughness(
            baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=part.roughness
        ),
    )
