"""A shard of a corpus made without Ray: features in batches, and clips that have none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.data.captures import babble, moving, write_csv, write_wav
from tests.servers import Fault, FaultProxy, SeaweedFS
from unitaf.config import ClipsConfig
from unitaf.data.clips import Clip, ClipMaker
from unitaf.data.features import Extracted, FeatureSet
from unitaf.data.importers import list_recordings
from unitaf.data.manifests import (
    FeatureManifest,
    clips_manifest_name,
    decode_clip_manifest,
    decode_feature_manifest,
    features_manifest_name,
)
from unitaf.data.recordings import Recording, open_source
from unitaf.errors import BackendError, InputError
from unitaf.pipelines.preparing import CorpusMaker, RecordingShard
from unitaf.storage import Storage, open_storage


class Lengths:
    """Counts samples, a few clips at a time; clips that say `no` have none."""

    set = FeatureSet("tts", "lengths/1", 50.0, 1)
    batch_size = 3

    def __init__(self, blamed: str = "") -> None:
        self.batches: list[int] = []
        self._blamed = blamed

    def voice_of(self, speaker: str) -> str:
        return ""

    def extract(self, clips: Sequence[Clip]) -> list[Extracted]:
        self.batches.append(len(clips))
        for clip in clips:
            if clip.text == "no":
                raise InputError(self._blamed or clip.key, "it says no", column="text")
        return [Extracted(np.full((5, 1), c.num_samples / 1000, np.float16), 0.0) for c in clips]


def captured(folder: Path, texts: Sequence[str]) -> tuple[Storage, RecordingShard]:
    """Write recordings that say these texts; return where they are, and a shard of all."""
    for number, text in enumerate(texts):
        stem = folder / "captures" / "ann" / f"take{number}"
        write_wav(stem.with_suffix(".wav"), babble(0.7 + number / 10, seed=number))
        write_csv(stem.with_suffix(".csv"), moving(42 + 6 * number, 61, number))
        stem.with_suffix(".txt").write_text(text)
    source = open_source(str(folder / "captures"), "en", "")
    found = [each for each in list_recordings(source, None) if isinstance(each, Recording)]
    return source.storage, RecordingShard("shard", tuple(found))


def make(folder: Path, texts: Sequence[str], extractor: Lengths) -> FeatureManifest:
    source, shard = captured(folder, texts)
    corpus = open_storage(str(folder / "corpus"))
    CorpusMaker(source, corpus, ClipMaker(ClipsConfig(), None), [extractor]).make(shard)
    made = decode_clip_manifest(corpus.read(clips_manifest_name("shard")))
    name = features_manifest_name(extractor.set, made.features_key(extractor.voice_of))
    manifest = decode_feature_manifest(corpus.read(name))
    assert {row.clip_key for row in manifest.rows} | {r.recording for r in manifest.refusals} == {
        clip.clip_key for clip in made.clips
    }
    return manifest


def test_a_clip_without_features_costs_its_batch_nothing(tmp_path: Path) -> None:
    extractor = Lengths()
    manifest = make(tmp_path, ["yes", "no", "yes", "yes", "no"], extractor)
    assert extractor.batches == [3, 2, 2, 1]
    assert len(manifest.rows) == 3
    assert [(r.cause, r.reason) for r in manifest.refusals] == [("text", "it says no")] * 2


def test_a_batch_of_clips_without_features_is_none(tmp_path: Path) -> None:
    manifest = make(tmp_path, ["no", "no"], Lengths())
    assert (len(manifest.rows), len(manifest.refusals)) == (0, 2)


def test_an_extractor_that_refuses_what_it_was_not_given_is_broken(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="'else', which it was not given"):
        make(tmp_path, ["no"], Lengths("else"))


def test_storage_requests_that_are_tried_again_are_counted(
    tmp_path: Path, seaweed: SeaweedFS, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, shard = captured(tmp_path, ["yes"])
    with FaultProxy(seaweed.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        corpus = open_storage(s3_store_uri)
        maker = CorpusMaker(source, corpus, ClipMaker(ClipsConfig(), None), [Lengths()])
        proxy.faults.extend([Fault.SLOW_DOWN] * 3)
        assert maker.make(shard).storage_retries == 3
        assert maker.make(shard).storage_retries == 0
