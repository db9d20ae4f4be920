"""``unitaf export`` and ``unitaf audit`` as they are typed."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.pipelines.delivered import Line, fill_store
from unitaf.cli import main

LINES = [Line("a", "A handbag?"), Line("a", "Un sac ?", "fr"), Line("b", "Another.")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [f"{line.id},{line.language},{line.speaker},{line.text}" for line in LINES]
    (tmp_path / "s.csv").write_text("\n".join(["line_id,language,speaker,text", *rows]))
    fill_store(tmp_path / "store", LINES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, command: str) -> int:
    monkeypatch.setattr(sys, "argv", ["unitaf", *command.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_delivery_is_made_kept_and_checked(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    export = "export store out --format wav,srt,wwise --rate 48000 --object-path \\VO\\{line_id}"
    assert run(monkeypatch, export) == 0
    assert re.match(r"3 lines, 8 files, .* in out\n", capsys.readouterr().out)
    assert (place / "out/wwise_fr.tsv").read_text().splitlines()[1].split("\t")[1] == "\\VO\\a"
    assert run(monkeypatch, export) == 0
    assert capsys.readouterr().out.startswith("3 lines, 3 unchanged, 2 files, ")
    assert run(monkeypatch, "audit out s.csv") == 0
    assert capsys.readouterr().out.splitlines() == [
        "8 files read, 0 findings",
        "language  lines  not translated  delivered  missing",
        "      en      2               0          2        0",
        "      fr      1               1          1        0",
    ]


def test_what_is_left_is_told_and_removed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "export store out") == 0
    fill_store(place / "store", LINES[:2], 2)
    capsys.readouterr()
    assert run(monkeypatch, "export store out") == 0
    told = capsys.readouterr().err
    assert (
        "2 files of an earlier delivery are of no line any more: en/Pip/b.csv, en/Pip/b.wav;"
        in told
    )
    assert run(monkeypatch, "export store out --remove") == 0
    assert "2 files of an earlier delivery removed" in capsys.readouterr().out
    assert not (place / "out/en/Pip/b.wav").exists()
    assert run(monkeypatch, "export store patch --changed-since out") == 0
    assert [path.name for path in (place / "patch").iterdir()] == ["delivery.json"]


def test_findings_end_with_exit_code_1(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "export store out") == 0
    capsys.readouterr()
    assert run(monkeypatch, "audit out s.csv --json") == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    (place / "out/en/Pip/a.wav").unlink()
    assert run(monkeypatch, "audit out s.csv") == 1
    shown = capsys.readouterr()
    assert shown.err == "unitaf: 1 finding in out\n"
    assert "files read, 1 finding\n" in shown.out
    (place / "out/x.txt").write_text("x")
    assert run(monkeypatch, "audit out s.csv") == 1
    shown = capsys.readouterr()
    assert "missing: en/a, en/Pip/a.wav: the file is not there\n" in shown.out
    assert "orphan: x.txt: the file is of no line\n" in shown.out
    assert shown.err == "unitaf: 2 findings in out\n"
    assert run(monkeypatch, "audit out s.csv --json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["counts"] == {"orphan": 1, "missing": 1}
    assert document["findings"][1]["path"] == "en/Pip/a.wav"
    assert [row["language"] for row in document["coverage"]] == ["en", "fr"]


def test_a_script_is_read_as_the_job_says(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "export store out") == 0
    (place / "german.csv").write_text("line_id,speaker,text\na,Pip,A handbag?\n")
    assert run(monkeypatch, "audit out german.csv --set script.language=de --json") == 1
    found = json.loads(capsys.readouterr().out.partition("in out\n")[2])
    assert found["counts"] == {"orphan": 3, "missing": 1}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("audit nowhere s.csv", "there is no delivery nowhere/delivery.json"),
        ("audit . gone.csv", "there is no delivery delivery.json"),
        ("export store out --changed-since gone", "there is no delivery gone"),
        ("export store out --format wav,fmod --name {line_id}", "begin --name with {language}/"),
        ("export store out --rig gone.glb", "the rig gone.glb is for glb and usd"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_exit_2(
    command: str,
    message: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert run(monkeypatch, command) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (place / "out").exists()
