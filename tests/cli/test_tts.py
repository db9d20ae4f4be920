"""``unitaf tts`` as a user types it."""

import sys
from pathlib import Path

import pytest
import torch

from tests.tts.indextts2.published import write_model
from unitaf.cli import main
from unitaf.tts.indextts2.files import EMOTION_READER


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def check(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["unitaf", "tts", "check", "indextts2", *map(str, words)])
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_whole_model_is_good(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch, model, "--keys") == 0
    told = capsys.readouterr().out
    rows = [row.replace("│", " ").split() for row in told.splitlines()]
    assert ["gpt.pth", "8.0", "MB", "182", "of", "182", "good"] in rows
    assert ["qwen0.6bemo4-merge/model.safetensors", "optional"] in rows
    assert ["gpt.pth", "mel_head.weight", "50", "x", "32", "50", "x", "32"] in rows
    assert "CC BY-NC 4.0" in told
    assert "bilibili Model Use License Agreement" in told


def test_what_is_not_used_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = torch.load(model / "gpt.pth", weights_only=True)
    weights["model"] |= {"critic.weight": torch.zeros(3, 5), "critic.bias": torch.zeros(3)}
    torch.save(weights, model / "gpt.pth")
    assert check(monkeypatch, model, "--keys") == 0
    told = capsys.readouterr().out
    assert "gpt.pth: not used: critic.weight and 1 more; --keys lists all" in told
    rows = [row.replace("│", " ").split() for row in told.splitlines()]
    assert ["gpt.pth", "8.0", "MB", "182", "of", "182", "good"] in rows
    assert ["gpt.pth", "critic.weight", "not", "used", "3", "x", "5"] in rows


def test_all_that_is_wrong_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "semantic_codec/model.safetensors").unlink()
    torch.save(torch.zeros(73, 5), model / "feat1.pt")
    data = (model / "s2mel.pth").read_bytes()
    (model / "s2mel.pth").write_bytes(data[:1000])
    (model / "bpe.model").write_bytes(b"no model")
    (model / "glossary.yaml").write_text("9: nine")
    assert check(monkeypatch, model) == 2
    out, err = capsys.readouterr()
    assert "semantic_codec/model.safetensors is missing: it comes from huggingface.co/amp" in out
    assert "feat1.pt: tensor has shape [73, 5] instead of [73, 192]" in out
    assert "s2mel.pth was refused" in out
    assert "bpe.model: not a SentencePiece model" in out
    assert "write the term 9 in quotes" in out
    assert "for want of s2mel.pth, bpe.model, feat1.pt, semantic_codec/model.safet" in err
    assert ", glossary.yaml" in err


def test_without_sizes_nothing_is_compared(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "config.yaml").write_text("version: 1.5")
    assert check(monkeypatch, model) == 2
    out = capsys.readouterr().out
    assert "config.yaml: " in out
    assert "says version 1.5: only 2.0 is known" in out
    assert "gpt.pth: not compared" in out


def test_every_configuration_that_is_wrong_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "w2v-bert-2.0/config.json").write_text("{")
    (model / "bigvgan_v2_22khz_80band_256x/config.json").write_text('{"num_mels": 80}')
    assert check(monkeypatch, model) == 2
    out, err = capsys.readouterr()
    assert "w2v-bert-2.0/config.json cannot be read" in out
    assert "bigvgan_v2_22khz_80band_256x/config.json lacks a published setting" in out
    assert "for want of config.yaml" not in err
    assert "w2v-bert-2.0/config.json" in err


def test_an_emotion_model_that_cannot_be_loaded_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in EMOTION_READER:
        (model / file.name).parent.mkdir(exist_ok=True)
        (model / file.name).write_text("{}")
    assert check(monkeypatch, model) == 2
    out, err = capsys.readouterr()
    assert "qwen0.6bemo4-merge holds no language model" in out
    assert "for want of qwen0.6bemo4-merge/model.safetensors\n" in err


def test_a_folder_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch, tmp_path / "nowhere") == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
