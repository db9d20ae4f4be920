import numpy as np

from unitaf.rigs.head_subdivision import Cage, subdivide


def make_cube() -> Cage:
    points = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    faces = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    mirror = np.array([4, 5, 6, 7, 0, 1, 2, 3])
    return Cage(
        points=points,
        marks=points[:, :1].copy(),
        corners=np.concatenate(faces),
        sizes=np.full(6, 4),
        point_mirror=mirror,
        face_mirror=np.array([1, 0, 2, 3, 4, 5]),
    )


def test_cube_becomes_the_known_round_body() -> None:
    once = subdivide(make_cube())
    assert (len(once.points), len(once.sizes)) == (8 + 12 + 6, 24)
    # Catmull and Clark's rules by hand: corner (F + 2R) / 3 = 5/9, edge 3/4, face 1.
    np.testing.assert_allclose(once.points[7], [5 / 9] * 3)
    np.testing.assert_allclose(np.sort(np.abs(once.points[8:20]), axis=1)[:, 1:], 0.75)
    np.testing.assert_allclose(np.abs(once.points[20:]).max(axis=1), 1.0)


def test_marks_are_averaged_not_smoothed() -> None:
    twice = subdivide(subdivide(make_cube()))
    assert np.unique(np.round(twice.marks, 12)).tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_mirror_is_known_for_every_point() -> None:
    cage = make_cube()
    for _ in range(3):
        cage = subdivide(cage)
        mirrored = cage.points[cage.point_mirror] * [-1.0, 1.0, 1.0]
        np.testing.assert_allclose(mirrored, cage.points, atol=1e-12)
        assert np.array_equal(cage.point_mirror[cage.point_mirror], np.arange(len(cage.points)))


def test_open_edge_is_a_spline_of_its_own() -> None:
    square = Cage(
        points=np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 5], [-1, 1, 5]], float),
        marks=np.zeros((4, 1)),
        corners=np.arange(4),
        sizes=np.array([4]),
        point_mirror=np.array([1, 0, 3, 2]),
        face_mirror=np.array([0]),
    )
    once = subdivide(square)
    # The B-spline rule: 1/8, 6/8, 1/8 along the rim.
    np.testing.assert_allclose(once.points[0], [-0.75, -0.75, 0.625])
    np.testing.assert_allclose(once.points[-1], [0, 0, 2.5])
