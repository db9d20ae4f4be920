"""A cluster of several machines that loses one without warning: every line once, the same bytes."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray._private.node import Node
from ray.cluster_utils import Cluster

from unitaf import open_store
from unitaf.pipelines.planning import read_manifests
from unitaf.storage import open_storage

ROOT = Path(__file__).parents[2]
LINES = 48
CONFIG = {
    "tts": {"kind": "stub"},
    "face": {"kind": "visemes"},
    "output": {"fps": 10},
    "run": {"shard_size": 4},
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three nodes with one CPU each, and so with one worker each."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    try:
        for _ in range(2):
            made.add_node(**node)
        made.wait_for_nodes()
        yield made
    finally:
        made.shutdown()


def voice(cluster: Cluster, lost: Node, script: Path, store: Path) -> None:
    """Voice the script, and lose a node while a shard is between its two writes."""
    marker = store.with_suffix(".lost")
    raylet = lost.all_processes["raylet"][0].process.pid
    command = [sys.executable, ROOT / "tests" / "pipelines" / "driver.py", script, store]
    command += [json.dumps(CONFIG), "manifests/", "before", marker, raylet]
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "RAY_ADDRESS": cluster.address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert marker.exists()


def contents(store: Path) -> dict[str, tuple[bytes, bytes]]:
    """Return every take's bytes; fail if a line is in two committed shards."""
    manifests = read_manifests(open_storage(str(store)))
    assert set(Counter(key for manifest in manifests for key in manifest.keys).values()) == {1}
    opened = open_store(str(store))
    return {
        row["line_id"]: (take.speech.waveform.tobytes(), take.motion.curves.tobytes())
        for row, take in opened.takes(opened.catalog())
    }


@pytest.mark.slow
def test_a_node_that_is_lost_costs_no_line(cluster: Cluster, tmp_path: Path):
    script = tmp_path / "lines.csv"
    rows = [f"line_{i},This is line number {i} of the scene." for i in range(LINES)]
    script.write_text("\n".join(["line_id,text", *rows]) + "\n")
    for count in (3, 2):
        lost = next(iter(cluster.worker_nodes))
        voice(cluster, lost, script, tmp_path / str(count))
        cluster.remove_node(lost, allow_graceful=False)
    assert len(contents(tmp_path / "3")) == LINES
    assert contents(tmp_path / "3") == contents(tmp_path / "2")
