import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch

from tests.pipelines.tiny_training import (
    DESCRIBED,
    SMALL,
    STAGES,
    MadeUpClips,
    TinyEngine,
    tiny_config,
    tiny_measure,
    write_corpus,
)
from unitaf.build import build_face
from unitaf.checkpoint.describe import describe_checkpoint
from unitaf.checkpoint.face_model import build_face_model, load_face_model, write_face_model
from unitaf.config import FaceModelConfig, TrainConfig
from unitaf.errors import BackendError, ConfigError
from unitaf.pipelines.train import fit_on_ray, prepare_training, train
from unitaf.pipelines.training_loop import Point, Training, lone_worker
from unitaf.pipelines.training_progress import TrainProgress
from unitaf.pipelines.training_step import ClipBatch
from unitaf.pipelines.training_worker import Assignment, Board
from unitaf.storage import open_storage

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")


def job(folder: str, corpus: str, **changes: object) -> TrainConfig:
    return tiny_config(
        corpus=corpus,
        out=folder,
        network=SMALL,
        optimiser={"clips": 4, "warmup_steps": 2},
        workers={"num_workers": 2, "cpus_per_worker": 0.5, "max_failures": 1},
        checkpoint_every_s=2.0,
        progress_every_s=0.1,
        **changes,
    )


def test_two_workers_train_every_stage_of_a_corpus(tmp_path: Path, ray_cluster: str) -> None:
    write_corpus(str(tmp_path / "corpus"))
    out = tmp_path / "out"
    stages = (*STAGES[:3], STAGES[3].model_copy(update={"steps": 36}))
    board = str(tmp_path / "board")
    config = job(str(out), str(tmp_path / "corpus"), stages=stages, tensorboard=board)
    told: list[TrainProgress] = []
    report = train(config, told.append)
    for stage in stages:
        points = [point for point in report.points if point.stage == stage.name]
        for name in stage.losses:
            values = [point.losses[name] for point in points]
            assert np.mean(values[-4:]) < np.mean(values[:4]), (stage.name, name)
        assert (out / "checkpoints" / stage.name / "checkpoint.json").is_file()
    assert report.clips == {"train": 18, "val": 6, "test": 0}
    assert told[-1].stage == "done"
    assert told[-1].steps_done == told[-1].steps_total == 72
    lines = (out / "progress.ndjson").read_text().splitlines()
    assert [json.loads(line)["steps_done"] for line in lines] == [p.steps_done for p in told]
    assert all((out / name).stat().st_size > 5000 for name in ("openness.png", "losses.png"))
    assert any((tmp_path / "board").iterdir())
    loaded = load_face_model(report.checkpoint)
    assert loaded.description.styles == ("ann", "ben")
    assert loaded.description.mouth_interval is not None
    assert loaded.description.features.name == "engine/1"
    face = FaceModelConfig(kind="model", checkpoint=report.checkpoint)
    assert build_face(face, TinyEngine()).licence == "CC0"
    assert "stage expression: 36 steps" in describe_checkpoint(Path(report.checkpoint))

    again = train(config)
    assert again == report
    with pytest.raises(ConfigError, match="holds another training"):
        train(config.model_copy(update={"seed": 1}))


class KillingClips(MadeUpClips):
    """Kills the worker before some batches, each once."""

    def __init__(self, markers: Path, *batches: int) -> None:
        super().__init__()
        self._markers, self._batches = markers, batches
        markers.mkdir()

    @property
    def kills(self) -> set[int]:
        return {int(marker.name) for marker in self._markers.iterdir()}

    def shard(self, rank: int, world: int) -> "KillingClips":
        return self

    def batches(self, first: int) -> Iterator[ClipBatch]:
        for index, batch in enumerate(super().batches(first), start=first):
            if index in self._batches and index not in self.kills:
                (self._markers / str(index)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def assert_alike(points: list[Point], expected: list[Point]) -> None:
    """Compare two curves; sums in another order may differ in the last digits."""
    assert [(p.stage, p.step) for p in points] == [(p.stage, p.step) for p in expected]
    for point, other in zip(points, expected, strict=True):
        assert point.losses == pytest.approx(other.losses, rel=1e-4)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_worker_killed_at_random_steps_changes_nothing(
    place: str, tmp_path: Path, s3_store_uri: str, ray_cluster: str
) -> None:
    root = s3_store_uri if place == "s3" else str(tmp_path)
    config = tiny_config(out=f"{root}/out", checkpoint_every_s=0.1, workers={"max_failures": 2})
    batches = random.Random(place).sample(range(1, sum(stage.steps for stage in STAGES)), 2)
    clips = KillingClips(tmp_path / "markers", *batches)
    board = ray.remote(num_cpus=0)(Board).remote()
    out = open_storage(config.out)
    fit_on_ray(Assignment(config, DESCRIBED, tiny_measure(), clips, out, board))
    assert clips.kills == set(batches)

    alone = Training(config, DESCRIBED, tiny_measure(), MadeUpClips(), lone_worker())
    for _ in alone.run():
        pass
    assert_alike(ray.get(board.read.remote())[1], alone.points)
    trained = load_face_model(f"{config.out}/checkpoints/expression").model.state_dict()
    for name, value in alone.weights().items():
        torch.testing.assert_close(trained[name], value, rtol=0.0, atol=1e-6)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("place", ["local", pytest.param("s3", marks=pytest.mark.slow)])
def test_a_killed_driver_changes_nothing(
    place: str, tmp_path: Path, s3_store_uri: str, ray_cluster: str
) -> None:
    root = s3_store_uri if place == "s3" else str(tmp_path)
    write_corpus(f"{root}/corpus", clips=12)
    steps = random.Random(place).randrange(61, 119)
    config = tiny_config(
        corpus=f"{root}/corpus",
        out=f"{root}/killed",
        stages=[stage.model_copy(update={"steps": 60}) for stage in STAGES[:2]],
        checkpoint_every_s=2.0,
        progress_every_s=0.1,
    )
    driver = [sys.executable, str(ROOT / "tests" / "pipelines" / "train_driver.py")]
    done = subprocess.run(
        [*driver, config.model_dump_json(), str(steps)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_cluster},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    told: list[TrainProgress] = []
    report = train(config, told.append)
    assert told[0].steps_done >= 60

    alone = prepare_training(config.model_copy(update={"out": f"{root}/alone"}))
    for _ in alone.run():
        pass
    assert_alike(report.points, alone.points)
    trained = load_face_model(report.checkpoint).model.state_dict()
    for name, value in alone.weights().items():
        torch.testing.assert_close(trained[name], value, rtol=0.0, atol=1e-6)


def test_one_of_two_workers_that_is_killed_leaves_no_mark_on_the_curve(
    tmp_path: Path, ray_cluster: str
) -> None:
    def fitted(name: str, batch: int) -> list[Point]:
        config = tiny_config(
            out=str(tmp_path / name),
            workers={"num_workers": 2, "cpus_per_worker": 0.5, "max_failures": 1},
            checkpoint_every_s=0.1,
            stages=STAGES[:2],
        )
        clips = KillingClips(tmp_path / f"markers-{name}", batch)
        board = ray.remote(num_cpus=0)(Board).remote()
        out = open_storage(config.out)
        fit_on_ray(Assignment(config, DESCRIBED, tiny_measure(), clips, out, board))
        assert clips.kills == {batch} - {-1}
        points: list[Point] = ray.get(board.read.remote())[1]
        return points

    batch = random.Random(2).randrange(1, STAGES[0].steps + STAGES[1].steps)
    assert_alike(fitted("killed", batch), fitted("whole", -1))


def test_what_fails_in_telling_progress_is_told_at_once_and_at_the_end(
    tmp_path: Path, ray_cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_corpus(str(tmp_path / "corpus"), clips=12)
    stages = (STAGES[2].model_copy(update={"steps": 2}),)
    config = job(str(tmp_path / "out"), str(tmp_path / "corpus"), stages=stages)
    one = config.workers.model_copy(update={"num_workers": 1})

    def fail(progress: TrainProgress) -> None:
        raise OSError(f"nobody hears of step {progress.steps_done}")

    config = config.model_copy(update={"workers": one})
    with pytest.raises(OSError, match="nobody hears of step"):
        train(config, fail)
    assert "no more progress is told: OSError" in caplog.text
    assert train(config).checkpoint == f"{tmp_path}/out/checkpoints/joint"


def test_a_loss_that_explodes_is_one_sentence(tmp_path: Path, ray_cluster: str) -> None:
    stage = STAGES[0].model_copy(update={"learning_rate": 1e30})
    config = tiny_config(out=str(tmp_path / "out"), stages=(stage,), workers={"max_failures": 0})
    board = ray.remote(num_cpus=0)(Board).remote()
    clips = KillingClips(tmp_path / "markers")
    assignment = Assignment(
        config, DESCRIBED, tiny_measure(), clips, open_storage(config.out), board
    )
    with pytest.raises(BackendError, match=r"stage a2f: .* lower its learning_rate"):
        fit_on_ray(assignment)


def test_a_corpus_too_small_for_its_workers_is_refused(tmp_path: Path) -> None:
    write_corpus(str(tmp_path / "corpus"), clips=4)
    with pytest.raises(ConfigError, match="fewer batches of 4 than there are workers"):
        train(job(str(tmp_path / "out"), str(tmp_path / "corpus")))


def test_a_training_lives_on_a_server(s3_store_uri: str, ray_cluster: str) -> None:
    write_corpus(f"{s3_store_uri}/corpus", clips=12)
    stages = tuple(stage.model_copy(update={"steps": 2}) for stage in STAGES[2:])
    config = job(f"{s3_store_uri}/out", f"{s3_store_uri}/corpus", stages=stages)
    one = config.workers.model_copy(update={"num_workers": 1})
    report = train(config.model_copy(update={"workers": one}))
    assert report.checkpoint == f"{s3_store_uri}/out/checkpoints/expression"
    assert load_face_model(report.checkpoint).description.has_expression
    names = [info.name for info in open_storage(f"{s3_store_uri}/out").list("state/")]
    assert any(name.endswith("training.pt") for name in names)


def test_a_stage_begins_from_a_folder_beside_the_user(
    tmp_path: Path, ray_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(str(tmp_path / "corpus"), clips=12)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    weights = build_face_model(DESCRIBED).state_dict()
    described = DESCRIBED.model_copy(update={"licence": "for research; CC0"})
    write_face_model(open_storage("."), "first", described, weights)
    stage = STAGES[1].model_copy(update={"steps": 2, "init_from": "first"})
    config = job("out", "corpus", stages=(stage,))
    one = config.workers.model_copy(update={"num_workers": 1})
    report = train(config.model_copy(update={"workers": one}))
    loaded = load_face_model(report.checkpoint)
    assert loaded.description.licence == "CC0; for research"
    trained = loaded.model.state_dict()
    for name, value in weights.items():
        if name.startswith("decoder.blocks"):
            assert torch.equal(trained[name], value)

    gone = stage.model_copy(update={"init_from": "gone"})
    with pytest.raises(ConfigError, match="gone is not a checkpoint"):
        train(job("other", "corpus", stages=(STAGES[0], gone)))
