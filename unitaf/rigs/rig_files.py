"""Blendshape rigs from files: npz, folders of OBJ files in ICT-FaceKit's layout, GLB.

Conventions: whatever a file calls its shapes, they are read as ARKit's by name: capitals do not
matter, ``_L`` and ``_R`` stand for Left and Right, and two halves of a shape that ARKit does not
split (``browInnerUp_L`` and ``_R``) are added up. Shapes without an ARKit name are left out. A
scale brings the file's unit to metres. Nothing in a file is ever executed.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from unitaf.errors import ConfigError
from unitaf.rigs.archives import read_archive
from unitaf.rigs.arkit import BLENDSHAPES, UNITALKER_51
from unitaf.rigs.blendshape import BlendshapeRig

CENTIMETRE = 0.01

_CANONICAL = {name.lower(): name for name in BLENDSHAPES}
_MOUTH_LANDMARKS = slice(48, 68)
"""The mouth among the 68 facial landmarks of iBUG (Sagonas et al. 2016)."""
_UNITALKER = {
    "neutral": "meanshape", "deltas": "blendshape", "triangles": "faces", "lips": "inner_mouth_idx",
}  # fmt: skip
"""What UniTalker's rig file calls our arrays; it holds no names."""


def read_npz(path: str | Path, scale: float = 1.0) -> BlendshapeRig:
    """Read a rig from an npz file.

    Args:
        path: Holds ``neutral``, ``deltas``, ``names``, ``triangles`` or ``quads``, and may hold
            ``lips``; or it is UniTalker's ``inhouse_arkit.npz`` with its 51 shapes.
        scale: Metres a unit of the file.

    Raises:
        ConfigError: If the file cannot be read, lacks an array or holds no ARKit shape.
    """
    try:
        with Path(path).open("rb") as stream:
            arrays = read_archive(stream)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the rig {path}: {error}") from error
    if "meanshape" in arrays:
        arrays = {ours: arrays[key] for ours, key in _UNITALKER.items() if key in arrays}
        arrays["names"] = np.array(UNITALKER_51)
    if "quads" in arrays:
        arrays["triangles"] = _fans(arrays["quads"])
    missing = [key for key in ("neutral", "deltas", "names", "triangles") if key not in arrays]
    if missing:
        raise ConfigError(f"the rig {path} lacks the array {missing[0]!r}")
    names, deltas = arrays["names"].tolist(), arrays["deltas"]
    if len(names) != len(deltas):
        raise ConfigError(f"the rig {path} has {len(names)} names for {len(deltas)} shapes")
    shapes = zip(names, deltas, strict=True)
    lips = arrays.get("lips", np.zeros(0, np.int64))
    return build_rig(
        path, arrays["neutral"] * scale, _scaled(shapes, scale), arrays["triangles"], lips
    )


def read_obj_folder(folder: str | Path, scale: float = CENTIMETRE) -> BlendshapeRig:
    """Read a rig from a folder with one OBJ file for each shape and one for the neutral face.

    The lips are the mouth landmarks of ``vertex_indices.json``, where the folder holds it.

    Args:
        folder: The neutral file is the one with "neutral" in its name.
        scale: Metres a unit of the files; ICT-FaceKit's are centimetres.

    Raises:
        ConfigError: If there is not exactly one neutral file, a file has other vertices than it, or
            one cannot be read.
    """
    paths = sorted(Path(folder).glob("*.obj"))
    neutrals = [path for path in paths if "neutral" in path.stem.lower()]
    if len(neutrals) != 1:
        raise ConfigError(
            f"{folder} must hold one OBJ file of the neutral face, not {len(neutrals)}"
        )
    text = _text(neutrals[0])
    neutral = _obj_vertices(neutrals[0], text) * scale
    shapes = {}
    for path in paths:
        if _channel(path.stem) is not None:
            vertices = _obj_vertices(path, _text(path)) * scale
            if vertices.shape != neutral.shape:
                raise ConfigError(
                    f"{path} has {len(vertices)} vertices, the neutral face {len(neutral)}"
                )
            shapes[path.stem] = vertices - neutral
    lips = _mouth_landmarks(Path(folder) / "vertex_indices.json")
    return build_rig(folder, neutral, shapes.items(), _obj_triangles(neutrals[0], text), lips)


def build_rig(
    source: str | Path,
    neutral: Float[np.ndarray, "points 3"],
    shapes: Iterable[tuple[str, Float[np.ndarray, "points 3"]]],
    triangles: np.ndarray,
    lips: np.ndarray,
) -> BlendshapeRig:
    """Make a rig of the shapes in a source that have ARKit names.

    Raises:
        ConfigError: If there is no such shape, one stands twice, or the arrays do not fit together.
    """
    deltas = _arkit_deltas(source, shapes)
    try:
        return BlendshapeRig(
            channels=tuple(deltas),
            neutral=neutral.astype(np.float32),
            deltas=np.stack(list(deltas.values())).astype(np.float32),
            triangles=triangles.astype(np.int64),
            lips=lips.astype(np.int64),
        )
    except ValueError as error:
        raise ConfigError(f"the rig {source} does not fit together: {error}") from error


def _arkit_deltas(
    source: str | Path, shapes: Iterable[tuple[str, Float[np.ndarray, "points 3"]]]
) -> Mapping[str, Float[np.ndarray, "points 3"]]:
    """Return the shapes that ARKit knows, by its names and in its order."""
    found: dict[str, dict[str, Float[np.ndarray, "points 3"]]] = {}
    for name, delta in shapes:
        channel = _channel(name)
        if channel is None:
            continue
        halves = found.setdefault(channel, {})
        if name[-1:] in halves or (halves and channel.lower() == name.lower()):
            raise ConfigError(f"the rig {source} has the shape {channel} twice")
        halves[name[-1:]] = delta
    if not found:
        raise ConfigError(f"the rig {source} holds no shape with an ARKit name, such as jawOpen")
    return {
        channel: np.sum(list(found[channel].values()), axis=0)
        for channel in BLENDSHAPES
        if channel in found
    }


def _channel(name: str) -> str | None:
    """Return the ARKit shape that a name stands for."""
    stem, bar, side = name.rpartition("_")
    if bar and side in ("L", "R"):
        whole = stem + {"L": "Left", "R": "Right"}[side]
        return _CANONICAL.get(whole.lower(), _CANONICAL.get(stem.lower()))
    return _CANONICAL.get(name.lower())


def _scaled(
    shapes: Iterable[tuple[str, np.ndarray]], scale: float
) -> Iterable[tuple[str, Float[np.ndarray, "points 3"]]]:
    return ((name, delta.astype(np.float64) * scale) for name, delta in shapes)


def _fans(polygons: np.ndarray) -> Int64[np.ndarray, "triangles 3"]:
    """Return the triangles of polygons that all have the same number of corners."""
    corners = [
        np.stack([polygons[:, 0], polygons[:, corner], polygons[:, corner + 1]], axis=1)
        for corner in range(1, polygons.shape[1] - 1)
    ]
    return np.stack(corners, axis=1).reshape(-1, 3).astype(np.int64)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def _obj_vertices(path: Path, text: str) -> Float[np.ndarray, "points 3"]:
    rows = [line.split()[1:4] for line in text.splitlines() if line.startswith("v ")]
    try:
        return np.array(rows, np.float64).reshape(len(rows), 3)
    except ValueError as error:
        raise ConfigError(f"{path} has a vertex that is not three numbers") from error


def _obj_triangles(path: Path, text: str) -> Int64[np.ndarray, "triangles 3"]:
    triangles: list[tuple[int, int, int]] = []
    num_vertices = 0
    for line in text.splitlines():
        if line.startswith("v "):
            num_vertices += 1
        elif line.startswith("f "):
            first, *rest = _corners(path, line, num_vertices)
            triangles += [(first, *edge) for edge in pairwise(rest)]
    return np.array(triangles, np.int64).reshape(-1, 3)


def _corners(path: Path, line: str, num_vertices: int) -> list[int]:
    """Return the vertices of a face; a negative number counts back from the last one before it."""
    try:
        numbers = [int(corner.split("/")[0]) for corner in line.split()[1:]]
    except ValueError:
        numbers = []
    if len(numbers) < 3 or 0 in numbers:
        raise ConfigError(f"{path} has a face that is not three or more vertices: {line.strip()}")
    return [number - 1 if number > 0 else num_vertices + number for number in numbers]


def _mouth_landmarks(path: Path) -> Int64[np.ndarray, " lips"]:
    if not path.exists():
        return np.zeros(0, np.int64)
    try:
        landmarks = json.loads(_text(path))["idx_to_landmark_verts"]
        return np.array(landmarks[_MOUTH_LANDMARKS], np.int64)
    except (ValueError, TypeError, LookupError) as error:
        raise ConfigError(f"{path} cannot be read as landmarks: {error!r}") from error
