from pathlib import Path

from tests.data.corpora import lay_down
from tests.pipelines.tiny_training import tiny_config
from unitaf.data.corpus import speakers_of
from unitaf.pipelines.training_clips import TrainingClips


def test_who_is_only_held_out_has_no_style(tmp_path: Path) -> None:
    corpus = lay_down(tmp_path, [1.0, 1.2, 0.9, 1.1], first=2)
    assert speakers_of(corpus.clips()) == ("ann", "bob", "zoe")
    clips = TrainingClips(corpus, tiny_config())
    assert clips.styles == ("bob", "zoe")
    batch = next(clips.shard(0, 1).batches(0))
    assert sorted(batch.style_ids.tolist()) == [0, 1]
