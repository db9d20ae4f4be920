"""From a script to a face model and back: generate, prepare, train, and generate with it."""

from pathlib import Path

import numpy as np
import pytest

from unitaf import generate, open_store
from unitaf.config import check_config, check_train_config
from unitaf.config.jobs import load_prepare_config
from unitaf.pipelines.prepare import prepare
from unitaf.pipelines.train import train
from unitaf.timing import num_frames

_TEXTS = (
    "Bring me the map, Pam.", "Who moved the wheel?", "Five vans left before noon!",
    "My mother bought a big umbrella.", "We were told to wait.", "Open the door, please.",
    "Baby bubbles bob about.", "Stop! Nobody moves.",
)  # fmt: skip
_MOODS = ("", "angry:0.8", "happy:0.6")
_FACE = {"coefficient": 1.0, "mouth_state": 1e5}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    rows = [
        f'{mood.partition(":")[0]}{i},"{text}",{mood}'
        for mood in _MOODS
        for i, text in enumerate(_TEXTS)
    ]
    path = tmp_path / "lines.csv"
    path.write_text("\n".join(["line_id,text,emotion", *(f"l{row}" for row in rows)]) + "\n")
    return path


def test_a_model_that_was_trained_on_takes_moves_the_next_ones(
    script: Path, tmp_path: Path, ray_cluster: str
):
    job = {"output": {"fps": 30}, "face": {"kind": "visemes"}, "run": {"num_actors": 2}}
    generate(script, tmp_path / "takes", check_config(job, "test"))
    prepared = prepare(
        str(tmp_path / "takes" / "takes"),
        tmp_path / "corpus",
        load_prepare_config(
            None,
            [
                "source.kind=list",
                "clips.fps=30",
                "clips.max_frozen_s=2",
                "clips.val_share=0.1",
                "transcriber=null",
                "run.num_actors=2",
            ],
        ),
    )
    assert prepared.clips == 24
    adapts = ["adapter", "decoder", "head"]
    report = train(
        check_train_config(
            {
                "corpus": str(tmp_path / "corpus"),
                "out": str(tmp_path / "model"),
                "network": {"decoder_dim": 64, "left_out": ["eyeBlink", "eyeLook", "head"]},
                "optimiser": {"clips": 4, "warmup_steps": 5},
                "workers": {"num_workers": 2, "cpus_per_worker": 0.5},
                "stages": [
                    {"name": "a2f", "reads": "encoder", "trains": adapts[1:], "losses": _FACE}
                    | {"steps": 40},
                    {"name": "align", "trains": adapts[:1], "losses": {"features": 1}, "steps": 30},
                    {"name": "joint", "trains": adapts, "losses": _FACE, "steps": 40},
                    {"name": "expression", "trains": ["expression"], "losses": {"residual": 1}}
                    | {"steps": 30},
                ],
            },
            "test",
        )
    )
    for stage in ("a2f", "align", "joint", "expression"):
        curve = [sum(p.losses.values()) for p in report.points if p.stage == stage]
        assert np.mean(curve[-5:]) < np.mean(curve[:5]), stage

    face = {"kind": "model", "checkpoint": report.checkpoint}
    made = generate(script, tmp_path / "voiced", check_config({**job, "face": face}, "test"))
    assert (made.takes, made.rejects) == (24, 0)
    store = open_store(str(tmp_path / "voiced"))
    for _, take in store.takes(store.catalog()):
        frames = num_frames(take.speech.num_samples, take.speech.sample_rate, 30)
        assert take.motion.curves.shape == (frames, 61)
        assert np.ptp(take.motion.curves[:, take.motion.channels.index("jawOpen")]) > 0.02
        assert take.provenance.face.startswith("face_model/5 ")
