"""`unitaf serve export` writes what a server needs, and overwrites nothing of anybody's."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from unitaf.build import speakers_of
from unitaf.config import GenerateConfig, load_config
from unitaf.errors import ConfigError
from unitaf.face.visemes import VisemeAnimator
from unitaf.serving.repository import export_repository
from unitaf.triton.descriptions import read_face, read_speech
from unitaf.tts.stub import StubSpeech

NAMES = ["unitaf_face", "unitaf_take", "unitaf_tts"]


def job(*overrides: str) -> GenerateConfig:
    return load_config(None, ["tts.kind=stub", "face.kind=visemes", *overrides])


def read_config(repository: Path, model: str) -> ModelConfig:
    return text_format.Parse((repository / model / "config.pbtxt").read_text(), ModelConfig())


def as_client_sees(config: ModelConfig) -> dict[str, object]:
    values = {name: {"string_value": each.string_value} for name, each in config.parameters.items()}
    return {"parameters": values}


def test_three_models_are_written_as_triton_lays_them_out(tmp_path: Path):
    models = export_repository(tmp_path / "repository", job())
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    parts = ("config.pbtxt", "1/model.py", "1/job.yaml")
    assert files == {f"repository/{name}/{part}" for name in NAMES for part in parts}
    assert sorted(model.name for model in models) == NAMES
    for name in NAMES:
        assert read_config(tmp_path / "repository", name).name == name


def test_the_job_is_the_one_that_was_given(tmp_path: Path):
    config = job("output.fps=29.97", "script.path=secret.csv", "store=s3://bucket/takes")
    export_repository(tmp_path, config)
    written = load_config(tmp_path / "unitaf_tts" / "1" / "job.yaml")
    assert (written.tts, written.face, written.output) == (config.tts, config.face, config.output)
    assert (written.script.path, written.store) == (None, None)


def test_clients_find_the_engine_and_the_face_in_the_configuration(tmp_path: Path):
    export_repository(tmp_path, job())
    speech = read_speech(as_client_sees(read_config(tmp_path, "unitaf_tts")), "m")
    face = read_face(as_client_sees(read_config(tmp_path, "unitaf_face")), "m")
    assert speech.fingerprint == StubSpeech().fingerprint
    assert face.fingerprint == VisemeAnimator().fingerprint


def test_speakers_with_voices_of_their_own_are_told_apart():
    voices = "{Ann: {reference: ann.wav}, '*': {reference: all.wav}}"
    config = load_config(None, ["tts.kind=indextts2", "tts.path=x", f"tts.voices={voices}"])
    assert speakers_of(config.tts) == ("Ann",)
    assert speakers_of(job().tts) == ()


@pytest.mark.parametrize(("kind", "size"), [("stub", 256), ("hibari", 1)])
def test_batches_are_as_large_as_the_engine_takes_them(tmp_path: Path, kind: str, size: int):
    export_repository(tmp_path, job(f"tts.kind={kind}", "run.num_actors=2"))
    config = read_config(tmp_path, "unitaf_tts")
    assert config.max_batch_size == size
    assert config.HasField("dynamic_batching") == (size > 1)
    assert config.instance_group[0].count == 2


def test_takes_are_streamed_and_the_others_are_not(tmp_path: Path):
    export_repository(tmp_path, job())
    decoupled = {
        name: read_config(tmp_path, name).model_transaction_policy.decoupled for name in NAMES
    }
    assert decoupled == {"unitaf_face": False, "unitaf_take": True, "unitaf_tts": False}


def test_a_repository_of_ours_is_replaced(tmp_path: Path):
    export_repository(tmp_path, job())
    export_repository(tmp_path, job("output.fps=24"))
    assert load_config(tmp_path / "unitaf_face" / "1" / "job.yaml").output.fps == 24


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match=r"holds 'thesis.txt'.*name an empty folder"):
        export_repository(tmp_path, job())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "repository").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        export_repository(tmp_path / "repository", job())


def test_a_job_with_a_cast_is_refused(tmp_path: Path):
    config = job("cast={speakers: {Ann: {style: lively}}}")
    with pytest.raises(ConfigError, match="a server has one engine"):
        export_repository(tmp_path / "repository", config)
    assert not (tmp_path / "repository").exists()
