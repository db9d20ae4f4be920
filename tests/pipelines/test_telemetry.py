"""What Prometheus would collect of a run, from a running cluster."""

import time
import uuid
from pathlib import Path

import pytest
import ray
import requests
from prometheus_client.parser import text_string_to_metric_families

from unitaf.pipelines.making import ShardRecord
from unitaf.pipelines.progress import Recorder
from unitaf.storage import open_storage

_REPORT_S = 60.0
"""Ray's workers tell their agent every 10 s."""


def served(pipeline: str) -> dict[str, float]:
    """Return the values of a pipeline by name, and by kind of work or bucket."""
    port = ray.nodes()[0]["MetricsExportPort"]
    deadline = time.monotonic() + _REPORT_S
    while time.monotonic() < deadline:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        values = {
            sample.name + sample.labels.get("kind", "") + sample.labels.get("le", ""): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels.get("pipeline") == pipeline
        }
        if values:
            return values
        time.sleep(0.2)
    raise AssertionError(f"nothing of {pipeline} in {_REPORT_S:g} s")


def test_what_is_planned_is_served_before_anything_is_made(ray_cluster: str, tmp_path: Path):
    pipeline = uuid.uuid4().hex
    log = open_storage(str(tmp_path)).open_log("progress.ndjson")
    with Recorder(log, None, 10, 2, pipeline) as recorder:
        recorder.enter("start")
        recorder.begin()
    assert served(pipeline) == {"ray_unitaf_lines_left": 10, "ray_unitaf_rejects_total": 2}


def test_what_a_run_tells_is_served(ray_cluster: str, tmp_path: Path):
    pipeline = uuid.uuid4().hex
    log = open_storage(str(tmp_path)).open_log("progress.ndjson")
    shard = {
        "storage_retries": 2,
        "num_lines": 4,
        "audio_s": 12.5,
        "payload_bytes": 1000,
        "tts_s": 6.0,
        "face_s": 1.0,
    }
    with Recorder(log, None, 10, 2, pipeline) as recorder:
        recorder.enter("start")
        recorder.begin()
        recorder.add(ShardRecord("a", num_takes=3, num_rejects=1, **shard))
        recorder.add(ShardRecord("b", num_takes=4, is_new=False, **shard))
    assert served(pipeline) == {
        "ray_unitaf_shards_total": 2,
        "ray_unitaf_lines_total": 8,
        "ray_unitaf_lines_left": 2,
        "ray_unitaf_takes_total": 3,
        "ray_unitaf_rejects_total": 3,
        "ray_unitaf_storage_retries_total": 4,
        "ray_unitaf_audio_seconds_total": 12.5,
        "ray_unitaf_payload_bytes_total": 1000,
        "ray_unitaf_work_seconds_totaltts": 6,
        "ray_unitaf_work_seconds_totalface": 1,
        "ray_unitaf_shard_seconds_count": 1,
        "ray_unitaf_shard_seconds_sum": pytest.approx(7, abs=3),  # Ray keeps buckets only
        **{f"ray_unitaf_shard_seconds_bucket{le}": 0 for le in ("0.5", "1.0", "2.0", "5.0")},
        **{
            f"ray_unitaf_shard_seconds_bucket{le}": 1
            for le in ["10.0", "20.0", "30.0", "60.0", "120.0", "300.0", "600.0", "1800.0", "+Inf"]
        },
    }
