from pathlib import Path

import pytest
import yaml

from unitaf.config import (
    GenerateConfig,
    check_config,
    dump_config,
    load_config,
    load_train_config,
)
from unitaf.errors import ConfigError

ROOT = Path(__file__).parents[1]


def test_overrides_win_over_the_file(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_text("output: {fps: 24}\ntts: {kind: stub}\n")
    config = load_config(file, ["output.fps=29.97", "run.num_actors=3"])
    assert (config.output.fps, config.tts.kind, config.run.num_actors) == (29.97, "stub", 3)


def test_a_dumped_job_is_read_back(tmp_path: Path):
    config = load_config(None, ["tts.speed=1.25", "face.strength=0.5"])
    (tmp_path / "job.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "job.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("output.fp=30", "there is no setting 'output.fp'"),
        ("output.fps=fast", "output.fps: input should be a valid number.*'fast'"),
        ("output.fps=0", "output.fps: input should be greater than 0, not 0"),
        ("tts.kind=parrot", "tts: .*'hibari', 'kokoro', 'espeak', 'stub'"),
        ("output", "key=value"),
        ("output.fps.x=1", "not a group"),
        ("tts.speed={", "cannot read the value"),
        ("tts.speed=9", "tts.speed: input should be less than or equal to 2, not 9"),
        ("tts.voce=heart", "there is no setting 'tts.voce'"),
    ],
)
def test_wrong_settings_are_one_sentence(override: str, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(None, ["output.fps=30", override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not valid YAML"), ("- 1", "must hold settings"), ("fps: 3", "no setting 'fps'")],
)
def test_wrong_files_are_one_sentence(text: str, message: str, tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"cannot read the config .*missing.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_the_example_job_holds_every_setting_with_its_default():
    values = yaml.safe_load((ROOT / "ray_jobs" / "generate.yaml").read_text())
    config = check_config(values, "generate.yaml")
    example = config.model_dump(exclude={"store": True, "script": {"path", "name"}})
    assert example == GenerateConfig().model_dump(
        exclude={"store": True, "script": {"path", "name"}}
    )
    for group, settings in GenerateConfig().model_dump().items():
        if isinstance(settings, dict):
            assert set(values[group]) == set(settings)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        load_config(None).output.fps = 30


def test_the_training_job_in_the_repository_is_the_default():
    file = ROOT / "ray_jobs" / "train.yaml"
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(dump_config(load_train_config(file)))
    default = load_train_config(
        None, ["corpus=s3://my-bucket/corpus", "out=s3://my-bucket/face-model"]
    )
    assert load_train_config(file) == default


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages=[]", "stages: tuple should have at least 1 item"),
        ("workers.sharding=fsdp", "needs use_gpu"),
        (
            "stages=[{name: a, trains: [expression], losses: {coefficient: 1}, steps: 1}]",
            "'expression' learns from the loss 'residual'",
        ),
        (
            "stages=[{name: a, reads: encoder, trains: [head], losses: {features: 1}, steps: 1}]",
            "so it reads the engine",
        ),
        (
            "stages=[{name: a, reads: encoder, trains: [adapter], losses: {vertex: 1}, steps: 1}]",
            "no loss of the stage reaches 'adapter'",
        ),
        (
            "stages=[{name: a, trains: [adapter, head], losses: {features: 1}, steps: 1}]",
            "no loss of the stage reaches 'head'",
        ),
    ],
)
def test_a_training_that_cannot_be_is_one_sentence(override: str, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        load_train_config(None, ["corpus=a", "out=b", override])
    assert "\n" not in str(caught.value)
