"""``unitaf prepare`` as a user types it."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.data.captures import babble, moving, write_csv, write_wav
from unitaf.cli import main
from unitaf.config import PrepareConfig

ROOT = Path(__file__).parents[2]


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["unitaf", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_from_a_folder_to_a_corpus(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ray_cluster: str,
) -> None:
    for name in ("one", "two", "frozen"):
        stem = tmp_path / "captures" / "ann" / name
        write_wav(stem.with_suffix(".wav"), babble(2.0))
        curves = moving(120, 61)
        write_csv(
            stem.with_suffix(".csv"), curves[:1].repeat(120, 0) if name == "frozen" else curves
        )
        stem.with_suffix(".txt").write_text(f"This is take {name}.")
    settings = ["tts.kind=stub", "encoder=null", "transcriber=null", "run.num_actors=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    words = ["prepare", tmp_path / "captures", tmp_path / "corpus", *options]
    assert run(monkeypatch, *words) == 1
    shown = capsys.readouterr()
    assert "1 recordings and clips were refused, more than max_reject_fraction=0.2" in shown.err
    assert "of 3 recordings" in shown.err
    assert re.search(r"clips\W+2 of 1 speakers", shown.out)
    assert re.search(r"causes\W+frozen curves: 1", shown.out)
    assert run(monkeypatch, *words, "--set", "max_reject_fraction=0.5") == 0


def test_the_example_job_holds_every_setting_with_its_default() -> None:
    values = yaml.safe_load((ROOT / "ray_jobs" / "prepare.yaml").read_text())
    job, default = PrepareConfig.model_validate(values), PrepareConfig()
    left_out = {"corpus": True, "source": {"path"}}
    assert job.model_dump(exclude=left_out) == default.model_dump(exclude=left_out)
    for group, settings in default.model_dump().items():
        assert group in values
        if isinstance(settings, dict):
            assert set(values[group]) == set(settings)
