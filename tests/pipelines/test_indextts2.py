"""IndexTTS2 in a job: from a script to takes, and from recordings to a face model of its own."""

import csv
import re
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.data.captures import babble, moving, write_csv, write_wav
from tests.pipelines.test_making import manifest, plan
from tests.pipelines.tiny_training import DESCRIBED, SMALL
from tests.tts.indextts2 import tiny
from tests.tts.indextts2.published import write_model
from unitaf import generate, open_store
from unitaf.audio import encode_audio
from unitaf.build import build_face, build_tts
from unitaf.checkpoint.description import FeatureSpace
from unitaf.checkpoint.face_model import build_face_model, write_face_model
from unitaf.config import (
    AutoFaceConfig,
    ClipsConfig,
    GenerateConfig,
    PrepareConfig,
    PrepareRunConfig,
    check_config,
    check_train_config,
)
from unitaf.data.recordings import open_source
from unitaf.errors import ConfigError
from unitaf.face.visemes import VisemeAnimator
from unitaf.pipelines.making import ShardMaker
from unitaf.pipelines.prepare import make_plan, pending_shards, prepare
from unitaf.pipelines.preparing import RecordingShard
from unitaf.pipelines.shards import Recipe, take_key
from unitaf.pipelines.train import train
from unitaf.storage import open_storage
from unitaf.timing import num_frames
from unitaf.types import Utterance

TEXTS = ("The wind waits.", "Who goes there?", "Tell them we sail at dawn.")
LINE = Utterance("a", "Who goes there?", speaker="a", seed=3)
LONG = "Stop! Who goes there? Tell them we sail at dawn - quickly. The wind waits, my friend."


@pytest.fixture(autouse=True)
def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def face(tmp_path: Path) -> str:
    """A face model with random weights that reads the features of IndexTTS2."""
    features = FeatureSpace(name="indextts2/1", dim=1024, rate=50.0)
    described = DESCRIBED.model_copy(update={"features": features})
    torch.manual_seed(0)
    network = build_face_model(described)
    torch.nn.init.normal_(network.head.weight, std=0.3)
    write_face_model(open_storage(str(tmp_path)), "face", described, network.state_dict())
    return str(tmp_path / "face")


def write_clip(path: Path, seed: int) -> str:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(22050, np.float32)
    path.write_bytes(encode_audio(samples, 22050, "wav"))
    return str(path)


def job(model: Path, voices: dict[str, str], **face: object) -> GenerateConfig:
    tts = {
        "kind": "indextts2",
        "path": str(model),
        "voices": {name: {"reference": clip} for name, clip in voices.items()},
        "licence_accepted": True,
        "flow_steps": 2,
        "max_text_tokens": 12,
        "batch_size": 4,
    }
    made = {"tts": tts, "output": {"fps": 29.97}, "run": {"num_actors": 1}}
    return check_config(made | ({"face": face} if face else {}), "test")


def write_script(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("line_id", "speaker", "text"), *rows])
    return path


def test_two_speakers_say_a_script(model: Path, face: str, tmp_path: Path, ray_cluster: str):
    clips = {name: write_clip(tmp_path / f"{name}.wav", seed) for seed, name in enumerate("ab")}
    rows = [
        ("l0", "a", LONG),
        ("l1", "b", LONG),
        ("l2", "a", "Who goes there?"),
        ("l3", "c", "Who goes there?"),
        ("l4", "b", "Ветер ждёт."),
    ]
    script, store = write_script(tmp_path / "script.csv", rows), str(tmp_path / "store")
    config = job(model, clips, kind="model", checkpoint=face)
    report = generate(script, store, config)
    assert (report.takes, report.rejects) == (3, 2)
    opened = open_store(store)
    reasons = {row["line_id"]: row["reason"] for row in opened.rejects().to_pylist()}
    assert reasons == {
        "l3": "there is no voice for 'c' in tts.voices, and none for '*'",
        "l4": "the model cannot read 'ВЕТРЖДЁ': it knows English and Chinese",
    }
    takes = [take for _, take in opened.takes(opened.catalog())]
    for take in takes:
        frames = num_frames(take.speech.num_samples, take.speech.sample_rate, 29.97)
        assert take.motion.curves.shape == (frames, 61)
        assert np.ptp(take.motion.curves[:, take.motion.channels.index("jawOpen")]) > 0
        assert "CC BY-NC 4.0" in take.provenance.licence
    assert len({take.provenance.voice for take in takes}) == 2

    # Another clip for one speaker makes that speaker's lines anew, and a new speaker's too.
    write_clip(tmp_path / "a.wav", 7)
    changed = job(model, clips | {"c": clips["b"]}, kind="model", checkpoint=face)
    again = generate(script, store, changed)
    assert (again.made, again.takes, again.rejects) == (3, 4, 1)


def test_lines_that_never_stop_are_rejects_with_the_reason(model: Path, tmp_path: Path):
    endless = tmp_path / "endless"
    shutil.copytree(model, endless, copy_function=lambda a, b: Path(b).symlink_to(a))
    weights = torch.load(model / "gpt.pth", weights_only=True)
    weights["model"]["mel_head.bias"][tiny.GPT.stop_code] = -99.0
    (endless / "gpt.pth").unlink()
    torch.save(weights, endless / "gpt.pth")
    config = job(endless, {"*": write_clip(tmp_path / "a.wav", 0)})
    storage = open_storage(str(tmp_path / "store"))
    planned = plan(storage, [Utterance("a", "Stop!"), Utterance("b", "Who goes there?")])
    tts = build_tts(config.tts.model_copy(update={"num_beams": 1}))
    record = ShardMaker(storage, tts, VisemeAnimator(), config.output).make(planned)
    assert (record.num_takes, record.num_rejects) == (0, 2)
    for reject in manifest(storage, planned).rejects:
        assert re.fullmatch(
            r"the model did not come to an end of the line in \d s of speech; write it otherwise,"
            r" or change its seed",
            reject.reason,
        )


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_job_may_have_nothing_drawn(model: Path, tmp_path: Path, num_beams: int):
    config = job(model, {"*": write_clip(tmp_path / "a.wav", 0)})
    drawn, best = (
        build_tts(
            check_config(
                {"tts": config.tts.model_dump() | {"num_beams": num_beams, "sampling": sampling}},
                "test",
            ).tts
        )
        for sampling in (True, False)
    )
    lines = [replace(LINE, seed=seed) for seed in range(6)]
    keys = [take_key(LINE, Recipe(tts.fingerprint_of("a"), "", 30, "")) for tts in (drawn, best)]
    assert keys[0] != keys[1]
    said = [
        {speech.features.tobytes() for speech in tts.synthesize(lines)} for tts in (drawn, best)
    ]
    assert len(said[0]) > 1
    assert len(said[1]) == 1


def test_settings_of_sampling_need_it(model: Path, tmp_path: Path):
    tts = job(model, {"*": write_clip(tmp_path / "a.wav", 0)}).tts.model_dump()
    check_config({"tts": tts | {"sampling": False}}, "test")  # As a written job has it.
    for change in ({"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9}):
        (name,) = change
        with pytest.raises(ConfigError, match=rf"^test: tts: .*{name} is of sampling, which is"):
            check_config({"tts": tts | {"sampling": False} | change}, "test")


def test_terms_come_before_anything_else(model: Path, tmp_path: Path):
    config = job(model, {"*": write_clip(tmp_path / "a.wav", 0)})
    refused = config.tts.model_copy(update={"licence_accepted": False})
    with pytest.raises(ConfigError, match=r"^tts\.licence_accepted: .*CC BY-NC"):
        build_tts(refused)


def test_rules_hear_the_phones_themselves(model: Path, tmp_path: Path):
    tts = build_tts(job(model, {"*": write_clip(tmp_path / "a.wav", 0)}).tts)
    assert build_face(AutoFaceConfig(), tts).licence == "Apache-2.0 (hama)"


def test_settings_that_do_not_go_together_are_refused(model: Path, tmp_path: Path):
    config = job(model, {"*": write_clip(tmp_path / "a.wav", 0)})
    silent = config.tts.model_dump() | {"has_sound": False}
    with pytest.raises(ConfigError, match=r"face\.kind: model"):
        check_config({"tts": silent}, "test")
    voice = {"reference": "a.wav", "emotion": "b.wav", "description": "sad"}
    with pytest.raises(ConfigError, match="give one of them"):
        check_config({"tts": config.tts.model_dump() | {"voices": {"*": voice}}}, "test")


def test_the_job_in_the_readme_is_one():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (example,) = [block for block in blocks if "kind: indextts2" in block]
    config = check_config(yaml.safe_load(example), "README.md")
    assert set(config.tts.voices) == {"Okafor", "Sable", "Quill", "*"}
    assert config.run.gpus_per_actor == 1


def left_to_prepare(folder: Path, config: PrepareConfig) -> list[RecordingShard]:
    plan = make_plan(open_source(str(folder / "captures"), "en", ""), config)
    return pending_shards(open_storage(str(folder / "corpus")), plan)


def test_recordings_train_a_face_for_it(model: Path, tmp_path: Path, ray_cluster: str):
    for number, words in enumerate(product(TEXTS, repeat=2)):
        stem = tmp_path / "captures" / "a" / f"take{number}"
        write_wav(stem.with_suffix(".wav"), babble(0.8, seed=number))
        write_csv(stem.with_suffix(".csv"), moving(48, 61, number))
        stem.with_suffix(".txt").write_text(" ".join(words))
    clips = {name: write_clip(tmp_path / f"{name}.wav", seed) for seed, name in enumerate("ab")}
    config = PrepareConfig(
        clips=ClipsConfig(fps=30, val_share=0, test_share=0),
        tts=job(model, {"a": clips["a"]}).tts,
        transcriber=None,
        run=PrepareRunConfig(num_actors=1),
    )
    prepared = prepare(str(tmp_path / "captures"), tmp_path / "corpus", config)
    assert (prepared.clips, prepared.rejects) == (9, 0)
    more = config.model_copy(update={"tts": job(model, clips).tts})
    other = config.model_copy(update={"tts": job(model, {"a": clips["b"]}).tts})
    assert not left_to_prepare(tmp_path, more)
    assert left_to_prepare(tmp_path, other)
    report = train(
        check_train_config(
            {
                "corpus": str(tmp_path / "corpus"),
                "out": str(tmp_path / "face"),
                "network": SMALL,
                "optimiser": {"clips": 3, "warmup_steps": 2},
                "stages": [
                    {"name": "align", "trains": ["adapter"], "losses": {"features": 1}}
                    | {"steps": 12},
                    {"name": "joint", "trains": ["adapter", "decoder", "head"], "steps": 12}
                    | {"losses": {"coefficient": 1.0, "mouth_state": 1e3}},
                ],
            },
            "test",
        )
    )
    for stage in ("align", "joint"):
        curve = [sum(point.losses.values()) for point in report.points if point.stage == stage]
        assert np.mean(curve[-3:]) < np.mean(curve[:3]), stage
    taught = job(model, {"a": clips["a"]}, kind="model", checkpoint=report.checkpoint)
    tts = build_tts(taught.tts)
    speeches = tts.synthesize([LINE])
    (motion,) = build_face(taught.face, tts).animate([LINE], speeches, 30.0)
    assert motion.curves.shape == (num_frames(speeches[0].num_samples, 22050, 30.0), 61)
