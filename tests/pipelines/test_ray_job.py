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
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
import requests
import torch
from ray.job_submission import JobStatus, JobSubmissionClient

from tests.data.captures import babble, moving, write_csv, write_wav
from tests.pipelines.tiny_training import DESCRIBED, write_corpus
from tests.servers import JOB, SeaweedFS, free_ports
from unitaf import generate, open_store
from unitaf.checkpoint.face_model import build_face_model, load_face_model, write_face_model
from unitaf.config import (
    check_config,
    load_config,
    load_evaluate_config,
    load_prepare_config,
    load_train_config,
)
from unitaf.data.corpus import open_corpus
from unitaf.pipelines.evaluate import evaluate
from unitaf.pipelines.planning import read_manifests
from unitaf.pipelines.prepare import prepare
from unitaf.pipelines.train import prepare_training
from unitaf.storage import open_storage

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster as `ray start` makes it; gives the environment of a user of it."""
    # The last in order, since the workers' ports go up from there.
    gcs, dashboard, client, agent, low = sorted(free_ports(5))
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


@pytest.fixture
def job_store(seaweed: SeaweedFS, s3_store_uri: str) -> str:
    """A store where a job may write that has the rights in ``cluster/aws`` and no others."""
    return s3_store_uri.replace(f"{seaweed.bucket}/", f"{seaweed.bucket}/dialogue/")


def rights(seaweed: SeaweedFS) -> list[str]:
    variables = {**seaweed.environment, "AWS_ACCESS_KEY_ID": JOB, "OMP_NUM_THREADS": "1"}
    return ["--runtime-env-json", json.dumps({"env_vars": variables})]


def stop(
    head: dict[str, str],
    words: list[object],
    *options: object,
    settings: tuple[str, ...],
    is_begun: Callable[[str], bool],
) -> None:
    """Submit a job, and stop it when it has begun its work, as its log or its store shows."""
    name, client = uuid.uuid4().hex, JobSubmissionClient(head["RAY_ADDRESS"])
    submit(head, words, *options, "--no-wait", "--submission-id", name, settings=settings)
    log = ""
    while client.get_job_status(name) is JobStatus.PENDING or not is_begun(log):
        log = client.get_job_logs(name)
        assert not client.get_job_status(name).is_terminal(), log
        time.sleep(0.1)
    client.stop_job(name)
    while not client.get_job_status(name).is_terminal():
        time.sleep(0.1)
    assert client.get_job_status(name) is JobStatus.STOPPED


def objects(uri: str, *but: str) -> dict[str, bytes]:
    """Return the bytes of every object, but of those whose names begin so."""
    storage = open_storage(uri)
    names = [info.name for info in storage.list() if not info.name.startswith(but)]
    return {name: storage.read(name) for name in names}


@pytest.mark.slow
def test_a_job_that_is_stopped_and_submitted_again_ends_the_same(
    head: dict[str, str], seaweed: SeaweedFS, job_store: str, tmp_path: Path, ray_cluster: str
):
    script = tmp_path / "lines.csv"
    rows = [f"line_{i},This is line number {i}." for i in range(200)]
    script.write_text("\n".join(["line_id,text", *rows]) + "\n")
    words = ["ray_jobs/generate.py", "--config", "ray_jobs/generate.yaml"]
    made = ("output.fps=10", "tts={kind: stub}", "face={kind: visemes}")
    settings = (*made, f"script.path={script}", f"store={job_store}", "run.shard_size=2")
    slow = (*settings, "run.num_actors=1")
    store = open_storage(job_store)

    def is_begun(_log: str) -> bool:
        return any(store.list("manifests/"))

    stop(head, words, *rights(seaweed), settings=slow, is_begun=is_begun)
    kept = objects(job_store, "runs/")

    quick = (*settings, "run.num_actors=2")
    shown = submit(head, words, *rights(seaweed), settings=quick)
    [left] = set(re.findall(r"make: \d+ of (\d+) lines", shown))
    assert 0 < int(left) < 200
    keys = [key for manifest in read_manifests(store) for key in manifest.keys]
    assert set(Counter(keys).values()) == {1}
    assert len(open_store(job_store).catalog()) == len(keys) == 200
    ended = objects(job_store, "runs/")
    assert {name: ended[name] for name in kept} == kept
    generate(script, str(tmp_path / "whole"), load_config(None, list(made)))
    assert contents(job_store) == contents(str(tmp_path / "whole"))


@pytest.mark.slow
def test_recordings_become_a_corpus_though_the_job_is_stopped(
    head: dict[str, str], seaweed: SeaweedFS, job_store: str, tmp_path: Path, ray_cluster: str
):
    captures = open_storage(f"{job_store}/captures")
    for number in range(24):
        stem = tmp_path / f"take{number}"
        write_wav(stem.with_suffix(".wav"), babble(1.0 + number / 10, seed=number))
        write_csv(stem.with_suffix(".csv"), moving(60 + 6 * number, 61, number))
        stem.with_suffix(".txt").write_text(f"This is line number {number}.")
    for path in tmp_path.iterdir():
        captures.create(f"ann/{path.name}", path)
    words = ["ray_jobs/prepare.py", "--config", "ray_jobs/prepare.yaml"]
    made = ("clips.fps=30", "tts={kind: stub}", "encoder=null", "transcriber=null")
    settings = (*made, f"source.path={captures.uri}", f"corpus={job_store}/corpus")
    settings += ("run.shard_size=1", "run.num_actors=1")
    corpus = open_storage(f"{job_store}/corpus")

    def is_begun(_log: str) -> bool:
        return any(corpus.list("manifests/"))

    stop(head, words, *rights(seaweed), settings=settings, is_begun=is_begun)
    kept = objects(corpus.uri, "runs/")
    assert len(kept) < 24 * 4
    shown = submit(head, words, *rights(seaweed), settings=settings)
    [left] = set(re.findall(r"\d+ of (\d+) recordings", shown))
    assert 0 < int(left) < 24
    assert open_corpus(corpus.uri).clips(with_features=["tts"])

    config = load_prepare_config(None, [*made, f"source.path={captures.uri}", "run.shard_size=1"])
    prepare(captures.uri, f"{job_store}/whole", config)
    ended = objects(corpus.uri, "runs/")
    assert ended == objects(f"{job_store}/whole", "runs/")
    assert {name: ended[name] for name in kept} == kept


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_corpus_becomes_a_face_model_though_the_job_is_stopped(
    head: dict[str, str], seaweed: SeaweedFS, job_store: str
):
    corpus = f"{job_store}/corpus"
    write_corpus(corpus)
    stage = {
        "name": "joint",
        "trains": ["adapter", "decoder", "head"],
        "losses": {"coefficient": 1.0},
        "steps": 150,
    }
    words = ["ray_jobs/train.py", "--config", "ray_jobs/train.yaml"]
    settings = (f"corpus={corpus}", f"stages={json.dumps([stage])}", "optimiser.clips=2")
    settings += ("network={decoder_dim: 16, style_dim: 4}",)

    def trained(name: str) -> tuple[str, ...]:
        return (*settings, f"out={job_store}/{name}")

    state = open_storage(f"{job_store}/stopped")

    def has_saved(_log: str) -> bool:
        return any(info.name.endswith("training.pt") for info in state.list("state/"))

    saving = (*trained("stopped"), "checkpoint_every_s=0.1")
    stop(head, words, *rights(seaweed), settings=saving, is_begun=has_saved)
    assert not state.exists("report.json")
    submit(head, words, *rights(seaweed), settings=trained("stopped"))
    checkpoint = f"{job_store}/stopped/checkpoints/joint"
    job = load_train_config(ROOT / "ray_jobs" / "train.yaml", list(trained("whole")))
    alone = prepare_training(job)
    for _ in alone.run():
        pass
    ended = load_face_model(checkpoint).model.state_dict()
    for key, value in alone.weights().items():
        # Sums in another order may differ in the last digits.
        torch.testing.assert_close(ended[key], value, rtol=0.0, atol=1e-6)


@pytest.mark.slow
def test_an_evaluation_that_is_stopped_and_submitted_again_is_the_same(
    head: dict[str, str], seaweed: SeaweedFS, job_store: str, tmp_path: Path
):
    corpus = f"{job_store}/corpus"
    write_corpus(corpus, clips=48)
    torch.manual_seed(0)
    state = build_face_model(DESCRIBED).state_dict()
    write_face_model(open_storage(job_store), "model", DESCRIBED, state)
    checkpoint = f"{job_store}/model"
    out = tmp_path / "figures.json"
    words = ["ray_jobs/evaluate.py", checkpoint, corpus, "--out", out]
    settings = ("tts.kind=stub", "split=val")

    def is_begun(log: str) -> bool:
        return "evaluate: 1 of 12 clips" in log

    stop(head, words, *rights(seaweed), settings=settings, is_begun=is_begun)
    assert not out.exists()
    assert "visemes" in submit(head, words, *rights(seaweed), settings=settings)
    found = json.loads(out.read_text())["scores"]
    here = evaluate(checkpoint, corpus, load_evaluate_config(None, list(settings))).scores
    for name, scores in here.items():
        for key, value in asdict(scores).items():
            near = value if value is None else pytest.approx(value, rel=1e-4, abs=1e-6)
            assert found[name][key] == near
