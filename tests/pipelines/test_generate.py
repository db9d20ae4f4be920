"""What a run makes, what it leaves alone, and what it says of lines that cannot be made."""

import csv
import itertools
import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from unitaf import generate, open_store
from unitaf.config import check_config, load_config
from unitaf.errors import ConfigError
from unitaf.pipelines.progress import Progress

STUB = {"tts": {"kind": "stub"}, "output": {"fps": 10}, "run": {"num_actors": 2}}


def write_script(path: Path, lines: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


@pytest.fixture
def lines() -> list[dict[str, str]]:
    return [
        {"line_id": f"l{i}", "speaker": f"s{i % 3}", "text": f"Line {i} of it.", "take_no": str(i)}
        for i in range(1000)
    ]


def test_only_what_is_new_is_made(lines: list[dict[str, str]], tmp_path: Path, ray_cluster: str):
    store, config = str(tmp_path / "store"), check_config(STUB, "test")
    script = write_script(tmp_path / "script.csv", lines)
    told: list[Progress] = []
    first = generate(script, store, config, told.append)
    assert (first.lines, first.takes, first.made, first.reused) == (1000, 1000, 1000, 0)
    assert told[-1].stage == "done"
    assert told[-1].lines == told[-1].lines_total == 1000
    assert first.audio_s == pytest.approx(pc.sum(open_store(store).catalog()["duration_s"]).as_py())

    again = generate(script, store, config)
    assert (again.made, again.reused, again.actors, again.shards) == (0, 1000, 0, 0)

    lines[500]["text"] = "Something else."
    changed = generate(write_script(script, lines), store, config)
    assert (changed.made, changed.reused) == (1, 999)

    lines.reverse()
    assert generate(write_script(script, lines), store, config).made == 0

    twin = {"line_id": "twin", "speaker": "s0", "text": "Line 0 of it.", "take_no": "x"}
    doubled = generate(write_script(script, [*lines, twin]), store, config)
    assert (doubled.made, doubled.takes) == (0, 1001)

    opened = open_store(store)
    catalog = opened.catalog()
    assert catalog["take_no"].to_pylist() == [line["take_no"] for line in [*lines, twin]]
    take = opened.take("twin")
    assert (take.utterance.id, take.utterance.speaker) == ("twin", "s0")
    assert take.key == opened.take("l0").key


def test_every_bad_line_is_named_and_the_rest_is_made(tmp_path: Path, ray_cluster: str):
    rows = [
        {"line_id": "good", "text": "Hello there."},
        {"line_id": "empty", "text": "  "},
        {"line_id": "dots", "text": "... !"},
        {"line_id": "long", "text": "word " * 4000},
        {"line_id": "control", "text": "bell\x07"},
        {"line_id": "klingon", "text": "Hello.", "language": "tlh"},
        {"line_id": "good", "text": "The same id."},
        {"line_id": "short"},
        {"line_id": "mood", "text": "Hello.", "emotion": "hangry"},
        {"line_id": "greek", "text": "Καλημέρα κόσμε"},
    ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    script = tmp_path / "bad.jsonl"
    script.write_text(text + '\n{"line_id": "broken", "text"\n', encoding="utf-8")
    store = str(tmp_path / "store")
    report = generate(script, store, check_config({"run": {"num_actors": 1}}, "test"))
    assert (report.lines, report.takes, report.made, report.rejects) == (11, 1, 1, 10)
    rejects = pq.read_table(tmp_path / "store" / "runs" / report.run / "rejects.parquet")
    found = {
        (row["row"], row["line_id"], row["column"], row["stage"]): row["reason"]
        for row in rejects.to_pylist()
    }
    assert set(found) == {
        (2, "empty", "text", "script"),
        (3, "dots", "text", "script"),
        (4, "long", "text", "script"),
        (5, "control", "text", "script"),
        (6, "klingon", "language", "script"),
        (7, "good", "line_id", "script"),
        (8, "short", "text", "script"),
        (9, "mood", "emotion", "script"),
        (10, "greek", "text", "engine"),
        (11, "", "", "script"),
    }
    assert all(reason and "Traceback" not in reason for reason in found.values())
    assert open_store(store).rejects().num_rows == 10
    # What the engine has refused once is not tried again.
    assert generate(script, store, check_config({}, "test")).actors == 0


def test_rejects_name_the_columns_as_the_file_does(tmp_path: Path, ray_cluster: str):
    script = tmp_path / "sheet.csv"
    rows = ["a,Hello.,en", "a,Again.,en", "b,Hello.,tlh", "c,Καλημέρα κόσμε,en"]
    script.write_text("\n".join(["Key,Dialogue,Locale", *rows]) + "\n", encoding="utf-8")
    report = generate(script, tmp_path / "store", check_config({"run": {"num_actors": 1}}, "test"))
    assert report.rejects_by_column == {"Key": 1, "Locale": 1, "Dialogue": 1}


def test_bytes_do_not_depend_on_actors_or_shards(
    lines: list[dict[str, str]], tmp_path: Path, ray_cluster: str
):
    texts = ["Run!", "Where is the key?", "Put the lamp by the bed, please.", "Moo.", "Five of us."]
    script = write_script(
        tmp_path / "script.csv",
        [
            {"line_id": f"{i}", "text": text, "emotion": mood}
            for i, (text, mood) in enumerate(
                itertools.product(texts, ["", "angry", "sad", "happy"])
            )
        ],
    )
    made = []
    for actors, shard_size in itertools.product([1, 2], [16, 256]):
        store = str(tmp_path / f"{actors}-{shard_size}")
        run = {"num_actors": actors, "shard_size": shard_size}
        generate(script, store, check_config({"run": run}, "test"))
        opened = open_store(store)
        made.append(
            {
                row["line_id"]: (take.speech.waveform.tobytes(), take.motion.curves.tobytes())
                for row, take in opened.takes(opened.catalog())
            }
        )
    assert len(made[0]) == 20
    assert made[0] == made[1] == made[2] == made[3]


def test_two_scripts_in_one_store_are_one_catalog(tmp_path: Path, ray_cluster: str):
    store, config = str(tmp_path / "store"), check_config(STUB, "test")
    one = write_script(tmp_path / "one.csv", [{"line_id": "a", "text": "One."}])
    two = write_script(
        tmp_path / "two.csv",
        [
            {"line_id": "a", "text": "Newer."},
            {
                "line_id": "b",
                "text": "Two.",
            },
        ],
    )
    generate(one, store, config)
    generate(two, store, config)
    catalog = open_store(store).catalog()
    assert dict(zip(catalog["line_id"].to_pylist(), catalog["text"].to_pylist(), strict=True)) == {
        "a": "Newer.",
        "b": "Two.",
    }


def test_scripts_of_one_name_in_two_folders_do_not_hide_each_other(
    tmp_path: Path, ray_cluster: str, monkeypatch: pytest.MonkeyPatch
):
    store, config = str(tmp_path / "store"), check_config(STUB, "test")
    for line_id in ("a", "b"):
        (tmp_path / line_id).mkdir()
        monkeypatch.chdir(tmp_path / line_id)
        write_script(Path("lines.csv"), [{"line_id": line_id, "text": "One."}])
        generate("lines.csv", store, config)
    assert sorted(open_store(store).catalog()["line_id"].to_pylist()) == ["a", "b"]


def test_a_run_leaves_what_repeats_it_and_tells_how_it_went(tmp_path: Path, ray_cluster: str):
    script = write_script(
        tmp_path / "s.csv", [{"line_id": "a", "text": "One."}, {"line_id": "b", "text": "Two."}]
    )
    store = tmp_path / "store"
    report = generate(script, store, check_config(STUB, "test"))
    folder = store / "runs" / report.run
    assert json.loads((folder / "report.json").read_text()) == json.loads(report.to_json())
    events = [json.loads(line) for line in (folder / "progress.ndjson").read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] == "shard"] == ["shard"]
    assert events[-1]["progress"]["lines"] == 2
    assert report.seconds["make"] < sum(report.seconds[name] for name in ("plan", "start", "end"))

    config = load_config(folder / "config.yaml")
    assert config.script.path is not None
    again = generate(config.script.path, str(config.store), config)
    assert (again.made, again.reused) == (0, 2)
    assert open_store(store).catalog().num_rows == 2


def test_a_job_that_does_not_fit_the_cluster_is_refused(tmp_path: Path, ray_cluster: str):
    script = write_script(tmp_path / "one.csv", [{"line_id": "a", "text": "One."}])
    config = check_config({**STUB, "run": {"num_actors": 500}}, "test")
    with pytest.raises(ConfigError, match="500 actors do not fit"):
        generate(script, str(tmp_path / "store"), config)


def test_other_programs_read_the_takes(tmp_path: Path, ray_cluster: str):
    import duckdb
    import pandas

    script = write_script(tmp_path / "one.csv", [{"line_id": "a", "text": "One fine day."}])
    report = generate(script, str(tmp_path / "store"), check_config(STUB, "test"))
    (payload,) = (tmp_path / "store" / "takes").rglob("*.parquet")
    frame = pandas.read_parquet(payload)
    curves = frame["curves"][0]
    assert len(curves) == -(-frame["num_samples"][0] * 10 // frame["sample_rate"][0])
    assert len(curves[0]) == 61
    # The folder's language=en would be a second column of that name.
    whole = pandas.read_parquet(tmp_path / "store" / "takes", partitioning=None)
    assert whole["language"].tolist() == ["en"]
    pattern = f"{tmp_path}/store/takes/*/*.parquet"
    found = duckdb.sql(
        f"SELECT language, len(curves), len(curves[1]), audio[1:4]::VARCHAR"
        f" FROM read_parquet('{pattern}', hive_partitioning = true)"
    ).fetchall()
    assert found == [("en", len(curves), 61, "fLaC")]
    assert report.takes == 1
