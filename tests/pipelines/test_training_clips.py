import json
import subprocess
import sys
from pathlib import Path

from tests.data.corpora import lay_down
from tests.pipelines.tiny_training import STAGES, tiny_config, write_corpus
from unitaf.data.corpus import speakers_of
from unitaf.pipelines.training_clips import TrainingClips


def test_who_is_only_held_out_has_no_style(tmp_path: Path) -> None:
    corpus = lay_down(tmp_path, [1.0, 1.2, 0.9, 1.1], first=2)
    assert speakers_of(corpus.clips()) == ("ann", "bob", "zoe")
    clips = TrainingClips(corpus, tiny_config())
    assert clips.styles == ("bob", "zoe")
    batch = next(clips.shard(0, 1).batches(0))
    assert sorted(batch.style_ids.tolist()) == [0, 1]


_EPOCHS = """
import json, sys
from unitaf.config import TrainConfig
from unitaf.pipelines.train import prepare_training
for _ in prepare_training(TrainConfig.model_validate(json.loads(sys.argv[1]))).run():
    pass
print(json.dumps([name for name in sys.modules if name.startswith(("unitaf.tts.", "onnxruntime"))]))
"""


def test_epochs_read_kept_features_and_touch_no_engine(tmp_path: Path) -> None:
    write_corpus(str(tmp_path / "corpus"), clips=12)
    # Eight clips to train on, four a step: three epochs.
    config = tiny_config(
        corpus=str(tmp_path / "corpus"),
        out=str(tmp_path / "out"),
        stages=[STAGES[2].model_copy(update={"steps": 6})],
    )
    done = subprocess.run(
        [sys.executable, "-c", _EPOCHS, config.model_dump_json()],
        check=True,
        capture_output=True,
        text=True,
    )
    lists = {"unitaf.tts.voices", "unitaf.tts.cache", "unitaf.tts.kokoro.files"}
    assert set(json.loads(done.stdout)) <= lists | {"unitaf.tts.kokoro"}
