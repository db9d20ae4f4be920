import numpy as np

from unitaf.rigs.head_surface import distance, on_front, project


def test_projected_points_lie_on_the_skin() -> None:
    rng = np.random.default_rng(2)
    direction = rng.normal(size=(400, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = np.array([0.0, 10.0, -10.0]) + 60.0 * direction
    skin = project(points)
    assert np.abs(distance(skin)).max() < 1e-3
    assert (distance(points * 0.5) < 0).all()


def test_front_keeps_the_place() -> None:
    places = np.array([[0.0, -8.0], [30.0, 20.0], [-30.0, 20.0], [0.0, -43.0]])
    skin = on_front(places)
    assert np.array_equal(skin[:, :2], places)
    assert np.abs(distance(skin)).max() < 1e-3
    assert skin[0, 2] == skin[:, 2].max()  # the tip of the nose
    assert skin[1, 2] == skin[2, 2]  # left as right
