"""Batches: the same order always, no clip twice, padding masked, taken up where they were left."""

from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.corpora import FPS, clip, features, lay_down
from unitaf.data.batches import BatchReader, EpochOrder, pad
from unitaf.data.corpus import Corpus, open_corpus, speakers_of
from unitaf.errors import ConfigError
from unitaf.rigs.arkit import CHANNELS

DURATIONS = [1.0, 2.5, 0.7, 1.3, 3.1, 0.9, 1.1, 2.0, 0.6, 1.7, 2.2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return lay_down(tmp_path_factory.mktemp("corpus"), DURATIONS)


@given(
    st.lists(st.integers(1, 500), min_size=4, max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_an_epoch_has_every_clip_at_most_once(
    lengths: list[int], batch_size: int, num_workers: int, epoch: int
) -> None:
    if -(-len(lengths) // batch_size) < num_workers:
        with pytest.raises(ValueError, match="fewer batches"):
            EpochOrder(lengths, batch_size, num_workers)
        return
    order = EpochOrder(lengths, batch_size, num_workers, seed=3)
    batches = [order.batches(epoch, worker) for worker in range(num_workers)]
    assert {len(mine) for mine in batches} == {order.steps_per_epoch}
    seen = np.concatenate([clips for mine in batches for clips in mine])
    assert len(set(seen.tolist())) == len(seen)
    left_out = len(lengths) - len(seen)
    assert left_out < batch_size * num_workers
    if num_workers == 1:
        assert left_out == 0


def test_the_order_is_that_of_seed_and_epoch() -> None:
    lengths = list(np.random.default_rng(0).integers(10, 400, 100))
    epochs = [
        EpochOrder(lengths, 8, 2, seed).batches(epoch, 1)
        for seed, epoch in [(0, 0), (0, 0), (0, 1), (1, 0)]
    ]
    as_lists = [[batch.tolist() for batch in epoch] for epoch in epochs]
    assert as_lists[0] == as_lists[1]
    assert as_lists[0] != as_lists[2]
    assert as_lists[0] != as_lists[3]


def test_similar_lengths_come_together() -> None:
    lengths = np.random.default_rng(0).integers(50, 2000, 500)
    order = EpochOrder(lengths.tolist(), 16)
    padded = sum(lengths[clips].max() * len(clips) for clips in order.batches(0))
    assert padded / lengths.sum() < 1.15


def test_a_run_goes_on_where_it_was() -> None:
    order = EpochOrder(list(range(1, 22)), 4, 2)
    whole = [clips.tolist() for clips in islice(order.run(worker=1), 11)]
    for first in range(8):
        rest = [clips.tolist() for clips in islice(order.run(first, 1), 11 - first)]
        assert rest == whole[first:]


def test_padding_is_masked() -> None:
    padded, mask = pad([np.ones((2, 3), np.float32), np.full((4, 3), 2, np.float32)])
    assert padded.shape == (2, 4, 3)
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    assert padded[0, 2:].sum() == 0


@pytest.mark.parametrize("fps", [FPS, 25.0])
def test_batches_hold_what_the_corpus_holds(corpus: Corpus, fps: float) -> None:
    clips = corpus.clips("train", ["tts", "encoder"])
    order = EpochOrder(clips["tts_steps"].to_pylist(), 4)
    channels = ("jawOpen", "mouthClose")
    reader = BatchReader(corpus, clips, order, channels, fps, with_encoder=True)
    seen = []
    for batch in islice(reader.batches(), order.steps_per_epoch):
        for row, key in enumerate(batch.clip_keys):
            number = int(key, 16)
            one = clip(number, DURATIONS[number])
            seen.append(number)
            steps = round(80 * len(one.curves) / FPS)
            np.testing.assert_array_equal(
                batch.features[row][batch.step_mask[row]], features(number, steps, 6)
            )
            steps = round(50 * len(one.curves) / FPS)
            np.testing.assert_array_equal(
                batch.encoded[row][batch.encoder_mask[row]], features(number, steps, 4)
            )
            frames = int(np.ceil(DURATIONS[number] * fps - 1e-9))
            found = batch.curves[row][batch.frame_mask[row]]
            assert found.shape == (frames, 2)
            jaw = one.curves[:, CHANNELS.index("jawOpen")]
            times = np.arange(frames) / fps
            expected = np.interp(times, np.arange(len(jaw)) / FPS, jaw)
            np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)
            assert speakers_of(clips)[batch.style_ids[row]] == one.speaker
        assert not batch.features[~batch.step_mask].any()
        assert batch.emotion.shape == (len(batch.clip_keys), 8)
    # Every fifth is held out, and the last one has no features of the engine.
    assert sorted(seen) == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_reader_goes_on_where_it_was(corpus: Corpus) -> None:
    clips = corpus.clips("train", ["tts"])
    order = EpochOrder(clips["tts_steps"].to_pylist(), 3, seed=7)
    reader = BatchReader(corpus, clips, order, CHANNELS, FPS, with_encoder=False)
    whole = list(islice(reader.batches(), 7))
    for first, batch in enumerate(islice(reader.batches(4), 3), start=4):
        assert batch.clip_keys == whole[first].clip_keys
        np.testing.assert_array_equal(batch.features, whole[first].features)
        assert batch.encoded.shape[1] == 0


def test_a_corpus_knows_its_speakers_and_shared_channels(corpus: Corpus) -> None:
    assert speakers_of(corpus.clips()) == ("ann", "bob", "zoe")
    assert speakers_of(corpus.clips("val")) == ("ann", "zoe")
    assert corpus.channels == CHANNELS[:52]
    assert corpus.clips("val")["clip_id"].to_pylist() == ["clip4", "clip9"]
    assert len(corpus.clips()) == len(DURATIONS)


def test_two_sources_are_one_corpus_and_twins_count_once(tmp_path: Path) -> None:
    lay_down(tmp_path, [1.0, 1.2], "runs/1")
    lay_down(tmp_path, [1.0, 1.2, 1.4], "runs/2", first=1)
    opened = open_corpus(str(tmp_path))
    assert opened.clips()["clip_id"].to_pylist() == ["clip0", "clip1", "clip2", "clip3"]
    # The newer run's row counts.
    assert opened.clips()["file"][1].as_py().startswith("clips/runs-2")


def test_a_catalog_from_before_emotions_were_heard_goes_with_others(tmp_path: Path) -> None:
    lay_down(tmp_path, [1.0], "runs/1")
    catalog = tmp_path / "runs" / "1" / "catalog.parquet"
    table = pq.read_table(catalog)
    pq.write_table(table.drop_columns(["emotion_source"]), catalog)
    lay_down(tmp_path, [1.2], "runs/2", first=1)
    found = open_corpus(str(tmp_path)).clips()
    assert found["clip_id"].to_pylist() == ["clip0", "clip1"]
    assert found["emotion_source"].to_pylist() == [None, "tags"]


def test_what_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no catalog"):
        open_corpus(str(tmp_path))
