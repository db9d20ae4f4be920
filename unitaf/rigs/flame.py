"""FLAME: a head from shape, expression and joint angles (Li et al. 2017).

Conventions: metres, y up, the face looks along +z; angles are axis-angle vectors in radians. The
model itself is not ours to ship: a user gives the file. As published that is a pickle; it is
read by an unpickler that can build arrays and nothing else, so a file that wants to run code is
refused.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unitaf.errors import ConfigError
from unitaf.rigs.archives import read_archive

NUM_PARAMETERS = 403
"""What the geometry uses of UniTalker's 413 numbers a frame (its data set D5)."""

_NUM_SHAPE = 400
_JAW = 2
_OTHER_NAMES = {"weights": "lbs_weights", "f": "faces"}
"""Second names of arrays, as re-packed files have them."""
_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")


@dataclass(frozen=True, slots=True, eq=False)
class FlameModel:
    """The arrays of a FLAME model, and the way from parameters to vertices."""

    template: Float[Tensor, "points 3"]
    shape_basis: Float[Tensor, "points 3 shapes"]
    """300 of identity, then 100 of expression."""
    pose_basis: Float[Tensor, "points 3 pose"]
    """Corrections for every number of the joints' rotations minus identity, the root's left out."""
    joint_regressor: Float[Tensor, "joints points"]
    skinning: Float[Tensor, "points joints"]
    parents: tuple[int, ...]
    """Each joint's parent, which comes before it; of the root -1."""
    triangles: Int64[np.ndarray, "triangles 3"]

    def vertices(
        self, shape: Float[Tensor, "frames shapes"], pose: Float[Tensor, "frames joints 3"]
    ) -> Float[Tensor, "frames points 3"]:
        """Return the mesh of every frame by linear blend skinning (Li et al. 2017, eq. 1-4).

        Args:
            shape: Identity and expression coefficients.
            pose: Rotations of root, neck, jaw, left and right eye, as axis-angle.
        """
        shaped = self.template + torch.einsum("pcs,fs->fpc", self.shape_basis, shape)
        joints = torch.einsum("jp,fpc->fjc", self.joint_regressor, shaped)
        turns = rotations(pose)
        bent = (turns[:, 1:] - torch.eye(3, dtype=pose.dtype, device=pose.device)).flatten(1)
        posed = shaped + torch.einsum("pcb,fb->fpc", self.pose_basis, bent)
        turn, shift = self._chain(joints, turns)
        shift = shift - torch.einsum("fjab,fjb->fja", turn, joints)
        blended = torch.einsum("pj,fjab->fpab", self.skinning, turn)
        return torch.einsum("fpab,fpb->fpa", blended, posed) + self.skinning @ shift

    def from_parameters(
        self, parameters: Float[Tensor, "frames parameters"]
    ) -> Float[Tensor, "frames points 3"]:
        """Return the mesh for UniTalker's FLAME parameters, as fitted by DAD-3DHeads.

        Args:
            parameters: 300 of identity, 100 of expression, 3 of the jaw; what follows (head
                rotation, translation, scale) is not geometry and is ignored.

        Raises:
            ValueError: If there are fewer than 403.
        """
        if parameters.shape[1] < NUM_PARAMETERS:
            raise ValueError(
                f"{parameters.shape[1]} FLAME parameters, not {NUM_PARAMETERS} or more"
            )
        pose = parameters.new_zeros(len(parameters), len(self.parents), 3)
        pose[:, _JAW] = parameters[:, _NUM_SHAPE:NUM_PARAMETERS]
        return self.vertices(parameters[:, :_NUM_SHAPE], pose)

    def _chain(
        self, joints: Float[Tensor, "frames joints 3"], turns: Float[Tensor, "frames joints 3 3"]
    ) -> tuple[Float[Tensor, "frames joints 3 3"], Float[Tensor, "frames joints 3"]]:
        """Return every joint's rotation and place in the head's frame."""
        turn, place = [turns[:, 0]], [joints[:, 0]]
        for joint, parent in enumerate(self.parents[1:], start=1):
            bone = joints[:, joint] - joints[:, parent]
            turn.append(turn[parent] @ turns[:, joint])
            place.append(place[parent] + (turn[parent] @ bone[..., None])[..., 0])
        return torch.stack(turn, dim=1), torch.stack(place, dim=1)


def rotations(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return rotation matrices of axis-angle vectors (Rodrigues), differentiable at zero too."""
    angle = torch.sqrt((angles**2).sum(dim=-1, keepdim=True) + 1e-16)[..., None]
    x, y, z = angles.unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    cross = cross.reshape(*angles.shape, 3) / angle
    identity = torch.eye(3, dtype=angles.dtype, device=angles.device)
    turn: Tensor = identity + torch.sin(angle) * cross + (1.0 - torch.cos(angle)) * (cross @ cross)
    return turn


def read_flame(path: str | Path) -> FlameModel:
    """Read a FLAME model: the published ``generic_model.pkl``, or an npz file with its arrays.

    Raises:
        ConfigError: If the file cannot be read, holds anything but arrays, or lacks one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the FLAME model {path}: {error.strerror}") from error
    arrays = _npz(path, data) if data[:2] == b"PK" else _pickled(path, data)
    found = {}
    for name in _ARRAYS:
        known = name if name in arrays else _OTHER_NAMES.get(name, name)
        if known not in arrays:
            raise ConfigError(f"the FLAME model {path} lacks the array {name!r}")
        found[name] = _dense(path, name, arrays[known])
    parents = found["kintree_table"][0].astype(np.int64).tolist()
    numbers = {
        name: torch.from_numpy(found[name].astype(np.float32))
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    }
    return FlameModel(
        template=numbers["v_template"],
        shape_basis=numbers["shapedirs"],
        pose_basis=numbers["posedirs"],
        joint_regressor=numbers["J_regressor"],
        skinning=numbers["weights"],
        parents=(-1, *parents[1:]),
        triangles=found["f"].astype(np.int64),
    )


class _Held:
    """Stands for an object of a class that is not loaded: it only keeps what was stored of it."""

    state: Mapping[str, Any]

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.state = state


def _reconstructor(kind: type, base: type, state: object) -> object:
    """Take the place of ``copyreg._reconstructor``, which would call any constructor."""
    if (kind, base, state) != (_Held, object, None):
        raise pickle.UnpicklingError("it holds an object that is no array")
    return _Held()


def _latin1(text: str, encoding: str) -> bytes:
    """Take the place of ``_codecs.encode``, which would run any codec."""
    if encoding != "latin1":
        raise pickle.UnpicklingError("it holds bytes in an unknown form")
    return text.encode("latin1")


def _from_buffer(
    data: bytes | bytearray, kind: np.dtype[Any], shape: tuple[int, ...], order: str
) -> np.ndarray:
    """Take the place of numpy's function of new pickles."""
    return np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


_ARRAY_MAKER: Callable[..., Any] = np.zeros(0).__reduce__()[0]  # type: ignore[assignment]
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY_MAKER,
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY_MAKER,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _latin1,
    ("chumpy.ch", "Ch"): _Held,
    ("scipy.sparse.csc", "csc_matrix"): _Held,
    ("scipy.sparse._csc", "csc_matrix"): _Held,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays, and what holds them in a FLAME file; any other name in the file is refused."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants to load {module}.{name}, which is no array")
        return _ALLOWED[module, name]


def _pickled(path: str | Path, data: bytes) -> Mapping[str, Any]:
    try:
        arrays = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ConfigError(f"the FLAME model {path} was not read: {error}") from error
    if not isinstance(arrays, dict):
        raise ConfigError(f"the FLAME model {path} holds no arrays by name")
    return arrays


def _npz(path: str | Path, data: bytes) -> Mapping[str, Any]:
    try:
        return read_archive(io.BytesIO(data))
    except ValueError as error:
        raise ConfigError(f"the FLAME model {path} was not read: {error}") from error


def _dense(path: str | Path, name: str, value: object) -> np.ndarray:
    """Return an array that may have been stored as chumpy's or as scipy's compressed columns."""
    if isinstance(value, np.ndarray):
        return value
    state = value.state if isinstance(value, _Held) else {}
    inner = state.get("x")
    if isinstance(inner, np.ndarray):
        return inner
    if "indptr" not in state:
        raise ConfigError(f"the FLAME model {path} holds {name!r} in a form that is no array")
    shape = state.get("_shape", state.get("shape"))
    dense: np.ndarray = np.zeros(shape)
    columns = np.repeat(np.arange(shape[1]), np.diff(state["indptr"]))
    dense[state["indices"], columns] = state["data"]
    return dense
