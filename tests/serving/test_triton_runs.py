"""`unitaf generate` with engine and face on a real Triton server: the same takes, and each once."""

import csv
import os
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.serving.triton_server import HIBARI_JOB, PYTHON, STUB_JOB, TritonServer
from unitaf import generate, open_store
from unitaf.config import GenerateConfig, dump_config, load_config
from unitaf.errors import BackendUnavailable
from unitaf.pipelines.progress import Progress
from unitaf.types import EMOTIONS

ROOT = Path(__file__).parents[2]


LINES = 120


def write_script(path: Path, lines: int) -> Path:
    """Write lines that differ in text, emotion and seed; the last is not in Latin letters."""
    rows = [
        f"l{i},Line {i} of it.{' And more!' if i % 8 == 0 else ''},angry:0.{i % 10},{i}"
        for i in range(lines - 1)
    ]
    rows.append("last,Привет!,,0")
    path.write_text("\n".join(["line_id,text,emotion,seed", *rows]) + "\n")
    return path


VERBS = ("Bring", "Hide", "Sell", "Paint", "Drop", "Find", "Burn", "Keep")
THINGS = ("the lamps", "my boat", "nine maps", "a rope", "that bell", "his coat", "gold", "it all")
MARKS = (
    "{}!",
    "{}? [pause 0.2s] Now!",
    "Please, [emotion: surprised:0.9] {}. [emotion] Go.",
    "{}, [Okafor](/oʊkˈæfɔːɹ/).",
    "[emotion: afraid] {}. [pause 150ms]",
)


def write_acted_script(path: Path) -> Path:
    """Write 64 short lines: every emotion, weak and strong, windows, and marks of every kind."""
    rows = []
    for i in range(64):
        text = MARKS[i % len(MARKS)].format(f"{VERBS[i % 8]} {THINGS[i // 8]}")
        emotion = f"{EMOTIONS[(i + i // 8) % 8]}:{0.2 + 0.1 * (i % 7):.1f}" if i % 9 else ""
        window_s = f"{0.9 + 0.05 * i:.2f}" if i % 4 == 1 else ""
        rows.append((f"l{i}", text, emotion, str(i % 3), window_s))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("line_id", "text", "emotion", "seed", "target_s"), *rows])
    return path


def remote(server: TritonServer, *overrides: str) -> GenerateConfig:
    where = f"{{kind: triton, url: '{server.url}', timeout_s: 60, retry_budget_s: 120}}"
    given = [f"tts={where}", f"face={where}", "run.num_actors=2", "run.shard_size=4", *overrides]
    return load_config(None, given)


def takes(store: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a store by take key, each of which stands there once."""
    columns = ["take_key", "audio", "curves", "phones", "num_samples", "provenance"]
    rows = [
        row
        for path in (store / "takes").rglob("*.parquet")
        for row in pq.ParquetFile(path).read(columns).to_pylist()
    ]
    found = {row["take_key"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("server", "job", "write"),
    [
        ("stub_server", STUB_JOB, partial(write_script, lines=65)),
        ("hibari_server", HIBARI_JOB, write_acted_script),
    ],
    ids=["stub", "hibari"],
)
def test_takes_have_the_keys_and_the_bytes_of_takes_made_without_a_server(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ray_cluster: str,
    server: str,
    job: tuple[str, ...],
    write: Callable[[Path], Path],
):
    script = write(tmp_path / "lines.csv")
    local = load_config(None, job)
    (tmp_path / "job.yaml").write_text(dump_config(local))
    here = tmp_path / "here"
    making = [PYTHON, "-m", "tests.serving.local_takes", script, here, tmp_path / "job.yaml"]
    subprocess.run(making, check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    running_server: TritonServer = request.getfixturevalue(server)
    config = remote(running_server, f"output.fps={local.output.fps}")
    report = generate(script, tmp_path / "there", config)
    made = takes(tmp_path / "there")
    assert report.takes == len(made) >= 64
    assert report.rejects == 0
    assert made == takes(here)
    # So nothing is left to make where the takes of the other way are.
    assert generate(script, here, config).made == 0


def test_a_line_that_the_server_refuses_is_a_reject(
    tmp_path: Path, ray_cluster: str, hibari_server: TritonServer
):
    script = write_script(tmp_path / "lines.csv", 2)
    generate(script, tmp_path / "store", remote(hibari_server))
    [reject] = open_store(tmp_path / "store").rejects().to_pylist()
    assert (reject["line_id"], reject["column"]) == ("last", "text")
    assert reject["reason"] == "cannot read 'Привет!': only Latin letters can be read"


def test_a_server_that_dies_is_named_and_one_that_comes_back_loses_no_line(
    tmp_path: Path, ray_cluster: str, stub_server: TritonServer
):
    script, store = write_script(tmp_path / "lines.csv", LINES), tmp_path / "store"
    restarts: list[threading.Thread] = []

    def kill(progress: Progress) -> None:
        if progress.lines >= 8:
            stub_server.kill()

    def kill_once(progress: Progress) -> None:
        if progress.lines >= 8 and not restarts:
            stub_server.kill()
            restarts.append(threading.Thread(target=stub_server.start))
            restarts[0].start()

    impatient = remote(stub_server, "tts.retry_budget_s=1", "face.retry_budget_s=1")
    try:
        with pytest.raises(BackendUnavailable, match=rf"{stub_server.url}: gave up after 1 s"):
            generate(script, store, impatient, kill)
    finally:
        stub_server.kill()
        stub_server.start()
    report = generate(script, store, remote(stub_server), kill_once)
    restarts[0].join()
    assert report.reused >= 8
    assert (report.takes, report.rejects) == (LINES, 0)
    assert len(takes(store)) == LINES
