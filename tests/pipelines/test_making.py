"""A shard made without Ray: rejects, the clock, and what is never made twice."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.fakes import ChokingSpeech
from tests.servers import Fault, FaultProxy, SeaweedFS
from unitaf.config import OutputConfig
from unitaf.errors import BackendError, StorageError
from unitaf.face.visemes import VisemeAnimator
from unitaf.pipelines import shards, takes
from unitaf.pipelines.making import ShardMaker, encode_lines
from unitaf.pipelines.shards import PlannedShard
from unitaf.storage import Storage, open_storage
from unitaf.timing import num_frames
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, TextToSpeech, Utterance

FACE = VisemeAnimator()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path))


def plan(storage: Storage, utterances: list[Utterance]) -> PlannedShard:
    import io

    sink = io.BytesIO()
    lines = [(said, f"{index:032x}") for index, said in enumerate(utterances)]
    batch = encode_lines(lines)
    with pq.ParquetWriter(sink, batch.schema) as writer:
        writer.write_batch(batch)
    storage.create("plans/p/0.parquet", sink.getvalue())
    shard = shards.shard_id(key for _, key in lines)
    return PlannedShard(shard, "en", len(lines), 0, "plans/p/0.parquet", 0)


def manifest(storage: Storage, planned: PlannedShard) -> shards.Manifest:
    return shards.decode_manifest(storage.read(shards.manifest_name(planned.id)))


def maker(storage: Storage, tts: TextToSpeech, fps: float = 30.0) -> ShardMaker:
    return ShardMaker(storage, tts, FACE, OutputConfig(fps=fps))


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0])
def test_every_take_keeps_the_clock(fps: float, storage: Storage):
    said = [Utterance(f"u{i}", text) for i, text in enumerate(["No.", "Put it by the fire, Ben."])]
    planned = plan(storage, said)
    record = maker(storage, Hibari(), fps).make(planned)
    table = pq.read_table(Path(storage.uri) / manifest(storage, planned).payload)
    made = list(takes.decode_takes(table))
    assert [take.utterance for take in made] == said
    for take in made:
        speech, motion = take.speech, take.motion
        assert len(motion.curves) == num_frames(speech.num_samples, speech.sample_rate, fps)
        assert motion.fps == fps
        assert np.isfinite(motion.curves).all()
        ends = [0.0, *(phone.end_s for phone in speech.phones)]
        assert [phone.start_s for phone in speech.phones] == ends[:-1]
        assert ends[-1] == pytest.approx(speech.duration_s, abs=1 / speech.sample_rate)
    assert record.audio_s == pytest.approx(sum(take.speech.duration_s for take in made))
    assert table.schema.metadata[b"channels"].decode().split(",")[17] == "jawOpen"


def test_a_line_that_chokes_the_engine_is_rejected_alone(storage: Storage):
    texts = ["One.", "Say xyzzy now.", "Three.", "xyzzy"]
    planned = plan(storage, [Utterance(f"u{i}", text) for i, text in enumerate(texts)])
    record = maker(storage, ChokingSpeech()).make(planned)
    assert (record.num_takes, record.num_rejects) == (2, 2)
    found = manifest(storage, planned)
    assert [take.key for take in found.takes] == [f"{0:032x}", f"{2:032x}"]
    assert [(r.key, r.column, r.reason) for r in found.rejects] == [
        (f"{1:032x}", "text", "it holds the word 'xyzzy'"),
        (f"{3:032x}", "text", "it holds the word 'xyzzy'"),
    ]


def test_a_shard_of_nothing_but_rejects_is_committed_without_a_payload(storage: Storage):
    planned = plan(storage, [Utterance("a", "xyzzy")])
    maker(storage, ChokingSpeech()).make(planned)
    assert manifest(storage, planned).payload == ""
    assert list(storage.list("takes/")) == []


def test_a_committed_shard_is_not_made_again(storage: Storage):
    planned = plan(storage, [Utterance("a", "Once.")])
    assert maker(storage, StubSpeech()).make(planned).is_new
    again = maker(storage, StubSpeech()).make(planned)
    assert (again.is_new, again.tts_s, again.num_takes) == (False, 0.0, 0)


@pytest.mark.parametrize(
    ("text", "num_texts"), [("One.", 2), ("One. [pause] And one.", 3), ("[emotion: sad] One.", 2)]
)
def test_an_engine_that_breaks_its_contract_stops_the_job(
    storage: Storage, text: str, num_texts: int
):
    class Mute(StubSpeech):
        def synthesize(self, utterances: list[Utterance]) -> list[Speech]:
            return super().synthesize(utterances)[1:]

    planned = plan(storage, [Utterance("a", text), Utterance("b", "Two.", target_s=1.0)])
    message = (
        f"the engine '{StubSpeech().fingerprint}' gave {num_texts - 1} results for {num_texts}"
        " texts, the first of them of line 'a'"
    )
    with pytest.raises(BackendError, match=re.escape(message)):
        maker(storage, Mute()).make(planned)
    assert not storage.exists(shards.manifest_name(planned.id))


def test_a_damaged_payload_is_not_committed(storage: Storage, tmp_path: Path):
    planned = plan(storage, [Utterance("a", "One.")])
    maker(storage, StubSpeech()).make(planned)
    found = manifest(storage, planned)
    (tmp_path / shards.manifest_name(planned.id)).unlink()
    (tmp_path / found.payload).write_bytes(b"rot")
    with pytest.raises(StorageError, match="damaged"):
        maker(storage, StubSpeech()).make(planned)
    assert not storage.exists(shards.manifest_name(planned.id))


def test_storage_requests_that_are_tried_again_are_counted(
    seaweed: SeaweedFS, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
):
    with FaultProxy(seaweed.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        storage = open_storage(s3_store_uri)
        planned = plan(storage, [Utterance("a", "Hello.")])
        made = maker(storage, StubSpeech())
        proxy.faults.extend([Fault.SLOW_DOWN] * 3)
        assert made.make(planned).storage_retries == 3
        assert made.make(planned).storage_retries == 0
