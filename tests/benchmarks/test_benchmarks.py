"""The benchmarks run, compare like with like, and divide time and memory rightly."""

import csv
import io
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks.arms import ARMS
from benchmarks.figures import MODEL, WORK, divide_making, ratios
from benchmarks.generate_memory import SizeRun, describe_growth, measure_memory, print_memory
from benchmarks.generate_speed import Settings, measure_speed, print_speed
from benchmarks.indextts2_model import Sizes, make_networks, make_voice
from benchmarks.indextts2_speed import Clock as SpeedClock
from benchmarks.indextts2_speed import (
    Figures,
    Line,
    TimedMaker,
    cut_calls,
    make_lines,
    print_figures,
)
from benchmarks.indextts2_speed import measure as measure_indextts2
from benchmarks.indextts2_whole import measure as measure_whole
from benchmarks.lines import draw_lengths_s, write_barks, write_dialogue
from benchmarks.machine import Watch
from tests.tts.indextts2 import tiny
from tests.tts.indextts2.published import write_model
from unitaf.pipelines.making import ShardRecord
from unitaf.tts.indextts2.loading import load_networks
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.synthesis import FlowSettings


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def record(worker: int, started_s: float, ended_s: float) -> ShardRecord:
    return ShardRecord(
        "shard",
        tts_s=0.5,
        face_s=0.25,
        encode_s=0.125,
        storage_s=0.0625,
        started_s=started_s,
        ended_s=ended_s,
        worker=worker,
    )


def test_the_time_of_all_workers_is_divided_without_a_rest():
    records = [record(1, 100.0, 101.0), record(2, 100.5, 101.5), record(1, 101.25, 102.25)]
    making = divide_making(records, 3)
    assert making.duration_s == 2.25
    assert making.parts_s == {
        "tts": 1.5,
        "face": 0.75,
        "encode": 0.375,
        "storage": 0.1875,
        "other": 0.1875,
        "late": 0.5 + 2.25,  # the second worker, and a third that got no shard
        "gaps": 0.25,
        "tail": 0.75,
    }
    assert sum(making.shares.values()) == pytest.approx(1.0)
    assert making.overhead(MODEL) == 3.0
    assert making.overhead(WORK) == pytest.approx(6.75 / 2.8125)
    assert making.warm_overhead(MODEL) == pytest.approx((6.75 - 2.75) / 2.25)


def test_ratios_are_taken_within_a_repeat():
    found = ratios({"seq": [10.0, 20.0], "mp": [15.0, 40.0], "unitaf": [30.0, 40.0]}, 2)
    assert found["unitaf/mp"] == {"median": 1.5, "min": 1.0, "max": 2.0}
    assert found["mp/seq"] == {"median": 1.75, "min": 1.5, "max": 2.0}
    assert found["unitaf scaling"] == {"median": 1.25, "min": 1.0, "max": 1.5}


def test_lines_are_the_same_for_the_same_seed_and_as_long_as_dialogue(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_dialogue(tmp_path / name, 2000, seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()
    rows = read_rows(tmp_path / "a")
    lengths = sorted(len(row["text"]) for row in rows)
    assert lengths[1000] == pytest.approx(17 * (2.6 - 0.25), rel=0.15)
    assert lengths[-1] <= 17 * 20 + 10
    assert len({row["seed"] for row in rows}) == 2000


def test_cpu_time_of_a_child_that_has_ended_is_not_foreign():
    burn = "import time\nwhile time.process_time() < 1: pass"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        with Watch() as ours, Watch(root=idle.pid) as theirs:
            subprocess.run([sys.executable, "-c", burn], check=True)
        idle.communicate(b"\n")
    assert ours.foreign_share() < theirs.foreign_share()


def test_three_arms_make_the_same_takes(
    ray_cluster: str, console: Console, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    settings = Settings(lines=12, repeats=1, workers=2, engine="stub", seed=0, patience_s=0.0)
    result = json.loads(json.dumps(measure_speed(settings, console)))
    assert set(result) == {"machine", "settings", "runs", "summary", "ratios"}
    assert [run["arm"] for run in result["runs"]] == list(ARMS)
    assert len({run["digest"] for run in result["runs"]}) == 1
    for run in result["runs"]:
        assert (run["takes"], run["shards"]) == (12, 2)
        assert run["audio_s_per_s"] * run["making_s"] == pytest.approx(run["audio_s"])
        whole_s = run["startup_s"] + run["making_s"] + run["ending_s"]
        assert whole_s == pytest.approx(run["whole_s"])
        assert min(run["startup_s"], run["making_s"], run["ending_s"]) > 0
        assert run["is_valid"] == (run["foreign_share"] <= 0.05)
        assert sum(run["shares"].values()) == pytest.approx(1.0)
    assert set(result["ratios"]) == {"unitaf/mp", "mp/seq", "unitaf scaling", "mp scaling"}
    print_speed(result, console)


def test_memory_of_driver_and_workers_is_seen(console: Console):
    result = json.loads(json.dumps(measure_memory([16], 1, console)))
    (run,) = result["runs"]
    assert run["lines"] == 16
    peaks = run["peak_bytes"]
    assert set(peaks) == {"driver", "workers", "ray", "all", "object_store", "spilled"}
    for role in ("driver", "workers", "ray"):
        assert 10e6 < peaks[role] < peaks["all"] * 1.1
    assert peaks["spilled"] == 0
    assert all(microseconds > 0 for microseconds in result["work_us_a_line"].values())
    assert set(result["steepest_slope"].values()) == {None}
    print_memory(result, console)


def test_indextts2_goes_from_end_to_end_with_lines_of_a_given_length(console: Console):
    measure_whole(tiny.SIZES, 7, 0.5, console)
    told = console.file.getvalue()
    assert "keys in 0.07 GB, none missing" in told
    assert "lines of 0.14 s and 0.14 s;" in told  # 12 mel frames, a moment less than 7 codes.
    for stage in ("speech encoder", "conformers", "GPT", "flow", "vocoder", "for the face only"):
        assert stage in told


def speed_lines(count: int) -> list[Line]:
    return make_lines([length_s / 5 for length_s in draw_lengths_s(count, 0)], 60)


def test_indextts2_gets_lines_as_a_worker_gives_them():
    lines = speed_lines(100)
    calls = list(cut_calls(lines, 20, 2))
    assert sorted(line.seed for call in calls for line in call) == list(range(100))
    assert {len(call) for call in calls} <= {8, 4, 2}  # Shards of 20, the last of them halved.
    lengths = [[len(line.text) for line in call] for call in calls]
    assert all(call == sorted(call) for call in lengths)
    starts_anew = sum(after[0] < before[-1] for before, after in pairwise(lengths))
    assert starts_anew >= 4  # Every shard has short lines and long ones.


def test_indextts2_is_measured_with_the_precisions_of_the_engine(tmp_path: Path):
    parts = (tiny.SPEECH_ENCODER, tiny.CODEC, tiny.GPT, tiny.S2MEL, tiny.VOCODER)
    measured = make_networks(Sizes(*parts), "cpu", "bfloat16")
    loaded = load_networks(write_model(tmp_path), precision="bfloat16")
    for ours, theirs in zip(measured.modules, loaded.modules, strict=True):
        kinds = [{value.dtype for value in net.state_dict().values()} for net in (ours, theirs)]
        assert kinds[0] == kinds[1]


def test_every_stage_of_indextts2_has_its_time(console: Console, one_thread: None):
    device, lines, batches = torch.device("cpu"), make_lines([0.1, 0.2, 0.12, 0.3], 60), []
    parts = (tiny.SPEECH_ENCODER, tiny.CODEC, tiny.GPT, tiny.S2MEL, tiny.VOCODER)
    networks = make_networks(Sizes(*parts), "cpu", "float32")
    voice = make_voice(networks, 0.5)
    settings = SpeechSettings(flow=FlowSettings(num_steps=1))
    figures = []
    for batch in (1, 2):
        maker = TimedMaker(networks, settings, batch, clock=SpeedClock(device), loads=[])
        started_s = time.process_time()
        audio_s, peak = measure_indextts2(maker, voice, lines, 256)
        spent_s = time.process_time() - started_s
        assert sum(maker.clock.spent_s.values()) <= spent_s  # No second is counted twice.
        assert min(maker.clock.spent_s.values()) > 0
        codes = [int(count) for load in maker.loads for count in load.codes]
        assert sorted(codes) == sorted(line.num_codes for line in lines)
        assert audio_s == pytest.approx(sum(codes) / 50, rel=0.1)
        batches.append([len(load.codes) for load in maker.loads])
        figures.append(Figures(batch, audio_s, maker.clock.spent_s, {}, peak))
    assert batches == [[1] * 4, [2, 2]]
    print_figures(console, figures)
    assert "whole line" in console.file.getvalue()


def size_run(lines: int, driver_bytes: int, plan_s: float) -> SizeRun:
    peaks = dict.fromkeys(("workers", "ray", "all", "object_store", "spilled"), 0)
    return SizeRun(
        lines=lines,
        foreign_share=0.0,
        whole_s=100.0,
        stages_s={"plan": plan_s, "make": 1.0, "end": 1.0},
        worker_s=dict.fromkeys(("tts_s", "face_s", "encode_s", "storage_s"), 2.0),
        peak_bytes={"driver": driver_bytes, **peaks},
    )


def test_growth_is_told_by_the_line_and_by_the_steepest_step():
    sizes = [size_run(100, 1000, 1.0), size_run(1000, 2000, 1.0), size_run(10_000, 10_900, 100.0)]
    growth = describe_growth(sizes)
    assert growth["growth_bytes"]["driver"] == 9900
    assert growth["bytes_a_line"]["driver"] == 1.0
    assert growth["steepest_slope"] == {"plan": pytest.approx(2.0), "make": 0.0, "end": 0.0}
    assert growth["work_us_a_line"]["face_s"] == pytest.approx(200.0)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_barks_are_different_takes(tmp_path: Path):
    write_barks(tmp_path / "barks.csv", 3)
    rows = read_rows(tmp_path / "barks.csv")
    assert [(row["text"], row["seed"]) for row in rows] == [("Run!", str(i)) for i in range(3)]
