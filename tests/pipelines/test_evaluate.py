import json
from pathlib import Path

import pytest
import torch

from tests.pipelines.tiny_training import DESCRIBED, write_corpus
from unitaf.checkpoint.face_model import build_face_model, write_face_model
from unitaf.config import EvaluateConfig, StubConfig
from unitaf.errors import ConfigError
from unitaf.pipelines.evaluate import evaluate
from unitaf.storage import open_storage

STUB = EvaluateConfig(tts=StubConfig(kind="stub"), split="val")


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    torch.manual_seed(0)
    model = build_face_model(DESCRIBED)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    write_face_model(open_storage(str(tmp_path)), "model", DESCRIBED, model.state_dict())
    return str(tmp_path / "model")


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    write_corpus(str(tmp_path / "corpus"))
    return str(tmp_path / "corpus")


def test_every_predictor_is_measured_on_every_held_out_clip(checkpoint: str, corpus: str) -> None:
    config = STUB.model_copy(update={"cascade": checkpoint, "others": {"twin": checkpoint}})
    found = evaluate(checkpoint, corpus, config)
    assert found.clips == 6
    assert list(found.scores) == ["model", "twin", "cascade", "visemes", "mean"]
    assert found.scores["model"] == found.scores["twin"] != found.scores["cascade"]
    still = found.scores["mean"]
    assert (still.largest_step, still.openness_ratio, still.sync_offset_ms) == (0.0, 0.0, None)
    assert still.jitter_ratio == pytest.approx(0.0, abs=1e-9)
    assert still.upper_face_dynamics_deviation_mm2 >= 0.0
    moving = found.scores["model"]
    assert moving.jitter_ratio > 0.0
    assert moving.lip_vertex_error_mm2 > still.lip_vertex_error_mm2
    assert moving.bilabial_closure is not None
    assert json.loads(found.to_json())["scores"]["mean"]["largest_step"] == 0.0
    openings = found.mouth_openings_mm
    assert list(openings) == ["recordings", *found.scores]
    assert all(values == sorted(values) and len(values) == 101 for values in openings.values())
    assert openings["mean"][0] == openings["mean"][100] < openings["recordings"][100]


def test_lateness_is_told_of_clips_of_more_than_a_second(checkpoint: str, tmp_path: Path) -> None:
    write_corpus(str(tmp_path / "long"), seconds=1.5)
    found = evaluate(checkpoint, str(tmp_path / "long"), STUB).scores
    for name in ("model", "visemes"):
        offset, apart = found[name].sync_offset_ms, found[name].temporal_misalignment_ms
        assert offset is not None
        assert apart is not None
        assert abs(offset) <= 250.0
        assert 0.0 < apart <= 250.0
    assert found["mean"].sync_offset_ms is found["mean"].temporal_misalignment_ms is None


def test_the_split_and_the_number_of_clips_are_the_users(checkpoint: str, corpus: str) -> None:
    few = STUB.model_copy(update={"split": "train", "max_clips": 2})
    told: list[tuple[int, int]] = []
    assert evaluate(checkpoint, corpus, few, lambda *done: told.append(done)).clips == 2
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(ConfigError, match="no clip with features in the split test"):
        evaluate(checkpoint, corpus, STUB.model_copy(update={"split": "test"}))


def test_every_clip_may_be_measured_in_its_speakers_style(checkpoint: str, corpus: str) -> None:
    styles = ("ann", "ben", "own")
    few = STUB.model_copy(update={"split": "train", "max_clips": 6, "cascade": checkpoint})
    found = {
        style: evaluate(checkpoint, corpus, few.model_copy(update={"style": style})).scores
        for style in (*styles, "pivot")
    }
    for predictor in ("model", "cascade"):
        assert len({scores[predictor].lip_vertex_error_mm2 for scores in found.values()}) == 4


def test_a_model_of_other_features_is_refused(tmp_path: Path, corpus: str) -> None:
    features = DESCRIBED.features.model_copy(update={"rate": 50.0})
    described = DESCRIBED.model_copy(update={"features": features})
    state = build_face_model(described).state_dict()
    write_face_model(open_storage(str(tmp_path)), "other", described, state)
    with pytest.raises(
        ConfigError,
        match=r"reads features of engine/1, 32 at 50 Hz, but the corpus has engine/1, 32 at 80",
    ):
        evaluate(str(tmp_path / "other"), corpus, STUB)
