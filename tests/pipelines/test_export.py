"""Deliveries: what is written, what is kept, and what a killed export leaves."""

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import soundfile
import trimesh

from tests.pipelines.delivered import Line, fill_store, tree
from unitaf.errors import ConfigError, StorageError
from unitaf.export.loudness import integrated_loudness
from unitaf.export.sound import Level
from unitaf.pipelines.export import export
from unitaf.pipelines.export_plan import ExportOptions
from unitaf.pipelines.schemas import schema_files
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS

LINES = [
    Line("b", "The second line."),
    Line("a", "A handbag?", speaker="Lady"),
    Line("a", "Un sac ?", "fr", "Lady"),
    Line("c", "The second line.", speaker="Zoe"),
]


def delivery(folder: Path) -> dict:
    return json.loads((folder / "delivery.json").read_text())


def test_delivery_json_says_all_of_every_file(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    out = tmp_path / "out"
    report = export(store, out, ["wav", "livelink", "usd"])
    found = delivery(out)
    assert found["settings"]["formats"] == ["wav", "livelink", "usd"]
    assert [(row["language"], row["line_id"]) for row in found["lines"]] == [
        (line.language, line.id) for line in LINES
    ]
    for line, row in zip(LINES, found["lines"], strict=True):
        take = line.take
        assert (row["take_key"], row["speaker"], row["text"]) == (take.key, line.speaker, line.text)
        assert (row["num_samples"], row["num_frames"]) == (
            take.speech.num_samples,
            len(take.motion.curves),
        )
        stem = f"{line.language}/{line.speaker}/{line.id}"
        assert [file["path"] for file in row["files"]] == [
            f"{stem}.wav", f"{stem}.csv", f"{stem}.usdc", "head.usdc",
        ]  # fmt: skip
    stated = {file["path"]: file for row in found["lines"] for file in row["files"]}
    files = tree(out)
    assert set(files) == set(stated) | {"delivery.json"}
    for path, file in stated.items():
        assert file["size_bytes"] == len(files[path])
        assert file["sha256"] == hashlib.sha256(files[path]).hexdigest()
    # The head is written once for all lines.
    assert (report.lines, report.written, report.files) == (4, 4, 3 * 4 + 1)


def test_delivery_json_keeps_its_schema(tmp_path: Path):
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["wav", "wwise"])
    document, schema = delivery(out), json.loads(schema_files()["delivery.schema.json"])
    jsonschema.validate(document, schema)
    del document["lines"][0]["files"][0]["sha256"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_files_hold_each_line_s_own_take(tmp_path: Path):
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["flac", "livelink"])
    for line in LINES:
        stem = out / line.language / line.speaker / line.id
        samples, _ = soundfile.read(stem.with_suffix(".flac"), dtype="int16")
        np.testing.assert_array_equal(samples, np.round(line.take.speech.waveform * 32768))
        rows = list(csv.DictReader(stem.with_suffix(".csv").read_text().splitlines()))
        curves = [[float(r[n[0].upper() + n[1:]]) for n in CHANNELS] for r in rows]
        np.testing.assert_allclose(curves, line.take.motion.curves, atol=1e-6)


def test_the_same_takes_give_the_same_delivery(tmp_path: Path):
    formats = ["wav", "ogg", "opus", "glb", "srt", "vtt", "parquet", "curves_json", "wwise", "fmod"]
    for name in ("one", "two"):
        export(fill_store(tmp_path / f"store_{name}", LINES[:2]), tmp_path / name, formats)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_only_what_has_changed_is_written_again(tmp_path: Path):
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["wav", "usd"])
    first = tree(out)
    marks = {path: (out / path).stat().st_mtime_ns for path in first}
    again = export(fill_store(tmp_path / "store", LINES, 2), out, ["wav", "usd"])
    assert (again.lines, again.written, again.files, again.stale) == (4, 0, 0, 0)
    assert tree(out) == first

    changed = [LINES[0], Line("a", "A hand bag?", speaker="Lady"), *LINES[2:]]
    report = export(fill_store(tmp_path / "store", changed, 3), out, ["wav", "usd"])
    assert (report.written, report.files) == (1, 2)
    touched = {p for p, mark in marks.items() if (out / p).stat().st_mtime_ns != mark}
    assert touched == {"en/Lady/a.wav", "en/Lady/a.usdc", "delivery.json"}
    fresh = tmp_path / "fresh"
    export(fill_store(tmp_path / "store", changed, 4), fresh, ["wav", "usd"])
    assert tree(out) == tree(fresh)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_file_that_is_not_what_was_delivered_is_written_again(damage: str, tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    out = tmp_path / "out"
    export(store, out, ["wav"])
    first = tree(out)
    if damage == "gone":
        (out / "en/Pip/b.wav").unlink()
    else:
        (out / "en/Pip/b.wav").write_bytes(bytes(len(first["en/Pip/b.wav"])))
    assert export(store, out, ["wav"]).written == 1
    assert tree(out) == first


def test_other_settings_write_all_again(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    out = tmp_path / "out"
    export(store, out, ["wav"])
    report = export(store, out, ["wav"], options=ExportOptions(sample_rate=16000))
    assert report.written == 4
    for row in delivery(out)["lines"]:
        samples, rate = soundfile.read(out / row["files"][0]["path"])
        assert (len(samples), rate) == (row["num_samples"], row["sample_rate"])
        assert rate == 16000


def test_another_loudness_is_another_delivery_of_the_same_takes(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    out = tmp_path / "out"
    for lufs in (-23.0, -30.0):
        options = ExportOptions(level=Level(lufs, -3.0))
        assert export(store, out, ["wav", "npz"], options=options).written == 4
        assert export(store, out, ["wav", "npz"], options=options).written == 0
        assert delivery(out)["settings"]["loudness_lufs"] == lufs
        for row in delivery(out)["lines"]:
            samples, rate = soundfile.read(out / row["files"][0]["path"])
            assert len(samples) == row["num_samples"]
            assert integrated_loudness(samples, rate) == pytest.approx(lufs, abs=0.2)


def test_files_of_lines_that_are_gone_are_told_and_removed_only_when_asked(tmp_path: Path):
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["wav", "livelink"])
    fewer = [LINES[0], LINES[3]]
    report = export(fill_store(tmp_path / "store", fewer, 2), out, ["wav", "livelink"])
    gone = {f"{tag}/Lady/a{suffix}" for tag in ("en", "fr") for suffix in (".csv", ".wav")}
    assert (report.stale, report.removed, set(report.first_stale)) == (4, 0, gone)
    assert gone < set(tree(out))
    # They are remembered until they are gone; what someone has replaced meanwhile is left alone.
    (out / "fr/Lady/a.wav").write_bytes(b"a real recording")
    asked = ExportOptions(removes_stale=True)
    report = export(
        fill_store(tmp_path / "store", fewer, 3), out, ["wav", "livelink"], options=asked
    )
    assert (report.written, report.removed, report.stale) == (0, 3, 1)
    assert gone & set(tree(out)) == {"fr/Lady/a.wav"}
    assert not (out / "en/Lady").exists()
    assert [file["path"] for file in delivery(out)["stale"]] == ["fr/Lady/a.wav"]
    (out / "fr/Lady/a.wav").unlink()
    assert export(fill_store(tmp_path / "store", fewer, 4), out, ["wav", "livelink"]).stale == 0


def test_changes_since_a_delivery_go_to_a_folder_of_their_own(tmp_path: Path):
    base, patch = tmp_path / "base", tmp_path / "patch"
    formats = ["wav", "livelink", "wwise", "fmod"]
    export(fill_store(tmp_path / "store", LINES), base, formats)
    # One line has another text, one is new, one is gone.
    now = [Line("b", "The other line."), LINES[1], LINES[3], Line("d", "New.")]
    store = fill_store(tmp_path / "store", now, 2)
    report = export(store, patch, formats, options=ExportOptions(since=base))
    assert (report.lines, report.written) == (4, 2)
    assert {path for path in tree(patch) if path.endswith((".wav", ".csv"))} == {
        "en/Pip/b.wav", "en/Pip/b.csv", "en/Pip/d.wav", "en/Pip/d.csv",
    }  # fmt: skip
    # Wwise gets the new ones; FMOD reads its keys as a whole.
    assert [row["Object Path"].split("\\")[-1] for row in wwise_rows(patch / "wwise_en.tsv")] == [
        "b", "d",
    ]  # fmt: skip
    assert len((patch / "en/keys.txt").read_text().splitlines()) == 4
    found = delivery(patch)
    assert found["since"] == hashlib.sha256((base / "delivery.json").read_bytes()).hexdigest()
    assert {file["path"] for file in found["stale"]} >= {"fr/Lady/a.wav", "fr/Lady/a.csv"}

    # The patch laid over the base is the whole delivery.
    for path, data in tree(patch).items():
        (base / path).write_bytes(data)
    whole = tmp_path / "whole"
    export(fill_store(tmp_path / "other", now), whole, formats)
    assert delivery(base)["lines"] == delivery(whole)["lines"]
    assert all(tree(base)[path] == data for path, data in tree(whole).items() if "/" in path)


def test_changes_are_told_by_bytes_where_settings_differ(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    base, patch = tmp_path / "base", tmp_path / "patch"
    export(store, base, ["wav"], "{language}/{line_id}")
    text = (base / "delivery.json").read_text()
    (base / "delivery.json").write_text(re.sub('"unitaf": "[^"]*"', '"unitaf": "0.0.1"', text))
    options = ExportOptions(since=base / "delivery.json")
    assert export(store, patch, ["wav"], "{language}/{line_id}", options).written == 0
    assert set(tree(patch)) == {"delivery.json"}
    assert export(store, tmp_path / "new", ["wav"], "{line_id}_{language}", options).written == 4


def wwise_rows(path: Path) -> list[dict[str, str]]:
    return list(
        csv.DictReader(path.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    )


def test_wwise_finds_every_file_of_a_language(tmp_path: Path):
    out = tmp_path / "out"
    options = ExportOptions(object_path=r"\Actor-Mixer Hierarchy\VO\{speaker}\{line_id}")
    export(
        fill_store(tmp_path / "store", LINES), out, ["wav", "wwise", "wsources"], options=options
    )
    rows = wwise_rows(out / "wwise_en.tsv")
    assert [row["Object Path"] for row in rows] == [
        r"\Actor-Mixer Hierarchy\VO\Pip\b",
        r"\Actor-Mixer Hierarchy\VO\Lady\a",
        r"\Actor-Mixer Hierarchy\VO\Zoe\c",
    ]
    assert {row["Object Type"] for row in rows} == {"Sound Voice"}
    for row in rows:
        assert (out / row["Audio File"].replace("\\", "/")).is_file()
    (french,) = wwise_rows(out / "wwise_fr.tsv")
    assert french["Object Path"] == rows[1]["Object Path"]

    sources = ElementTree.parse(out / "wwise_en.wsources").getroot()
    assert (sources.tag, sources.get("SchemaVersion")) == ("ExternalSourcesList", "1")
    root = Path(sources.get("Root"))
    paths = [source.get("Path").replace("\\", "/") for source in sources]
    assert [root / path for path in paths] == [
        out / f"en/{p}.wav" for p in ("Pip/b", "Lady/a", "Zoe/c")
    ]
    tables = delivery(out)["tables"]
    assert {table["path"] for table in tables} == {
        f"wwise_{tag}.{kind}" for tag in ("en", "fr") for kind in ("tsv", "wsources")
    }


def test_fmod_has_a_table_of_keys_a_language(tmp_path: Path):
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["ogg", "fmod"])
    for language in ("en", "fr"):
        keys = dict(
            line.split(",") for line in (out / language / "keys.txt").read_text().splitlines()
        )
        assert set(keys) == {line.id for line in LINES if line.language == language}
        assert all((out / language / path).is_file() for path in keys.values())
    bad = fill_store(tmp_path / "bad", [Line("a,b")])
    with pytest.raises(ConfigError, match=r"line 'a,b' .*cannot hold a comma"):
        export(bad, tmp_path / "bad_out", ["ogg", "fmod"])
    assert not (tmp_path / "bad_out").exists()


def test_the_user_s_head_is_in_glb_and_usd(tmp_path: Path):
    points = np.eye(3)
    deltas = np.tile(points, (52, 1, 1)) * 0.01
    rig = tmp_path / "rig.npz"
    np.savez(rig, neutral=points, deltas=deltas, names=BLENDSHAPES, triangles=[[0, 1, 2]])
    store = fill_store(tmp_path / "store", LINES[:1])
    out = tmp_path / "out"
    export(store, out, ["glb", "usd"], options=ExportOptions(rig=rig))
    scene = trimesh.load_scene(io.BytesIO((out / "en/Pip/b.glb").read_bytes()), file_type="glb")
    (mesh,) = scene.geometry.values()
    assert len(mesh.vertices) == 3
    assert len((out / "head.usdc").read_bytes()) < 30_000
    # Another rig is another delivery.
    np.savez(rig, neutral=points * 2, deltas=deltas, names=BLENDSHAPES, triangles=[[0, 1, 2]])
    assert export(store, out, ["glb", "usd"], options=ExportOptions(rig=rig)).written == 1


@pytest.mark.parametrize(
    ("formats", "template", "options", "problem"),
    [
        (["mp7"], "{line_id}", ExportOptions(), "unknown format mp7; choose from curves_csv"),
        ([], "{line_id}", ExportOptions(), "no format is named"),
        (["wwise"], "{line_id}", ExportOptions(), "wwise names audio files: put wav first"),
        (["ogg", "wav", "wwise"], "{line_id}", ExportOptions(), "put wav first"),
        (["wav", "fmod"], "{line_id}", ExportOptions(), "fmod needs a folder for each language"),
        (["wav"], "{line_id}", ExportOptions(sample_rate=100), "--rate must be from 8000"),
        (["opus"], "{line_id}{language}", ExportOptions(sample_rate=44100), "not 44100; say one"),
        (["wav"], "{line_id}", ExportOptions(), "would both be called 'a'"),
        (["wav"], "{speaker}{language}", ExportOptions(rig=Path("x")), "rig x is for glb and usd"),
        (["wav"], "{nope}", ExportOptions(), "there is no column nope"),
        (["wav"], "{line_id}", ExportOptions(since=Path("gone")), "there is no delivery gone"),
    ],
)
def test_what_cannot_be_written_is_one_sentence_before_anything_is(
    formats: list[str], template: str, options: ExportOptions, problem: str, tmp_path: Path
):
    if options.since:
        template = "{language}{line_id}"
    store = fill_store(tmp_path / "store", LINES)
    with pytest.raises(ConfigError, match=problem):
        export(store, tmp_path / "out", formats, template, options)
    assert not (tmp_path / "out").exists()


def test_a_patch_cannot_go_onto_its_base(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    export(store, tmp_path / "out", ["wav"])
    with pytest.raises(ConfigError, match="is the delivery that changes are told from"):
        export(store, tmp_path / "out", ["wav"], options=ExportOptions(since=tmp_path / "out"))


def test_a_line_cannot_take_a_file_that_all_share(tmp_path: Path):
    store = fill_store(tmp_path / "store", [Line("head"), Line("x")])
    with pytest.raises(ConfigError, match=r"head\.usdc would be a file of both"):
        export(store, tmp_path / "out", ["usd"], "{line_id}")


def test_no_delivery_json_leads_out_of_its_folder(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    export(store, tmp_path / "out", ["wav"])
    path = tmp_path / "out/delivery.json"
    path.write_text(path.read_text().replace("fr/Lady/a.wav", "../store/a.wav"))
    with pytest.raises(ConfigError, match="leads out of the delivery"):
        export(store, tmp_path / "out", ["wav"], options=ExportOptions(removes_stale=True))


@pytest.mark.parametrize("text", ["", "{}\n", "nonsense\n", '{"version": 2,\n'])
def test_a_damaged_delivery_json_is_named(text: str, tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/delivery.json").write_text(text)
    with pytest.raises(ConfigError, match=r"delivery\.json is not as 'unitaf export' wrote it"):
        export(store, tmp_path / "out", ["wav"])


def test_an_export_that_failed_goes_on_where_it_was(tmp_path: Path):
    store = fill_store(tmp_path / "store", LINES)
    out = tmp_path / "out"
    in_the_way = out / "en/Zoe/c.wav"
    in_the_way.mkdir(parents=True)
    with pytest.raises(StorageError, match="it is a folder"):
        export(store, out, ["wav"])
    assert not (out / "delivery.json").exists()
    in_the_way.rmdir()
    report = export(store, out, ["wav"])
    assert 1 <= report.written < 4
    export(store, tmp_path / "whole", ["wav"])
    assert tree(out) == tree(tmp_path / "whole")


def test_an_export_killed_at_any_file_ends_with_the_same_files(tmp_path: Path):
    store = tmp_path / "store"
    lines = [LINES[0], LINES[2]]
    export(fill_store(store, lines), tmp_path / "whole", ["wav", "livelink", "wwise"])
    killer = Path(__file__).with_name("export_killer.py")
    command = [sys.executable, str(killer), str(store), str(tmp_path / "killed")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    written = [int(row) for row in done.stdout.split()]
    # Four files, two tables and delivery.json; then one that was not killed.
    assert len(written) == 4 + 2 + 1 + 1
    assert written == sorted(written, reverse=True)
    assert (written[0], written[-1]) == (2, 0)
    whole = tree(tmp_path / "whole")
    for folder in (tmp_path / "killed").iterdir():
        assert tree(folder) == whole


def test_a_line_that_went_back_is_written_back(tmp_path: Path):
    """Killed after a change, undone in the script: the files are of the first take again."""
    out = tmp_path / "out"
    export(fill_store(tmp_path / "store", LINES), out, ["wav"])
    first = tree(out)
    changed = [Line("b", "Another."), *LINES[1:]]
    (out / "en/Lady/a.wav").unlink()
    (out / "en/Lady/a.wav").mkdir()
    with pytest.raises(StorageError):
        export(fill_store(tmp_path / "store", changed, 2), out, ["wav"])
    (out / "en/Lady/a.wav").rmdir()
    export(fill_store(tmp_path / "store", LINES, 3), out, ["wav"])
    assert tree(out) == first
