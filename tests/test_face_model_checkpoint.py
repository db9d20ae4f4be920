import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pipelines.tiny_training import CHANNELS, DESCRIBED, DIM, TinyEngine
from unitaf.build import build_face
from unitaf.checkpoint.animator import CheckpointAnimator
from unitaf.checkpoint.describe import describe_checkpoint
from unitaf.checkpoint.description import FaceModelDescription, MouthInterval, StageSummary
from unitaf.checkpoint.face_model import build_face_model, load_face_model, write_face_model
from unitaf.config import FaceModelConfig, NetworkSizes, load_config
from unitaf.errors import ConfigError
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import CHANNELS as CANONICAL
from unitaf.storage import open_storage
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, Utterance

FULL = DESCRIBED.model_copy(
    update={
        "has_expression": True,
        "mouth_interval": MouthInterval(low=0.01, high=0.03, alpha=3.0, gamma=2.0, base=0.1),
        "stages": (StageSummary(name="joint", steps=7, clips=28, losses={"coefficient": 0.25}),),
    }
)


def written(root: str) -> FaceModelDescription:
    torch.manual_seed(0)
    model = build_face_model(FULL)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    return write_face_model(open_storage(root), "model", FULL, model.state_dict())


def test_what_is_written_is_loaded(tmp_path: Path) -> None:
    described = written(str(tmp_path))
    loaded = load_face_model(str(tmp_path / "model"))
    assert loaded.description == described
    torch.manual_seed(0)
    model = build_face_model(FULL)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)


def test_a_server_keeps_it_too(s3_store_uri: str) -> None:
    described = written(s3_store_uri)
    assert load_face_model(f"{s3_store_uri}/model").description == described
    assert "ann, ben, pivot" in describe_checkpoint(f"{s3_store_uri}/model")


def test_it_is_never_overwritten_and_completed_if_it_was_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"half")
    written(str(tmp_path))
    load_face_model(str(folder))
    with pytest.raises(ConfigError, match="exists already"):
        written(str(tmp_path))


def test_a_job_moves_faces_with_it(tmp_path: Path) -> None:
    written(str(tmp_path))
    config = load_config(
        None, ["face.kind=model", f"face.checkpoint={tmp_path / 'model'}", "face.rest=still"]
    )
    assert isinstance(config.face, FaceModelConfig)
    speech = Speech(np.zeros(16000, np.float32), 16000, np.ones((80, DIM), np.float32), 80.0)
    said = Utterance("a", "A.")
    motions = {}
    for style in ("pivot", "ben"):
        animator = build_face(config.face.model_copy(update={"style": style}), TinyEngine())
        (motion,) = animator.animate([said], [speech], 24.0)
        assert motion.curves.shape == (24, len(CANONICAL))
        assert animator.licence == "CC0"
        motions[animator.fingerprint] = motion.curves
    first, second = motions.values()
    assert not np.array_equal(first, second)
    still = [i for i, name in enumerate(CANONICAL) if name not in CHANNELS]
    assert not first[:, still].any()
    with pytest.raises(ConfigError, match="no style 'eve'; there are ann, ben, pivot"):
        build_face(config.face.model_copy(update={"style": "eve"}), TinyEngine())


def test_what_it_has_not_learnt_is_moved_by_rules(tmp_path: Path) -> None:
    written(str(tmp_path))
    face = FaceModelConfig(kind="model", checkpoint=str(tmp_path / "model"))
    said = Utterance("a", "A long and winding line, in two parts.", seed=3)
    (silence,) = TinyEngine().synthesize([said])
    steps = round(silence.duration_s * DESCRIBED.features.rate)
    speech = replace(
        silence, features=np.ones((steps, DIM), np.float32), feature_rate=DESCRIBED.features.rate
    )
    still = build_face(face.model_copy(update={"rest": "still"}), TinyEngine())
    moved = build_face(face, TinyEngine())
    (alone,) = still.animate([said], [speech], 30.0)
    (whole,) = moved.animate([said], [speech], 30.0)
    (ruled,) = VisemeAnimator().animate([said], [speech], 30.0)
    learnt = [CANONICAL.index(name) for name in CHANNELS]
    others = [i for i in range(len(CANONICAL)) if i not in learnt]
    assert np.array_equal(whole.curves[:, learnt], alone.curves[:, learnt])
    assert np.array_equal(whole.curves[:, others], ruled.curves[:, others])
    assert ruled.curves[:, others].any()
    assert moved.fingerprint.startswith(still.fingerprint)
    assert VisemeAnimator().fingerprint in moved.fingerprint


def test_an_engine_with_other_features_is_refused(tmp_path: Path) -> None:
    written(str(tmp_path))
    face = FaceModelConfig(kind="model", checkpoint=str(tmp_path / "model"))
    with pytest.raises(
        ConfigError, match=r"of engine/1, 32 at 80 Hz, but the engine gives those of stub/1, 8 at"
    ):
        build_face(face, StubSpeech())


def test_it_says_what_it_is(tmp_path: Path) -> None:
    written(str(tmp_path))
    text = describe_checkpoint(tmp_path / "model")
    for part in ("engine/1", "encoder/1", "ann, ben, pivot", "CC0", "10.00 to 30.00 mm", "7 steps"):
        assert part in text


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("weights.safetensors", b"none", "is damaged"),
        ("checkpoint.json", b"{}", "features: Field required"),
        ("checkpoint.json", None, "it has no checkpoint.json"),
    ],
)
def test_damage_is_one_sentence(
    tmp_path: Path, file: str, damage: bytes | None, message: str
) -> None:
    written(str(tmp_path))
    path = tmp_path / "model" / file
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(ConfigError, match=message) as caught:
        load_face_model(str(tmp_path / "model"))
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    written(str(tmp_path))
    uri = str(tmp_path / "model")
    for load in (
        load_face_model,
        lambda uri, device: CheckpointAnimator(uri, device=device).load(),
    ):
        with pytest.raises(ConfigError, match="the device 'toaster' cannot be used here"):
            load(uri, "toaster")


def test_a_description_of_another_network_is_refused(tmp_path: Path) -> None:
    written(str(tmp_path))
    path = tmp_path / "model" / "checkpoint.json"
    values = json.loads(path.read_bytes())
    values["styles"].append("cat")
    path.write_text(json.dumps(values))
    for load in (load_face_model, lambda uri: CheckpointAnimator(uri).load()):
        with pytest.raises(ConfigError, match="does not hold the network that it describes"):
            load(str(tmp_path / "model"))


def test_what_it_says_is_read_without_torch(tmp_path: Path) -> None:
    written(str(tmp_path))
    code = (
        "import sys; from unitaf.checkpoint.animator import CheckpointAnimator;"
        f"print(CheckpointAnimator({str(tmp_path / 'model')!r}).fingerprint);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("face_model/5 ")


def test_whatever_moves_the_face_is_in_the_fingerprint(tmp_path: Path) -> None:
    described = written(str(tmp_path))
    sizes = described.sizes.model_copy(update={"adapter_reads_first": True})
    changed = [{"fps": 25.0}, {"sizes": sizes}, {"weights_sha256": "0" * 64}]
    others = [described.model_copy(update=change).fingerprint("ann") for change in changed]
    assert len({described.fingerprint("ann"), described.fingerprint("ben"), *others}) == 5
    told = described.model_copy(update={"licence": "other", "stages": (), "corpus": "x"})
    assert told.fingerprint("ann") == described.fingerprint("ann")


def test_sizes_that_no_network_has_are_refused() -> None:
    with pytest.raises(ValueError, match="adapter_waist 10 cannot be split into 8 adapter_groups"):
        NetworkSizes(adapter_waist=10)
