"""From a corpus to a model that sounds more like it, by the command."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from tests.data.corpora import lay_down
from tests.tts.indextts2.published import write_model
from unitaf.build import build_tts
from unitaf.cli import main
from unitaf.config import load_adapt_config
from unitaf.errors import ConfigError
from unitaf.types import Utterance


@pytest.fixture
def job(tmp_path: Path) -> Path:
    sound = 0.1 * np.random.default_rng(0).standard_normal(24000)
    soundfile.write(tmp_path / "voice.wav", sound, 24000)
    tts = {
        "kind": "indextts2",
        "path": str(write_model(tmp_path / "model")),
        "voices": {"*": {"reference": str(tmp_path / "voice.wav")}},
        "licence_accepted": True,
        "flow_steps": 1,
    }
    lay_down(tmp_path / "corpus", [1.0] * 5)
    values = {"corpus": str(tmp_path / "corpus"), "out": str(tmp_path / "taught"), "tts": tts}
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(values | {"steps": 20, "rank": 4, "learning_rate": 0.01}))
    return path


def adapt(monkeypatch: pytest.MonkeyPatch, job: Path, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["unitaf", "tts", "adapt", "--config", str(job), *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_corpus_makes_a_model_of_its_own(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt(monkeypatch, job) == 0
    out, err = capsys.readouterr()
    assert "step 20 of 20" in err
    assert "clip clip0: the model cannot read 'Z'" in err  # The tiny tokeniser knows no zero.
    words = out.split()
    before, after = (float(words[words.index("loss") + place]) for place in (1, 3))
    assert words[:2] == ["3", "clips,"]
    assert "on val;" in out
    assert after < before
    config = load_adapt_config(job)
    taught = build_tts(config.tts.model_copy(update={"path": config.out}))
    published = build_tts(config.tts)
    line = Utterance("a", "Who goes there?", seed=1)
    assert taught.fingerprint != published.fingerprint
    assert taught.synthesize([line])[0].features.tobytes() != (
        published.synthesize([line])[0].features.tobytes()
    )

    assert adapt(monkeypatch, job) == 2
    assert "taught exists already: give the name of a new folder" in capsys.readouterr().err


def test_half_precision_is_refused(job: Path) -> None:
    with pytest.raises(ConfigError, match="small steps are lost in bfloat16"):
        load_adapt_config(job, ["tts.precision=bfloat16"])
