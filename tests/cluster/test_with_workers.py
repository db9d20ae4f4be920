"""A command that waits for workers, on a real cluster."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ray.experimental.internal_kv import _internal_kv_get

SCRIPT = Path(__file__).parents[2] / "cluster" / "with_workers.py"


def run(address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words],
        env={**os.environ, "RAY_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_runs_where_there_is_room_and_its_exit_code_is_told(ray_cluster: str):
    done = run(ray_cluster, "4", "CPU", sys.executable, "-c", "print('made'); raise SystemExit(3)")
    assert (done.returncode, done.stdout) == (3, "made\n")
    assert asked_for() == []


def asked_for() -> object:
    """Return what the autoscaler is asked to have room for."""
    return json.loads(_internal_kv_get(b"autoscaler_resource_request"))


def test_a_command_that_is_stopped_lets_its_workers_go(ray_cluster: str):
    job = subprocess.Popen(
        [sys.executable, SCRIPT, "2", "CPU", sys.executable, "-c", "print(flush=True); input()"],
        env={**os.environ, "RAY_ADDRESS": ray_cluster},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert job.stdout is not None
    try:
        assert job.stdout.readline() == b"\n"
        assert asked_for() == [{"CPU": 1}] * 2
        job.terminate()
        assert job.wait(60) == 143
    finally:
        job.kill()
        job.communicate()
    assert asked_for() == []


def test_no_command_is_told(ray_cluster: str):
    done = run(ray_cluster, "2", "CPU")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give the command to run" in done.stderr


def test_workers_that_do_not_come_are_told_and_nothing_runs(ray_cluster: str):
    done = run(ray_cluster, "--wait-s", "0", "2", "GPU", sys.executable, "-c", "print('made')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no 2 GPU in 0 s" in done.stderr
