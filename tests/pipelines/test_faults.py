"""A server that dies, slows down or refuses: a bounded wait or one clear sentence, nothing lost."""

import threading
import time
from pathlib import Path

import pytest

from tests.fakes import KillingStorage
from tests.servers import Fault, FaultProxy, SeaweedFS
from unitaf import generate, open_store
from unitaf.config import check_config
from unitaf.errors import BackendError, StorageError
from unitaf.pipelines.progress import Progress
from unitaf.storage import open_storage
from unitaf.storage.local import LocalStorage

LINES = 40


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "lines.csv"
    rows = [f"line_{i},This is line number {i}." for i in range(LINES)]
    path.write_text("\n".join(["line_id,text", *rows]) + "\n")
    return path


def config(**run: object):
    settings = {"num_actors": 1, "shard_size": 4, "retry_budget_s": 60, **run}
    return check_config({"tts": {"kind": "stub"}, "output": {"fps": 10}, "run": settings}, "test")


def test_server_is_killed_in_mid_run_and_comes_back(
    script: Path, s3_store_uri: str, seaweed: SeaweedFS, ray_cluster: str
):
    restarted: list[threading.Thread] = []

    def restart() -> None:
        seaweed.kill()
        time.sleep(1.0)
        seaweed.start()

    def kill_once(progress: Progress) -> None:
        if progress.lines >= 8 and not restarted:
            restarted.append(threading.Thread(target=restart))
            restarted[0].start()

    report = generate(script, s3_store_uri, config(), kill_once)
    restarted[0].join()
    assert (report.takes, report.rejects) == (LINES, 0)
    assert len(list(open_store(s3_store_uri).takes(open_store(s3_store_uri).catalog()))) == LINES


def test_slow_answers_and_passing_faults_lose_nothing(
    script: Path,
    s3_store_uri: str,
    seaweed: SeaweedFS,
    ray_cluster: str,
    monkeypatch: pytest.MonkeyPatch,
):
    with FaultProxy(seaweed.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.delay_s = 0.05
        faults = [Fault.SLOW_DOWN, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.CUT_ANSWER]
        proxy.faults.extend(faults * 3)
        report = generate(script, s3_store_uri, config())
    assert (report.takes, report.rejects) == (LINES, 0)


def test_a_server_that_stays_down_ends_the_run_in_time(
    script: Path, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:9"):
        generate(script, s3_store_uri, config(retry_budget_s=1))
    assert time.monotonic() - started < 30


def test_a_bucket_that_is_not_there(script: Path, s3_store_uri: str):
    with pytest.raises(StorageError, match="no-such-bucket"):
        generate(script, "s3://no-such-bucket/dialogue", config())


def test_a_wrong_secret(script: Path, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match=r"AWS_SECRET_ACCESS_KEY|403"):
        generate(script, s3_store_uri, config())


def test_a_worker_that_always_dies_ends_the_run(script: Path, tmp_path: Path, ray_cluster: str):
    storage = KillingStorage(open_storage(str(tmp_path / "store")), "takes/", "before", None)
    with pytest.raises(BackendError, match="a worker died 5 times"):
        generate(script, storage, config(shard_size=40))


def test_a_worker_that_fails_in_its_own_way_is_told_in_a_sentence(
    script: Path, tmp_path: Path, ray_cluster: str
):
    class Rotten(LocalStorage):
        def read(self, name: str) -> bytes:
            data = super().read(name)
            return data[:50] if name.endswith(".parquet") else data

    with pytest.raises(
        BackendError, match=r"a worker failed: pyarrow\.lib\.ArrowInvalid: Parquet"
    ) as caught:
        generate(script, Rotten(tmp_path / "store"), config(shard_size=40))
    assert "\n" not in str(caught.value)


def test_a_server_that_dies_for_good_in_mid_run_is_named(
    script: Path, s3_store_uri: str, seaweed: SeaweedFS, ray_cluster: str
):
    def kill(progress: Progress) -> None:
        if progress.lines >= 8:
            seaweed.kill()

    try:
        with pytest.raises(StorageError, match=r"plans/|takes/|manifests/|progress"):
            generate(script, s3_store_uri, config(retry_budget_s=2), kill)
    finally:
        seaweed.start()
    assert generate(script, s3_store_uri, config()).takes == LINES


def test_a_store_on_a_file_is_refused(script: Path, tmp_path: Path, ray_cluster: str):
    (tmp_path / "file").write_text("here")
    with pytest.raises(StorageError, match="file"):
        generate(script, str(tmp_path / "file" / "store"), config())
