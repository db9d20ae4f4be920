"""Jobs as submitted to a running cluster: the same bytes as on this machine alone.

The cluster itself knows no storage: what a job may read and write comes with its submission.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from ray.job_submission import JobStatus, JobSubmissionClient

from tests.data.captures import babble, moving, write_csv, write_wav
from tests.pipelines.tiny_training import write_corpus
from tests.servers import SeaweedFS, free_ports
from unitaf import generate, open_store
from unitaf.config import check_config
from unitaf.data.corpus import open_corpus
from unitaf.pipelines.planning import read_manifests
from unitaf.storage import open_storage

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster as `ray start` makes it; gives the environment of a user of it."""
    gcs, dashboard, client, agent, low = free_ports(5)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
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
        # Ray's own way down takes half a minute.
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        process.kill()
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


def submit(
    head: dict[str, str], words: list[object], *options: object, settings: tuple[str, ...] = ()
) -> str:
    """Submit an entry point of ``ray_jobs/``, as the README does; return the job's log."""
    job = [BIN / "ray", "job", "submit", "--working-dir", ROOT, *options, "--", "python", *words]
    job += [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [str(word) for word in job],
        env=head,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_submitted_job_makes_the_same_bytes(
    head: dict[str, str], tmp_path: Path, ray_cluster: str
):
    lines = (ROOT / "ray_jobs" / "scripts" / "demo.csv").read_text().splitlines()
    script = tmp_path / "lines.csv"
    script.write_text("\n".join([lines[0], *lines[-6:]]) + "\n")
    shown = submit(
        head,
        ["ray_jobs/generate.py", "--config", "ray_jobs/generate.yaml"],
        settings=(f"script.path={script}", f"store={tmp_path / 'cluster'}"),
    )
    assert "make: 6 of 6 lines" in shown
    assert "takes made" in shown

    generate(script, str(tmp_path / "here"), check_config({}, "test"))
    assert contents(str(tmp_path / "cluster")) == contents(str(tmp_path / "here"))


def rights(seaweed: SeaweedFS) -> list[str]:
    return ["--runtime-env-json", json.dumps({"env_vars": seaweed.environment})]


@pytest.mark.slow
def test_a_job_that_is_stopped_and_submitted_again_ends_the_same(
    head: dict[str, str], seaweed: SeaweedFS, s3_store_uri: str, tmp_path: Path
):
    script = tmp_path / "lines.csv"
    rows = [f"line_{i},This is line number {i}." for i in range(400)]
    script.write_text("\n".join(["line_id,text", *rows]) + "\n")
    words = ["ray_jobs/generate.py", "--config", "ray_jobs/generate.yaml"]
    settings = (f"script.path={script}", f"store={s3_store_uri}", "output.fps=10")
    settings += ("tts={kind: stub}", "face={kind: visemes}", "run.shard_size=2")
    name = uuid.uuid4().hex
    slow = (*settings, "run.num_actors=1")
    submit(head, words, *rights(seaweed), "--no-wait", "--submission-id", name, settings=slow)
    store, client = open_storage(s3_store_uri), JobSubmissionClient(head["RAY_ADDRESS"])
    while not any(store.list("manifests/")):
        assert not client.get_job_status(name).is_terminal(), client.get_job_logs(name)
        time.sleep(0.1)
    client.stop_job(name)
    while not client.get_job_status(name).is_terminal():
        time.sleep(0.1)
    assert client.get_job_status(name) is JobStatus.STOPPED

    shown = submit(head, words, *rights(seaweed), settings=settings)
    [left] = set(re.findall(r"make: \d+ of (\d+) lines", shown))
    assert 0 < int(left) < 400
    keys = [key for manifest in read_manifests(store) for key in manifest.keys]
    assert set(Counter(keys).values()) == {1}
    assert len(open_store(s3_store_uri).catalog()) == len(keys) == 400


@pytest.mark.slow
def test_recordings_become_a_corpus(
    head: dict[str, str], seaweed: SeaweedFS, s3_store_uri: str, tmp_path: Path
):
    captures = open_storage(f"{s3_store_uri}/captures")
    for number in range(4):
        stem = tmp_path / f"take{number}"
        write_wav(stem.with_suffix(".wav"), babble(1.0 + number / 10, seed=number))
        write_csv(stem.with_suffix(".csv"), moving(60 + 6 * number, 61, number))
        stem.with_suffix(".txt").write_text(f"This is line number {number}.")
    for path in tmp_path.iterdir():
        captures.create(f"ann/{path.name}", path)
    shown = submit(
        head,
        ["ray_jobs/prepare.py", "--config", "ray_jobs/prepare.yaml"],
        *rights(seaweed),
        settings=(
            *(f"source.path={captures.uri}", f"corpus={s3_store_uri}/corpus", "clips.fps=30"),
            *("tts={kind: stub}", "encoder=null", "transcriber=null"),
        ),
    )
    assert "4 of 4 recordings" in shown
    assert open_corpus(f"{s3_store_uri}/corpus").clips(with_features=["tts"])


@pytest.mark.slow
def test_a_corpus_becomes_a_measured_face_model(
    head: dict[str, str], seaweed: SeaweedFS, s3_store_uri: str
):
    corpus, model = f"{s3_store_uri}/corpus", f"{s3_store_uri}/model"
    write_corpus(corpus)
    stage = {
        "name": "joint",
        "trains": ["adapter", "decoder", "head"],
        "losses": {"coefficient": 1.0},
        "steps": 4,
    }
    submit(
        head,
        ["ray_jobs/train.py", "--config", "ray_jobs/train.yaml"],
        *rights(seaweed),
        settings=(
            *(f"corpus={corpus}", f"out={model}", f"stages={json.dumps([stage])}"),
            *("network={decoder_dim: 16, style_dim: 4}", "optimiser.clips=2"),
        ),
    )
    checkpoint = f"{model}/checkpoints/joint"
    shown = submit(
        head,
        ["ray_jobs/evaluate.py", checkpoint, corpus],
        *rights(seaweed),
        settings=("tts.kind=stub", "split=val"),
    )
    assert "visemes" in shown
