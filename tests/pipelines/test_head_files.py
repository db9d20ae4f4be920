from pathlib import Path

import numpy as np
import pygltflib
import pytest
from PIL import Image

from unitaf.pipelines.head import write_head
from unitaf.rigs.arkit import BLENDSHAPES
from unitaf.rigs.gltf_rig import read_glb
from unitaf.rigs.head import procedural_head


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_head(tmp_path_factory.mktemp("files") / "head", size=24)


def test_the_head_is_written_with_pictures_of_every_shape(paths: list[Path]) -> None:
    assert [path.name for path in paths] == ["neutral.png", "shapes.png", "head.glb"]
    neutral, shapes = (np.asarray(Image.open(path)) for path in paths[:2])
    assert neutral.std() > 20
    assert shapes.shape[0] * shapes.shape[1] == len(BLENDSHAPES) * 2 * 24 * 24
    assert read_glb(paths[2]).channels == procedural_head().channels


def test_the_animation_shows_every_shape_once_a_second(paths: list[Path]) -> None:
    file = pygltflib.GLTF2().load(str(paths[2]))
    names = file.meshes[0].extras["targetNames"]
    (weights,) = [c.sampler for c in file.animations[0].channels if c.target.path == "weights"]
    accessor = file.accessors[file.animations[0].samplers[weights].output]
    start = file.bufferViews[accessor.bufferView].byteOffset
    blob = file.binary_blob()
    values = np.frombuffer(blob, np.float32, accessor.count, start).reshape(-1, len(names))
    for index, name in enumerate(names):
        shown = {names[column] for column in np.flatnonzero(values[2 * index + 1])}
        assert shown == {name} | ({"jawOpen"} if name == "mouthClose" else set())
        assert not values[2 * index].any()
