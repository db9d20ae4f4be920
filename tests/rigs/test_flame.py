import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csc_matrix
from scipy.spatial.transform import Rotation

from unitaf.errors import ConfigError
from unitaf.rigs.flame import FlameModel, read_flame, rotations

POINTS, JOINTS = 12, 5


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    weights = rng.random((POINTS, JOINTS))
    regressor = rng.random((JOINTS, POINTS)) * (rng.random((JOINTS, POINTS)) < 0.5)
    return {
        "v_template": rng.normal(size=(POINTS, 3)),
        "shapedirs": rng.normal(size=(POINTS, 3, 400)) * 0.01,
        "posedirs": rng.normal(size=(POINTS, 3, 36)) * 0.01,
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "f": np.array([[0, 1, 2], [2, 3, 4]], np.uint32),
    }


def skin_by_hand(model: dict[str, np.ndarray], shape: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """One frame, as 4 x 4 matrices, a vertex at a time."""
    shaped = model["v_template"] + model["shapedirs"] @ shape
    joints = model["J_regressor"] @ shaped
    turns = Rotation.from_rotvec(pose).as_matrix()
    posed = shaped + model["posedirs"] @ (turns[1:] - np.eye(3)).ravel()
    world: list[np.ndarray] = []
    for joint, parent in enumerate([-1, 0, 1, 1, 1]):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if joint else 0)
        world.append(world[parent] @ local if joint else local)
    result = np.zeros_like(posed)
    for point in range(POINTS):
        for joint in range(JOINTS):
            away = np.eye(4)
            away[:3, 3] = -joints[joint]
            moved = world[joint] @ away @ np.append(posed[point], 1.0)
            result[point] += model["weights"][point, joint] * moved[:3]
    return result


@pytest.fixture
def model(tmp_path: Path) -> FlameModel:
    np.savez(tmp_path / "flame.npz", **arrays())
    return read_flame(tmp_path / "flame.npz")


def test_vertices_equal_skinning_by_hand(model: FlameModel) -> None:
    rng = np.random.default_rng(12)
    shape, pose = rng.normal(size=(3, 400)), rng.normal(size=(3, JOINTS, 3)) * 0.5
    pose[0] = 0.0
    ours = model.vertices(torch.tensor(shape).float(), torch.tensor(pose).float())
    for frame in range(3):
        by_hand = skin_by_hand(arrays(), shape[frame], pose[frame])
        np.testing.assert_allclose(ours[frame], by_hand, atol=5e-6)


def test_parameters_of_unitalker_move_shape_and_jaw_only(model: FlameModel) -> None:
    parameters = torch.randn(2, 413, generator=torch.Generator().manual_seed(1)).requires_grad_()
    vertices = model.from_parameters(parameters)
    pose = torch.zeros(2, JOINTS, 3)
    pose[:, 2] = parameters[:, 400:403]
    assert torch.equal(vertices, model.vertices(parameters[:, :400], pose))
    (gradient,) = torch.autograd.grad(vertices.sum(), parameters)
    assert gradient[:, :403].abs().min() > 0
    assert not gradient[:, 403:].any()
    with pytest.raises(ValueError, match="51 FLAME parameters"):
        model.from_parameters(torch.zeros(2, 51))


def test_rotation_has_a_gradient_at_rest() -> None:
    angles = torch.zeros(1, 3, requires_grad=True)
    turn = rotations(angles)
    assert torch.equal(turn[0], torch.eye(3))
    (gradient,) = torch.autograd.grad(turn[0, 2, 1], angles)
    np.testing.assert_allclose(gradient, [[1.0, 0.0, 0.0]], atol=1e-6)


@pytest.fixture(params=[2, pickle.HIGHEST_PROTOCOL])
def published(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A file with chumpy's and scipy's classes in it, as the published one."""
    chumpy = types.ModuleType("chumpy.ch")
    chumpy.Ch = type("Ch", (), {"__module__": "chumpy.ch"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", chumpy)
    content: dict[str, object] = dict(arrays())
    content["J_regressor"] = csc_matrix(content["J_regressor"])
    for name in ("shapedirs", "v_template"):
        held = chumpy.Ch()
        held.x = content[name]
        content[name] = held
    content["bs_style"] = "lbs"
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(content, protocol=request.param))
    return path


def test_published_pickle_is_read_without_its_classes(
    published: Path, model: FlameModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    from_pickle = read_flame(published)
    assert from_pickle.parents == (-1, 0, 1, 1, 1)
    for name in ("template", "shape_basis", "pose_basis", "joint_regressor", "skinning"):
        assert torch.equal(getattr(from_pickle, name), getattr(model, name)), name
    assert np.array_equal(from_pickle.triangles, model.triangles)


class Attack:
    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_that_runs_code_is_refused(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "made by the file"
    content = dict(arrays()) | {"f": Attack(str(target))}
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(ConfigError, match=r"wants to load \w+\.mkdir, which is no array"):
        read_flame(tmp_path / "evil.pkl")
    assert not target.exists()


def test_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    short = {key: value for key, value in arrays().items() if key != "posedirs"}
    np.savez(tmp_path / "short.npz", **short)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "short.npz").read_bytes()[:500])
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps(arrays() | {"f": "text"}))
    (tmp_path / "noise.pkl").write_bytes(b"\x80\x02noise")
    for name, message in (
        ("short.npz", "lacks the array 'posedirs'"),
        ("cut.npz", "was not read"),
        ("list.pkl", "no arrays by name"),
        ("odd.pkl", "'f' in a form that is no array"),
        ("noise.pkl", "was not read"),
        ("missing.pkl", "cannot read the FLAME model"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_flame(tmp_path / name)
