import numpy as np
import trimesh

from unitaf.rigs.render import Camera, render, vertex_normals

RED, GREEN = (0.8, 0.0, 0.0), (0.0, 0.8, 0.0)


def square(x: float, y: float, z: float, half: float = 0.02) -> np.ndarray:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return np.concatenate([corners, np.zeros((4, 1))], axis=1) + np.array([x, y, z])


def shot(
    squares: list[np.ndarray], colours: list[tuple[float, float, float]], camera: Camera
) -> np.ndarray:
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return render(
        np.concatenate(squares),
        np.concatenate([faces + 4 * i for i in range(len(squares))]),
        np.repeat(np.array(colours), 4, axis=0),
        np.zeros(4 * len(squares)),
        camera,
        64,
    )


def is_colour(image: np.ndarray, channel: int) -> np.ndarray:
    others = [c for c in range(3) if c != channel]
    return image[..., channel] > 2 * image[..., others].max(axis=-1).astype(int) + 20


def test_square_has_its_place_and_size() -> None:
    seen = is_colour(shot([square(0.08, 0.08, 0.0)], [RED], Camera(height=0.32)), 0)
    rows, columns = np.nonzero(seen)
    # 4 cm of 32 cm on 64 pixels are 8 pixels; right of the middle and above it.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 19, 44, 51)
    assert seen.sum() == 64


def test_nearer_square_hides_the_farther() -> None:
    both = [square(0, 0, 0.05), square(0, 0, -0.05, half=0.05)]
    image = shot(both, [RED, GREEN], Camera())
    assert is_colour(image, 0)[32, 32]
    assert is_colour(image, 1).any()
    from_behind = shot(both, [RED, GREEN], Camera(yaw_deg=180.0))
    assert not is_colour(from_behind, 0).any()


def test_camera_goes_to_the_characters_left() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.02)

    def column(place: tuple[float, float, float], yaw: float) -> float:
        points = ball.vertices + place
        image = render(points, ball.faces, np.tile(RED, (len(points), 1)), np.zeros(len(points)),
                       Camera(yaw_deg=yaw), 64)  # fmt: skip
        return float(np.nonzero(is_colour(image, 0))[1].mean())

    # Seen from the front the character's left is on the right; from there the nose points left.
    assert column((0.1, 0, 0), 0.0) > 40
    assert column((0, 0, 0.1), 90.0) < 24
    assert abs(column((0.1, 0, 0), 90.0) - 31.5) < 0.5


def test_normals_equal_an_independent_reader() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    ours = vertex_normals(ball.vertices, ball.faces)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0)
    assert (np.einsum("vi,vi->v", ours, ball.vertices) > 0.999).all()
    alone = np.append(ball.vertices, [[5.0, 5.0, 5.0]], axis=0)
    assert vertex_normals(alone, ball.faces)[-1].tolist() == [0.0, 0.0, 1.0]
