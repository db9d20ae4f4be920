"""A small software renderer: what does a mesh look like, without a GPU or a window?

Conventions: metres, y up, the camera looks along -z at yaw 0 (a face is seen from the front) and
goes to the character's left with growing yaw. Colours are linear RGB from 0 to 1; images are sRGB,
rows from the top. Triangles are seen from both sides. Enough to judge a face, not to make a film.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt8

_OVERSAMPLING = 2
_FIELD_OF_VIEW_DEG = 18.0
_BACKGROUND = np.array([0.13, 0.15, 0.19])

_LIGHTS = (
    (np.array([-0.45, 0.55, 0.70]), np.array([1.0, 0.95, 0.88]) * 0.85),
    (np.array([0.80, 0.05, 0.60]), np.array([1.0, 0.94, 0.90]) * 0.34),
    (np.array([0.60, 0.45, -0.65]), np.array([0.9, 0.95, 1.0]) * 0.30),
)
"""Direction towards the light, as the camera sees it, and its colour: key, fill, rim."""
_SKY, _GROUND = np.array([0.30, 0.32, 0.36]), np.array([0.17, 0.14, 0.12])


@dataclass(frozen=True, slots=True)
class Camera:
    """Where a picture is taken from."""

    yaw_deg: float = 0.0
    """0 from the front, 45 three-quarter from the character's left, 90 the profile."""
    pitch_deg: float = 0.0
    """Positive from above."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The point in the middle of the picture, in metres."""
    height: float = 0.32
    """How many metres at that point the picture is high."""


def vertex_normals(
    vertices: Float[np.ndarray, "points 3"], triangles: Int64[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "points 3"]:
    """Return unit normals, averaged over the triangles of each vertex by their area."""
    first, second, third = (vertices[triangles[:, corner]] for corner in range(3))
    area = np.cross(second - first, third - first)
    total = np.stack(
        [
            np.bincount(triangles.ravel(), np.repeat(area[:, axis], 3), minlength=len(vertices))
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    upright = np.array([0.0, 0.0, 1.0])
    return np.where(length > 0, total / np.maximum(length, 1e-30), upright)


def render(
    vertices: Float[np.ndarray, "points 3"],
    triangles: Int64[np.ndarray, "triangles 3"],
    colours: Float[np.ndarray, "points 3"],
    gloss: Float[np.ndarray, " points"],
    camera: Camera,
    size: int,
) -> UInt8[np.ndarray, "size size 3"]:
    """Take a picture of a mesh.

    Args:
        vertices: Metres.
        triangles: Vertex indices.
        colours: Linear RGB of every vertex.
        gloss: How much every vertex mirrors the lights, 0 to 1.
        camera: Where the picture is taken from.
        size: Pixels on a side.
    """
    turn = _rotation(camera)
    position = (vertices - np.array(camera.centre)) @ turn.T
    normals = vertex_normals(vertices, triangles) @ turn.T
    fine = size * _OVERSAMPLING
    distance = camera.height / 2 / np.tan(np.radians(_FIELD_OF_VIEW_DEG / 2))
    nearness = 1.0 / (distance - position[:, 2])
    scale = distance * fine / camera.height
    screen = np.stack(
        [
            position[:, 0] * nearness * scale + fine / 2,
            fine / 2 - position[:, 1] * nearness * scale,
        ],
        axis=1,
    )
    pixel, corners, shares = _visible(screen, nearness, triangles, fine)
    seen = np.broadcast_to(_BACKGROUND, (fine * fine, 3)).copy()
    attributes = np.concatenate([normals, colours, gloss[:, None], position], axis=1)
    mixed = np.einsum("fc,fca->fa", shares, attributes[corners])
    eye = np.array([0.0, 0.0, distance])
    seen[pixel] = _shade(mixed[:, :3], mixed[:, 3:6], mixed[:, 6:7], eye - mixed[:, 7:])
    image = seen.reshape(size, _OVERSAMPLING, size, _OVERSAMPLING, 3).mean(axis=(1, 3))
    return (_srgb(np.clip(image, 0.0, 1.0)) * 255.0 + 0.5).astype(np.uint8)


def _rotation(camera: Camera) -> Float[np.ndarray, "3 3"]:
    yaw, pitch = np.radians(camera.yaw_deg), np.radians(camera.pitch_deg)
    around_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    around_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    rotation: Float[np.ndarray, "3 3"] = around_x @ around_y
    return rotation


def _visible(
    screen: Float[np.ndarray, "points 2"],
    nearness: Float[np.ndarray, " points"],
    triangles: Int64[np.ndarray, "triangles 3"],
    size: int,
) -> tuple[Int64[np.ndarray, " seen"], Int64[np.ndarray, "seen 3"], Float[np.ndarray, "seen 3"]]:
    """Return the covered pixels, the nearest triangle's corners there and their shares.

    All pixels of all bounding boxes are tested at once; the depth order is one sort.
    """
    corner = screen[triangles]
    low = np.clip(np.ceil(corner.min(axis=1) - 0.5), 0, size).astype(np.int64)
    high = np.clip(np.floor(corner.max(axis=1) - 0.5) + 1, 0, size).astype(np.int64)
    width, height = np.maximum(high - low, 0).T
    counts = width * height
    which = np.repeat(np.arange(len(triangles)), counts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    down, right = np.divmod(within, width[which])
    column, row = low[which, 0] + right, low[which, 1] + down
    second, third = _shares(corner, which, column + 0.5, row + 0.5)
    inside = np.flatnonzero((second >= 0) & (third >= 0) & (second + third <= 1))
    which, second, third = which[inside], second[inside], third[inside]
    weighted = np.stack([1.0 - second - third, second, third], axis=1)
    weighted *= nearness[triangles[which]]
    depth = weighted[:, 0] + weighted[:, 1] + weighted[:, 2]
    front = np.full(size * size, -1)
    order = np.argsort(depth, kind="stable")
    front[(row[inside] * size + column[inside])[order]] = order
    covered = np.flatnonzero(front >= 0)
    chosen = front[covered]
    return covered, triangles[which[chosen]], weighted[chosen] / depth[chosen, None]


def _shares(
    corner: Float[np.ndarray, "triangles 3 2"],
    which: Int64[np.ndarray, " tests"],
    x: Float[np.ndarray, " tests"],
    y: Float[np.ndarray, " tests"],
) -> tuple[Float[np.ndarray, " tests"], Float[np.ndarray, " tests"]]:
    """Return the second and third barycentric coordinates; not a number in a flat triangle."""
    (ax, ay), (bx, by) = (corner[:, 1] - corner[:, 0]).T, (corner[:, 2] - corner[:, 0]).T
    area = ax * by - ay * bx
    inverse = np.where(area != 0, 1.0 / np.where(area != 0, area, 1.0), np.nan)
    x, y = x - corner[which, 0, 0], y - corner[which, 0, 1]
    second = x * (by * inverse)[which] - y * (bx * inverse)[which]
    third = y * (ax * inverse)[which] - x * (ay * inverse)[which]
    return second, third


def _shade(
    normals: Float[np.ndarray, "seen 3"],
    colours: Float[np.ndarray, "seen 3"],
    gloss: Float[np.ndarray, "seen 1"],
    to_eye: Float[np.ndarray, "seen 3"],
) -> Float[np.ndarray, "seen 3"]:
    view, normals = _unit(to_eye), _unit(normals)
    normals = np.where(_dot(normals, view) < 0, -normals, normals)
    up = normals[:, 1:2] * 0.5 + 0.5
    light = _SKY * up + _GROUND * (1.0 - up)
    shine = np.zeros_like(light)
    sharpness = 8.0 + 200.0 * gloss**2
    for direction, colour in _LIGHTS:
        towards = direction / np.linalg.norm(direction)
        facing = np.maximum((normals @ towards)[:, None], 0.0)
        mirror = np.maximum(_dot(normals, _unit(view + towards)), 0.0)
        light += colour * facing
        shine += colour * ((facing > 0) * mirror**sharpness * gloss)
    shaded: Float[np.ndarray, "seen 3"] = colours * light + shine
    return shaded


def _unit(vectors: Float[np.ndarray, "vectors 3"]) -> Float[np.ndarray, "vectors 3"]:
    unit: Float[np.ndarray, "vectors 3"] = vectors / np.maximum(
        np.sqrt(_dot(vectors, vectors)), 1e-12
    )
    return unit


def _dot(
    first: Float[np.ndarray, "vectors 3"], second: Float[np.ndarray, "vectors 3"]
) -> Float[np.ndarray, "vectors 1"]:
    product: Float[np.ndarray, "vectors 1"] = np.einsum("vi,vi->v", first, second)[:, None]
    return product


def _srgb(linear: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
