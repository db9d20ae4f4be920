"""Audits: a clean delivery is clean, and every fault has its name."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pipelines.delivered import Line, fill_store, tree
from unitaf.audio import encode_audio
from unitaf.errors import ConfigError
from unitaf.export import FORMATS
from unitaf.pipelines.audit import AuditReport, Coverage, Finding, audit
from unitaf.pipelines.export import export
from unitaf.pipelines.export_plan import ExportOptions

LINES = [
    Line("a", "A handbag?", speaker="Lady"),
    Line("a", "Un sac ?", "fr", "Lady"),
    Line("b", "The second line."),
]
SOUND = ["flac", "ogg", "opus", "wav"]
FACE = ["curves_csv", "curves_json", "glb", "json", "livelink", "npz", "parquet"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a store, its script and its delivery."""
    write_script(tmp_path, LINES)
    export(fill_store(tmp_path / "store", LINES), tmp_path / "out", ["wav", "livelink"])
    return tmp_path


def write_script(place: Path, lines: list[Line]) -> None:
    rows = [f'{line.id},{line.language},{line.speaker},"{line.text}"' for line in lines]
    (place / "s.csv").write_text("\n".join(["line_id,language,speaker,text", *rows]) + "\n")


def audited(place: Path) -> tuple[list[Finding], AuditReport]:
    found: list[Finding] = []
    before = tree(place / "out")
    report = audit(place / "out", place / "s.csv", found.append)
    assert tree(place / "out") == before
    assert report.counts.total() == len(found)
    return found, report


def told(place: Path) -> set[tuple[str, str, str]]:
    """Kind, line and path of every finding."""
    return {
        (finding.kind, f"{finding.language}/{finding.line_id}", finding.path)
        for finding in audited(place)[0]
    }


def test_every_format_of_a_delivery_is_clean(tmp_path: Path):
    write_script(tmp_path, LINES)
    store = fill_store(tmp_path / "store", LINES)
    formats = [*FORMATS, "wwise", "wsources", "fmod"]
    formats.sort(key=lambda name: name != "wav")
    export(store, tmp_path / "out", formats, options=ExportOptions(sample_rate=48000))
    found, report = audited(tmp_path)
    assert found == []
    # A head for all lines, and three tables for each of two languages.
    assert report.files == len(LINES) * len(FORMATS) + 1 + 6
    assert report.coverage == (Coverage("en", 2, 2, 2), Coverage("fr", 2, 1, 1))


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 11025])
def test_resampling_is_no_wrong_length(rate: int, tmp_path: Path):
    write_script(tmp_path, LINES)
    store = fill_store(tmp_path / "store", LINES)
    export(store, tmp_path / "out", ["wav", "npz"], options=ExportOptions(sample_rate=rate))
    assert audited(tmp_path)[0] == []


def test_a_text_that_is_longer_than_the_script_allows(place: Path):
    rows = (place / "s.csv").read_text().splitlines()
    limits = ["length limit", "9", "8", ""]
    limited = [f"{row},{limit}" for row, limit in zip(rows, limits, strict=True)]
    (place / "s.csv").write_text("\n".join(limited) + "\n")
    [finding] = audited(place)[0]
    assert finding == Finding(
        "too_long", "a", "en", "", "the text has 10 characters; the script allows 9"
    )


def test_lines_that_are_missing_or_too_many(place: Path):
    write_script(place, [*LINES[:2], Line("new", "New."), Line("bad", "...")])
    found, report = audited(place)
    assert {(f.kind, f.line_id) for f in found} == {
        ("missing", "new"), ("missing", "bad"), ("orphan", "b"),
    }  # fmt: skip
    (bad,) = (finding for finding in found if finding.line_id == "bad")
    assert bad.detail.startswith("row 5 of the script cannot be made: the text '...'")
    assert report.coverage == (Coverage("en", 2, 2, 1), Coverage("fr", 2, 1, 1))


def test_lines_that_are_out_of_date(place: Path):
    write_script(
        place,
        [Line("a", "A hand bag?", speaker="Lady"), LINES[1], replace(LINES[2], speaker="Zoe")],
    )
    assert {(f.line_id, f.detail) for f in audited(place)[0]} == {
        ("a", "the text was 'A handbag?' and is 'A hand bag?' now"),
        ("b", "the speaker was 'Pip' and is 'Zoe' now"),
    }


def test_files_that_are_missing_misnamed_or_of_no_line(place: Path):
    out = place / "out"
    (out / "en/Pip/b.csv").unlink()
    (out / "fr/Lady/a.wav").rename(out / "fr/Lady/A (1).wav")
    (out / "notes.txt").write_text("mine")
    (out / ".hidden").write_text("not looked at")
    assert told(place) == {
        ("missing", "en/b", "en/Pip/b.csv"),
        ("wrong_name", "fr/a", "fr/Lady/A (1).wav"),
        ("orphan", "/", "notes.txt"),
    }


def test_files_of_an_earlier_delivery_are_of_no_line(place: Path):
    export(fill_store(place / "store", LINES[:2], 2), place / "out", ["wav", "livelink"])
    write_script(place, LINES[:2])
    found, _ = audited(place)
    assert {(f.kind, f.path, f.detail) for f in found} == {
        ("orphan", f"en/Pip/b{suffix}", "of an earlier delivery") for suffix in (".csv", ".wav")
    }


def test_a_silent_file_is_found_though_its_length_is_right(place: Path):
    samples = LINES[2].take.speech.num_samples
    quiet = np.full(samples, 9e-4, np.float32)
    (place / "out/en/Pip/b.wav").write_bytes(encode_audio(quiet, 24000, "wav"))
    path = "en/Pip/b.wav"
    assert told(place) == {("wrong_hash", "en/b", path), ("silent", "en/b", path)}


def test_a_recording_that_does_not_fit_the_face(place: Path):
    sound = LINES[2].take.speech.waveform
    (place / "out/en/Pip/b.wav").write_bytes(encode_audio(np.tile(sound, 2), 24000, "wav"))
    details = [f.detail for f in audited(place)[0] if f.kind == "wrong_length"]
    assert len(details) == 2
    assert f"{2 * len(sound)} samples at 24000 Hz, not {len(sound)}" in details[0]
    assert details[1].endswith("frames of curves at 30 fps")


@pytest.mark.parametrize("name", [*SOUND, *FACE])
def test_another_line_s_file_is_the_wrong_length(name: str, tmp_path: Path):
    lines = [Line("short", "Yes."), Line("long", "It is a truth universally acknowledged.")]
    write_script(tmp_path, lines)
    export(fill_store(tmp_path / "store", lines), tmp_path / "out", [name], "{line_id}")
    short, long = sorted((tmp_path / "out").glob("[!d]*"), key=lambda path: -len(path.name))
    shutil.copy(long, short)
    kinds = {finding.kind for finding in audited(tmp_path)[0]}
    assert kinds == {"wrong_hash", "wrong_length"}


@pytest.mark.parametrize("name", [*SOUND, "glb", "json", "npz", "parquet", "curves_json"])
def test_a_broken_file_is_unreadable(name: str, tmp_path: Path):
    write_script(tmp_path, LINES[:1])
    export(fill_store(tmp_path / "store", LINES[:1]), tmp_path / "out", [name], "{line_id}")
    (broken,) = (tmp_path / "out").glob("a.*")
    broken.write_bytes(broken.read_bytes()[:20])
    assert {finding.kind for finding in audited(tmp_path)[0]} == {"wrong_hash", "unreadable"}


def test_another_tool_s_file_of_the_same_sound_has_another_hash(place: Path):
    path = place / "out/en/Pip/b.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAVEX", subtype="PCM_16")
    path.write_bytes(file.getvalue())
    assert told(place) == {("wrong_hash", "en/b", "en/Pip/b.wav")}


def test_what_is_no_delivery_or_no_script_is_one_sentence(place: Path):
    with pytest.raises(ConfigError, match="there is no script"):
        audit(place / "out", place / "gone.csv", print)
    with pytest.raises(ConfigError, match=r"there is no delivery .*'unitaf export' writes one"):
        audit(place / "store", place / "s.csv", print)
    text = (place / "out/delivery.json").read_text()
    for broken in (text.replace('"lines"', '"line"'), text[: len(text) // 2]):
        (place / "out/delivery.json").write_text(broken)
        with pytest.raises(ConfigError, match="is not as 'unitaf export' wrote it"):
            audit(place / "out", place / "s.csv", print)


def test_delivery_json_can_be_read_by_anyone(place: Path):
    document = json.loads((place / "out/delivery.json").read_text())
    assert len(document["lines"]) == len(LINES)
    assert document["stale"] == []
