"""Our head must move where anatomy says, and nothing may poke through anything that is seen."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.rigs.blendshape import BlendshapeRig
from unitaf.rigs.head import procedural_head

LEFT_EYE, EYE_RADIUS = np.array([0.031, 0.021, 0.0635]), 0.0145
PAIRS = [
    name.removesuffix("Left")
    for name in BLENDSHAPES
    if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
]


@pytest.fixture(scope="module")
def rig() -> BlendshapeRig:
    return procedural_head()


def pose(rig: BlendshapeRig, **weights: float) -> np.ndarray:
    curves = np.zeros((1, len(rig.channels)))
    for name, weight in weights.items():
        for channel in (name, f"{name}Left", f"{name}Right"):
            if channel in rig.channels:
                curves[0, rig.channels.index(channel)] = weight
    return rig.vertices(curves)[0]


def delta(rig: BlendshapeRig, channel: str) -> np.ndarray:
    return rig.deltas[rig.channels.index(channel)]


def middle_of(rig: BlendshapeRig, channel: str) -> np.ndarray:
    """The mean place of what a shape moves, weighted by how far."""
    far = np.linalg.norm(delta(rig, channel), axis=1)
    return far @ rig.neutral / far.sum()


def seen_from_front(
    rig: BlendshapeRig, vertices: np.ndarray, places: list[tuple[float, float]]
) -> list[str]:
    """The part that a camera far in front sees at every place; empty where there is none."""
    all_corners = vertices[rig.triangles].astype(float)
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    box = all_corners[:, :, :2]
    around = ((box.min(axis=1) <= high) & (box.max(axis=1) >= low)).all(axis=1)
    number, corners = np.flatnonzero(around), all_corners[around]
    parts = []
    for place in places:
        flat = corners[:, :, :2] - np.array(place)
        after = np.roll(flat, -1, axis=1)
        sides = flat[..., 0] * after[..., 1] - flat[..., 1] * after[..., 0]
        area = sides.sum(axis=1)
        shares = np.roll(sides, -1, axis=1) / np.where(area == 0, np.nan, area)[:, None]
        covers = (shares >= 0).all(axis=1)
        depth = np.where(covers, (shares * corners[:, :, 2]).sum(axis=1), -np.inf)
        front = number[np.argmax(depth)]
        names = [part.name for part in rig.parts if part.start <= front < part.stop]
        parts.append(names[0] if covers.any() else "")
    return parts


def slit(rig: BlendshapeRig, vertices: np.ndarray) -> float:
    """The distance between the points of both lips that meet in the middle of the closed mouth."""
    inner = rig.lips[np.abs(rig.neutral[rig.lips, 0]) < 1e-6]
    apart = np.linalg.norm(rig.neutral[inner, None] - rig.neutral[inner], axis=2)
    upper, lower = np.argwhere(np.triu(apart < 1e-6, k=1))[0]
    return float(np.linalg.norm(vertices[inner[upper]] - vertices[inner[lower]]))


def test_head_is_the_same_every_time(rig: BlendshapeRig) -> None:
    again = procedural_head.__wrapped__()
    for name in ("neutral", "deltas", "triangles", "lips", "colours"):
        assert np.array_equal(getattr(rig, name), getattr(again, name)), name


def test_head_has_the_size_of_a_head(rig: BlendshapeRig) -> None:
    assert rig.channels == BLENDSHAPES
    assert 3_000 < len(rig.neutral) < 12_000
    assert np.isfinite(rig.deltas).all()
    low, high = rig.neutral.min(axis=0), rig.neutral.max(axis=0)
    assert 0.14 < high[0] - low[0] < 0.2
    assert 0.20 < high[2] - low[2] < 0.24
    assert {part.name for part in rig.parts} >= {"skin", "lips", "eyes", "teeth", "tongue"}
    assert [part.start for part in rig.parts[1:]] == [part.stop for part in rig.parts[:-1]]
    assert rig.parts[-1].stop == len(rig.triangles)


def test_every_shape_moves_something(rig: BlendshapeRig) -> None:
    far = np.linalg.norm(rig.deltas, axis=2).max(axis=1)
    assert far.min() > 0.002
    assert far.max() < 0.06


@pytest.mark.parametrize(
    ("word", "low", "high"),
    [
        ("eye", 0.005, 0.036),
        ("brow", 0.034, 0.065),
        ("cheek", -0.045, 0.010),
        ("nose", -0.035, 0.015),
        ("mouth", -0.062, -0.028),
        ("jaw", -0.085, -0.050),
        ("tongue", -0.070, -0.040),
    ],
)
def test_shapes_move_what_they_are_named_for(
    rig: BlendshapeRig, word: str, low: float, high: float
) -> None:
    for channel in rig.channels:
        if channel.startswith(word):
            assert low < middle_of(rig, channel)[1] < high, channel


@pytest.mark.parametrize("stem", PAIRS)
def test_left_moves_left_and_right_is_its_mirror_image(rig: BlendshapeRig, stem: str) -> None:
    left, right = delta(rig, f"{stem}Left"), delta(rig, f"{stem}Right")
    assert middle_of(rig, f"{stem}Left")[0] > 0.008
    across = np.array([-1.0, 1.0, 1.0])
    here = np.concatenate([rig.neutral * across, left * across], axis=1)
    there = np.concatenate([rig.neutral, right], axis=1)
    distance, _ = cKDTree(there).query(here[np.abs(left).max(axis=1) > 0])
    assert distance.max() < 1e-6
    assert np.count_nonzero(left.any(axis=1)) == np.count_nonzero(right.any(axis=1))


def test_whole_mouth_goes_to_its_side(rig: BlendshapeRig) -> None:
    for stem in ("jaw", "mouth"):
        assert delta(rig, f"{stem}Left")[:, 0].sum() > 0
        assert delta(rig, f"{stem}Right")[:, 0].sum() < 0
        assert delta(rig, f"{stem}Left")[rig.lips, 0].max() > 0.006


def test_jaw_opens_the_mouth_and_mouth_close_closes_it(rig: BlendshapeRig) -> None:
    assert slit(rig, rig.neutral) < 1e-4
    assert slit(rig, pose(rig, jawOpen=1)) > 0.025
    for share in (0.25, 0.5, 1.0):
        closed = pose(rig, jawOpen=share, mouthClose=share)
        assert slit(rig, closed) < 5e-4
        assert seen_from_front(rig, closed, [(0.0, closed[rig.lips, 1].mean())]) == ["lips"]
        assert closed[:, 1].min() == rig.neutral[:, 1].min()
    chin = np.argmin(np.abs(rig.neutral - [0.0, -0.075, 0.095]).sum(axis=1))
    dropped = pose(rig, jawOpen=1, mouthClose=1)[chin] - rig.neutral[chin]
    assert dropped[1] < -0.02


def test_lips_part_and_round(rig: BlendshapeRig) -> None:
    def width(vertices: np.ndarray) -> float:
        return float(np.ptp(vertices[rig.lips, 0]))

    def openness(vertices: np.ndarray) -> float:
        return float(np.ptp(vertices[rig.lips, 1]))

    rest = rig.neutral
    assert width(pose(rig, mouthSmile=1)) > 1.2 * width(rest)
    assert width(pose(rig, mouthPucker=1)) < 0.75 * width(rest)
    assert pose(rig, mouthPucker=1)[rig.lips, 2].max() > rest[rig.lips, 2].max() + 0.006
    for name in ("mouthFunnel", "mouthLowerDown", "mouthUpperUp"):
        assert slit(rig, pose(rig, **{name: 1.0})) > 0.004, name
    for name in ("mouthPucker", "mouthSmile", "mouthPress"):
        assert slit(rig, pose(rig, **{name: 1.0})) < 0.002, name
    opened = [openness(pose(rig, jawOpen=share)) for share in (0.0, 0.25, 0.5, 1.0)]
    assert opened == sorted(opened)
    assert opened[-1] > opened[0] + 0.02


QUIET = (
    "mouthSmile", "mouthPucker", "mouthPress", "mouthFrown", "mouthDimple", "mouthStretch",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthLeft", "cheekPuff", "jawForward",
)  # fmt: skip


@pytest.mark.parametrize("name", QUIET)
def test_nothing_pokes_through_the_skin_around_the_mouth(rig: BlendshapeRig, name: str) -> None:
    rows = (*np.arange(-0.034, -0.022, 0.002), *np.arange(-0.088, -0.058, 0.002))
    places = [(x, y) for x in np.linspace(-0.02, 0.02, 9) for y in rows]
    seen = seen_from_front(rig, pose(rig, **{name: 1.0}), places)
    assert set(seen) <= {"skin", "lips"}


def test_open_lips_show_teeth_and_tongue(rig: BlendshapeRig) -> None:
    for weights, place, part in (
        ({"mouthUpperUp": 1.0}, (0.004, -0.039), "teeth"),
        ({"jawOpen": 1.0}, (0.004, -0.042), "teeth"),
        ({"jawOpen": 0.8}, (0.0, -0.060), "tongue"),
        ({"tongueOut": 1.0}, (0.0, -0.062), "tongue"),
    ):
        assert seen_from_front(rig, pose(rig, **weights), [place]) == [part], weights
    assert seen_from_front(rig, rig.neutral, [(0.004, -0.039), (0.0, -0.047)]) == ["lips"] * 2


def test_tongue_comes_out_between_the_lips(rig: BlendshapeRig) -> None:
    out = pose(rig, tongueOut=1)
    tongue = next(part for part in rig.parts if part.name == "tongue")
    points = np.unique(rig.triangles[tongue.start : tongue.stop])
    assert rig.neutral[points, 2].max() < rig.neutral[rig.lips, 2].min() + 0.01
    assert out[points, 2].max() > out[rig.lips, 2].max() + 0.01


def test_lids_open_close_and_lie_on_the_eyeball(rig: BlendshapeRig) -> None:
    x, y = LEFT_EYE[:2]
    middle = [(x + right, y + up) for right in (-0.007, 0, 0.007) for up in (-0.003, 0, 0.003)]
    assert set(seen_from_front(rig, rig.neutral, middle)) == {"eyes"}
    whole = [(x + right, y + up) for right in np.linspace(-0.011, 0.011, 9)
             for up in np.linspace(-0.01, 0.01, 9)]  # fmt: skip
    assert set(seen_from_front(rig, pose(rig, eyeBlink=1), whole)) <= {"skin", "lashes"}
    outside = np.linalg.norm(rig.neutral - LEFT_EYE, axis=1)
    skin = np.unique(rig.triangles[rig.parts[0].start : rig.parts[0].stop])
    lid = skin[(outside[skin] > EYE_RADIUS + 1e-3) & (outside[skin] < 0.03)]
    for name in ("eyeBlink", "eyeSquint", "eyeWide", "eyeLookDown", "eyeLookUp"):
        for share in (0.25, 0.5, 0.75, 1.0):
            moved = pose(rig, **{name: share})[lid]
            assert np.linalg.norm(moved - LEFT_EYE, axis=1).min() > EYE_RADIUS, (name, share)


@pytest.mark.parametrize(
    ("channel", "axis", "sign"),
    [
        ("eyeLookUpLeft", 1, 1),
        ("eyeLookDownLeft", 1, -1),
        ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
        ("eyeLookOutRight", 0, -1),
        ("eyeLookInRight", 0, 1),
    ],
)
def test_eyes_look_where_the_name_says(
    rig: BlendshapeRig, channel: str, axis: int, sign: int
) -> None:
    eyes = next(part for part in rig.parts if part.name == "eyes")
    points = np.unique(rig.triangles[eyes.start : eyes.stop])
    side = points[(rig.neutral[points, 0] > 0) == channel.endswith("Left")]
    pupil = side[np.argmax(rig.neutral[side, 2])]
    moved = rig.neutral[side] + delta(rig, channel)[side]
    centre = LEFT_EYE * (1 if channel.endswith("Left") else -1, 1, 1)
    np.testing.assert_allclose(np.linalg.norm(moved - centre, axis=1), EYE_RADIUS, atol=1e-6)
    assert sign * delta(rig, channel)[pupil, axis] > 0.005
    other = np.setdiff1d(points, side)
    assert not delta(rig, channel)[other].any()


def test_what_does_not_belong_to_the_face_stands_still(rig: BlendshapeRig) -> None:
    for part in rig.parts:
        if part.name in ("hair", "ears"):
            points = np.unique(rig.triangles[part.start : part.stop])
            assert not rig.deltas[:, points].any(), part.name
    assert not rig.deltas[:, rig.neutral[:, 2] < -0.03].any()
    assert not rig.deltas[:, rig.neutral[:, 1] < -0.135].any()


def test_faces_look_outwards(rig: BlendshapeRig) -> None:
    vertices = rig.neutral.astype(float)
    for part in rig.parts:
        a, b, c = (vertices[rig.triangles[part.start : part.stop, i]] for i in range(3))
        normal = np.cross(b - a, c - a)
        if part.name in ("skin", "lips", "teeth", "gums"):
            towards_front = normal[(a[:, 2] > 0.09) & (np.abs(normal[:, 2]) > 0)]
            assert (towards_front[:, 2] > 0).mean() > 0.6, part.name
        if part.name in ("eyes", "ears", "tongue"):
            centre = a.mean(axis=0) * [0, 1, 1]
            assert np.einsum("ti,ti->", a - centre, normal) > 0, part.name
