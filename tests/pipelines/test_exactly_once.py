"""Killed at any point and started again: every line once, the same bytes."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from unitaf import generate, open_store
from unitaf.config import GenerateConfig, check_config
from unitaf.pipelines.planning import read_manifests
from unitaf.storage import open_storage

ROOT = Path(__file__).parents[2]
CONFIG = {
    "tts": {"kind": "stub"},
    "output": {"fps": 30},
    "run": {"num_actors": 2, "shard_size": 4},
}
MOMENTS = {
    "before payload": ("takes/", "before"),
    "between payload and manifest": ("manifests/", "before"),
    "after manifest": ("manifests/", "after"),
    "while planning": ("plans/", "before"),
    "after planning": ("plans/", "after"),
}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "lines.csv"
    rows = [f"line_{i},speaker_{i % 3},This is line number {i} of the scene." for i in range(30)]
    rows.append("twin,speaker_0,This is line number 0 of the scene.")
    path.write_text("\n".join(["line_id,speaker,text", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def uninterrupted(
    script: Path, tmp_path_factory: pytest.TempPathFactory, ray_cluster: str
) -> dict[str, tuple[bytes, ...]]:
    store = str(tmp_path_factory.mktemp("reference"))
    generate(script, store, config())
    return contents(store)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        uri: str = request.getfixturevalue("s3_store_uri")
        return uri
    return str(tmp_path / "store")


def config() -> GenerateConfig:
    return check_config(CONFIG, "test")


def contents(store: str) -> dict[str, tuple[bytes, ...]]:
    """Return every take's bytes by key; fail if one stands twice in the committed payloads."""
    storage = open_storage(store)
    counts = Counter(key for manifest in read_manifests(storage) for key in manifest.keys)
    assert set(counts.values()) == {1}
    opened = open_store(store)
    found = {}
    for row, take in opened.takes(opened.catalog()):
        speech = take.speech
        found[row["line_id"]] = (
            take.key.encode(),
            speech.waveform.tobytes(),
            take.motion.curves.tobytes(),
            repr(speech.phones).encode(),
        )
    return found


def run_driver(
    script: Path, store: str, moment: str, victim: str, marker: Path, address: str
) -> int:
    prefix, when = MOMENTS[moment]
    command = [sys.executable, ROOT / "tests" / "pipelines" / "driver.py", script, store]
    command += [json.dumps(CONFIG), prefix, when, marker, victim]
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert marker.exists(), done.stderr
    return done.returncode


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_driver_is_killed(
    moment: str,
    script: Path,
    store: str,
    uninterrupted: dict[str, tuple[bytes, ...]],
    tmp_path: Path,
    ray_cluster: str,
):
    assert run_driver(script, store, moment, "driver", tmp_path / "marker", ray_cluster) == -9
    generate(script, store, config())
    assert contents(store) == uninterrupted
    again = generate(script, store, config())
    assert (again.made, again.reused) == (0, 30)


@pytest.mark.parametrize("moment", [name for name in MOMENTS if "planning" not in name])
def test_actor_is_killed(
    moment: str,
    script: Path,
    store: str,
    uninterrupted: dict[str, tuple[bytes, ...]],
    tmp_path: Path,
    ray_cluster: str,
):
    assert run_driver(script, store, moment, "actor", tmp_path / "marker", ray_cluster) == 0
    assert contents(store) == uninterrupted


def test_two_drivers_at_once(
    script: Path, store: str, uninterrupted: dict[str, tuple[bytes, ...]], ray_cluster: str
):
    code = (
        "import sys, json; from unitaf import generate; from unitaf.config import check_config;"
        "generate(sys.argv[1], sys.argv[2], check_config(json.loads(sys.argv[3]), 'test'))"
    )
    one_actor = {**CONFIG, "run": {"num_actors": 1, "shard_size": 4}}
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(script), store, json.dumps(one_actor)],
            env={**os.environ, "RAY_ADDRESS": ray_cluster},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for driver in drivers:
        _, errors = driver.communicate(timeout=120)
        assert driver.returncode == 0, errors
    assert contents(store) == uninterrupted
    runs = [info.name for info in open_storage(store).list("runs/")]
    assert sum(name.endswith("/catalog.parquet") for name in runs) == 2
