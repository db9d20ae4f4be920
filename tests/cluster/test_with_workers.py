"""A command that waits for workers, on a real cluster."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_workers_that_do_not_come_are_told_and_nothing_runs(ray_cluster: str):
    done = run(ray_cluster, "--wait-s", "0", "2", "GPU", sys.executable, "-c", "print('made')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no 2 GPU in 0 s" in done.stderr
