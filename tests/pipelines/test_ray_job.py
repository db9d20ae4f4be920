"""The job as submitted to a running cluster: the same bytes as on this machine alone."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers import free_ports
from unitaf import generate, open_store
from unitaf.config import check_config

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster as `ray start` makes it; gives the environment of a user of it."""
    gcs, dashboard, client, agent, low = free_ports(5)
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray-"),
    }
    environment.pop("RAY_ADDRESS", None)
    command = [BIN / "ray", "start", "--head", "--block", "--num-cpus=4", f"--port={gcs}"]
    command += ["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"]
    command += [f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    command += [f"--dashboard-agent-listen-port={agent}", f"--min-worker-port={low}"]
    command += [f"--max-worker-port={low + 200}", "--object-store-memory=157286400"]
    log = tmp_path_factory.mktemp("ray") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{dashboard}"
    try:
        _wait_for(f"{url}/api/jobs/", process, log)
        yield {**environment, "RAY_ADDRESS": url}
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(environment["RAY_TMPDIR"], ignore_errors=True)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def contents(store: str) -> dict[str, tuple[bytes, bytes]]:
    opened = open_store(store)
    return {
        row["line_id"]: (take.speech.waveform.tobytes(), take.motion.curves.tobytes())
        for row, take in opened.takes(opened.catalog())
    }


def test_a_submitted_job_makes_the_same_bytes(
    head: dict[str, str], tmp_path: Path, ray_cluster: str
):
    lines = (ROOT / "ray_jobs" / "scripts" / "demo.csv").read_text().splitlines()
    script = tmp_path / "lines.csv"
    script.write_text("\n".join([lines[0], *lines[-6:]]) + "\n")
    job = [BIN / "ray", "job", "submit", "--working-dir", ROOT, "--"]
    job += ["python", "ray_jobs/generate.py", "--config", "ray_jobs/generate.yaml"]
    job += ["--set", f"script.path={script}", "--set", f"store={tmp_path / 'cluster'}"]
    done = subprocess.run(
        [str(word) for word in job],
        env=head,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make: 6 of 6 lines" in done.stdout
    assert "takes made" in done.stdout

    generate(script, str(tmp_path / "here"), check_config({}, "test"))
    assert contents(str(tmp_path / "cluster")) == contents(str(tmp_path / "here"))
