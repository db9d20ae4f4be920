import json
import os
from pathlib import Path

import numpy as np
import pytest
import trimesh

from unitaf.errors import ConfigError
from unitaf.rigs.arkit import UNITALKER_51
from unitaf.rigs.rig_files import read_npz, read_obj_folder

NEUTRAL = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], float)


def write_npz(path: Path, **changes: np.ndarray | None) -> Path:
    names = ["jawOpen", "browInnerUp_L", "browInnerUp_R", "mouthSmile_R", "PupilDilate_L"]
    arrays: dict[str, np.ndarray | None] = {
        "neutral": NEUTRAL,
        "deltas": np.random.default_rng(3).normal(size=(5, 5, 3)),
        "names": np.array(names),
        "quads": np.array([[0, 1, 2, 3]]),
    }
    kept = {key: value for key, value in (arrays | changes).items() if value is not None}
    np.savez(path, allow_pickle=True, **kept)
    return path


def test_npz_is_read_by_arkit_names(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "rig.npz")
    deltas = np.load(path)["deltas"]
    rig = read_npz(path, scale=0.01)
    assert rig.channels == ("jawOpen", "mouthSmileRight", "browInnerUp")
    shapes = dict(zip(rig.channels, rig.deltas, strict=True))
    np.testing.assert_allclose(rig.neutral, NEUTRAL * 0.01)
    np.testing.assert_allclose(shapes["jawOpen"], deltas[0] * 0.01, rtol=1e-6)
    np.testing.assert_allclose(shapes["browInnerUp"], (deltas[1] + deltas[2]) * 0.01, rtol=1e-6)
    np.testing.assert_allclose(shapes["mouthSmileRight"], deltas[3] * 0.01, rtol=1e-6)
    assert rig.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert rig.lips.size == 0


def test_npz_of_unitalker_has_its_order(tmp_path: Path) -> None:
    basis = np.random.default_rng(4).normal(size=(51, 5, 3))
    np.savez(
        tmp_path / "inhouse_arkit.npz",
        meanshape=NEUTRAL,
        blendshape=basis,
        faces=np.array([[0, 1, 2]], np.int32),
        inner_mouth_idx=np.array([1, 4]),
    )
    rig = read_npz(tmp_path / "inhouse_arkit.npz")
    place = rig.channels.index("mouthPucker")
    np.testing.assert_allclose(
        rig.deltas[place], basis[UNITALKER_51.index("mouthPucker")], rtol=1e-6
    )
    assert rig.lips.tolist() == [1, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neutral": None}, "lacks the array 'neutral'"),
        ({"quads": None}, "lacks the array 'triangles'"),
        ({"names": np.array(["a", "b", "c", "d", "e"])}, "no shape with an ARKit name"),
        ({"names": np.array(["jawOpen", "JawOpen", "c", "d", "e"])}, "jawOpen twice"),
        ({"names": np.array(["jawOpen"])}, "1 names for 5 shapes"),
        ({"quads": np.array([[0, 1, 2, 9]])}, "does not fit together"),
        ({"neutral": np.full((5, 3), np.nan)}, "a coordinate is not a finite number"),
        ({"neutral": np.array([{}], object)}, "cannot read the rig"),
    ],
)
def test_npz_that_is_wrong_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_npz(write_npz(tmp_path / "rig.npz", **changes))


def test_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rig.npz").write_bytes(b"not an archive")
    (tmp_path / "cut.npz").write_bytes(write_npz(tmp_path / "whole.npz").read_bytes()[:100])
    odd = bytearray((tmp_path / "whole.npz").read_bytes())
    # The compression method of the first array, in the archive's directory.
    odd[odd.index(b"PK\x01\x02") + 10] = 99
    (tmp_path / "odd.npz").write_bytes(odd)
    for path in (tmp_path / name for name in ("rig.npz", "cut.npz", "odd.npz", "missing.npz")):
        with pytest.raises(ConfigError, match="cannot read the rig"):
            read_npz(path)


def write_obj(path: Path, vertices: np.ndarray) -> None:
    lines = ["# made by a modeller", "vt 0.5 0.5", "vn 0 0 1"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += ["usemtl skin", "f 1/1/1 2/1/1 3/1/1 4/1/1", "f 1//1 2//1 5//1"]
    path.write_text("\n".join(lines) + "\n")


def test_obj_folder_equals_an_independent_reader(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("generic_neutral_mesh", "jawOpen", "cheekPuff_L", "cheekPuff_R", "identity000"):
        write_obj(tmp_path / f"{name}.obj", NEUTRAL + rng.normal(size=(5, 3)))
    (tmp_path / "vertex_indices.json").write_text(
        json.dumps({"idx_to_landmark_verts": [0] * 48 + [3] * 20})
    )
    rig = read_obj_folder(tmp_path)
    theirs = {
        path.stem: trimesh.load_mesh(path, process=False, maintain_order=True)
        for path in tmp_path.glob("*.obj")
    }
    rest = theirs["generic_neutral_mesh"]
    assert rig.channels == ("jawOpen", "cheekPuff")
    for weights, others in (
        ([1.0, 0.0], ("jawOpen",)),
        ([0.0, 1.0], ("cheekPuff_L", "cheekPuff_R")),
    ):
        moved = sum(theirs[name].vertices - rest.vertices for name in others)
        np.testing.assert_allclose(
            rig.vertices(np.array([weights]))[0], (rest.vertices + moved) * 0.01, atol=1e-7
        )
    assert sorted(map(sorted, rig.triangles.tolist())) == sorted(map(sorted, rest.faces.tolist()))
    assert rig.lips.tolist() == [3] * 20


def test_obj_faces_may_count_back_from_the_last_vertex(tmp_path: Path) -> None:
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3/1/1 -2/1/1 -1/1/1\nv 0 0 1\nf -1 -2 1\n"
    for name in ("neutral", "jawOpen"):
        (tmp_path / f"{name}.obj").write_text(text)
    assert read_obj_folder(tmp_path).triangles.tolist() == [[0, 1, 2], [3, 2, 0]]


@pytest.mark.parametrize("face", ["f one two three", "f", "f 1 2 9", "f 1 2 0", "f 1 2 -9"])
def test_obj_faces_that_are_wrong_are_refused(tmp_path: Path, face: str) -> None:
    for name in ("neutral", "jawOpen"):
        write_obj(tmp_path / f"{name}.obj", NEUTRAL)
    with (tmp_path / "neutral.obj").open("a") as file:
        file.write(f"{face} \n")
    with pytest.raises(ConfigError, match=r"a face that is not three or|does not fit together"):
        read_obj_folder(tmp_path)


@pytest.mark.parametrize("landmarks", ["", "[1, 2]", '{"other": 3}', "null"])
def test_landmarks_that_are_wrong_are_refused(tmp_path: Path, landmarks: str) -> None:
    for name in ("neutral", "jawOpen"):
        write_obj(tmp_path / f"{name}.obj", NEUTRAL)
    (tmp_path / "vertex_indices.json").write_text(landmarks)
    with pytest.raises(ConfigError, match=r"vertex_indices\.json cannot be read as landmarks"):
        read_obj_folder(tmp_path)


def test_obj_folder_that_is_wrong_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one OBJ file of the neutral face, not 0"):
        read_obj_folder(tmp_path)
    write_obj(tmp_path / "neutral.obj", NEUTRAL)
    with pytest.raises(ConfigError, match="no shape with an ARKit name"):
        read_obj_folder(tmp_path)
    write_obj(tmp_path / "jawOpen.obj", NEUTRAL[:4])
    with pytest.raises(ConfigError, match=r"jawOpen\.obj has 4 vertices, the neutral face 5"):
        read_obj_folder(tmp_path)
    (tmp_path / "jawOpen.obj").write_text("v 0 0\n")
    with pytest.raises(ConfigError, match="not three numbers"):
        read_obj_folder(tmp_path)


# Not part of the project: beside the checkout, or where the variable says.
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "ict_facekit_light.npz"
ICT = Path(os.environ.get("UNITAF_ICT_RIG") or BESIDE)

if ICT.exists():

    def test_ict_facekit_equals_plain_sums() -> None:
        rig = read_npz(ICT, scale=0.01)
        packed = np.load(ICT)
        deltas = dict(zip(packed["names"].tolist(), packed["deltas"].astype(float), strict=True))
        assert len(rig.channels) == 51
        assert "tongueOut" not in rig.channels
        for channel, delta in zip(rig.channels, rig.deltas, strict=True):
            name = channel.replace("Left", "_L").replace("Right", "_R")
            name = {"jaw_L": "jawLeft", "jaw_R": "jawRight"}.get(name, name)
            name = {"mouth_L": "mouthLeft", "mouth_R": "mouthRight"}.get(name, name)
            whole = deltas[name] if name in deltas else deltas[f"{name}_L"] + deltas[f"{name}_R"]
            np.testing.assert_allclose(delta, whole * 0.01, atol=1e-7)
