"""How one shard is made and committed: what a worker does, without a word about Ray.

Promises kept here: a line that fails becomes a reject and the rest of the shard goes on; the
payload is written before the manifest; a shard that is committed already is not made again.
"""

import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.config import OutputConfig
from unitaf.errors import BackendError, InputError, StorageError
from unitaf.face.moods import animate_moods
from unitaf.pipelines.shards import (
    Manifest,
    PlannedShard,
    RejectSummary,
    TakeSummary,
    encode_manifest,
    manifest_name,
    payload_name,
)
from unitaf.pipelines.takes import ROW_GROUP_SIZE, encode_takes
from unitaf.storage import Creation, Storage
from unitaf.tts.acting import Actor
from unitaf.tts.dubbing import Edges, say_in_time
from unitaf.types import (
    EMOTIONS,
    FaceAnimator,
    FaceMotion,
    Provenance,
    Shard,
    Speech,
    Take,
    TextToSpeech,
    Utterance,
)

LINES_SCHEMA = pa.schema(
    [
        ("line_id", pa.string()),
        ("text", pa.string()),
        ("language", pa.string()),
        ("speaker", pa.string()),
        ("emotion", pa.list_(pa.float64(), len(EMOTIONS))),
        ("seed", pa.int64()),
        ("target_s", pa.float64()),
        ("take_key", pa.string()),
    ]
)
"""The lines of a plan's part, one row group a shard."""


@dataclass(slots=True)
class ShardRecord:
    """What a worker tells the driver of a shard: a small, flat row."""

    shard: str
    is_new: bool = True
    """Whether this worker made the shard; otherwise another had committed it."""
    num_lines: int = 0
    num_takes: int = 0
    num_rejects: int = 0
    audio_s: float = 0.0
    payload_bytes: int = 0
    tts_s: float = 0.0
    face_s: float = 0.0
    encode_s: float = 0.0
    storage_s: float = 0.0
    storage_retries: int = 0
    started_s: float = field(default_factory=time.time)
    """Seconds since the epoch; the engine was loaded by then."""
    ended_s: float = 0.0
    worker: int = 0
    """The worker's process id."""

    @property
    def seconds(self) -> dict[str, float]:
        """The worker's time by kind of work."""
        return {kind: getattr(self, kind) for kind in ("tts_s", "face_s", "encode_s", "storage_s")}


class ShardMaker:
    """Makes shards: holds the engine and the animator, writes its own files.

    Args:
        storage: Where the plan is read and takes are written.
        tts: The text-to-speech engine.
        face: The face animator.
        output: Frame rate and audio format.
    """

    def __init__(
        self, storage: Storage, tts: TextToSpeech, face: FaceAnimator, output: OutputConfig
    ) -> None:
        self._storage = storage
        self._tts = tts
        self._face = face
        self._output = output
        self._edges = Edges(output.head_s, output.tail_s)
        terms = (tts.licence, face.licence)
        self._licence = "; ".join(dict.fromkeys(name for name in terms if name != "none"))
        self._version = version("unitaf")

    def make(self, planned: PlannedShard) -> ShardRecord:
        """Make a shard and commit it, unless it is committed already.

        Raises:
            BackendError: If the engine failed other than on one line.
            StorageError: If the plan could not be read or the takes not be written.
        """
        record = ShardRecord(planned.id, num_lines=planned.num_lines, worker=os.getpid())
        retries = self._storage.num_retries
        if self._storage.exists(manifest_name(planned.id)):
            record.is_new = False
        else:
            self._tts.load()
            self._face.load()
            record.started_s = time.time()
            started = time.perf_counter()
            shard = read_shard(self._storage, planned)
            record.storage_s += time.perf_counter() - started
            takes, rejects = self._perform(shard, record)
            self._commit(planned, takes, rejects, record)
        record.storage_retries = self._storage.num_retries - retries
        record.ended_s = time.time()
        return record

    def _perform(self, shard: Shard, record: ShardRecord) -> tuple[list[Take], list[RejectSummary]]:
        keys = dict(zip((u.id for u in shard.utterances), shard.keys, strict=True))
        takes: list[Take] = []
        rejects: list[RejectSummary] = []
        size = max(1, self._tts.batch_size)
        for start in range(0, len(shard.utterances), size):
            batch = list(shard.utterances[start : start + size])
            takes += self._make_batch(batch, keys, rejects, record)
        record.num_takes, record.num_rejects = len(takes), len(rejects)
        record.audio_s = sum(take.speech.duration_s for take in takes)
        return takes, rejects

    def _make_batch(
        self,
        batch: list[Utterance],
        keys: dict[str, str],
        rejects: list[RejectSummary],
        record: ShardRecord,
    ) -> list[Take]:
        """Make a batch of lines; one that cannot be made is rejected and the others tried again."""
        while batch:
            try:
                speeches, motions = self._act(batch, record)
            except InputError as error:
                if error.utterance_id not in {utterance.id for utterance in batch}:
                    raise BackendError(
                        f"the engine rejected line {error.utterance_id!r}, which it was not given"
                    ) from error
                rejects.append(RejectSummary(keys[error.utterance_id], error.column, error.reason))
                batch = [u for u in batch if u.id != error.utterance_id]
            else:
                # Features are not written: a long shard would hold them until its commit.
                return [
                    Take(
                        keys[said.id],
                        said,
                        replace(speech, features=speech.features[:0].copy()),
                        motion,
                        self._provenance(said),
                    )
                    for said, speech, motion in zip(batch, speeches, motions, strict=True)
                ]
        return []

    def _provenance(self, said: Utterance) -> Provenance:
        return Provenance(
            tts=self._tts.fingerprint_of(said.speaker),
            face=self._face.fingerprint,
            voice=self._tts.voice_of(said.speaker),
            licence=self._licence,
            unitaf=self._version,
        )

    def _act(
        self, batch: list[Utterance], record: ShardRecord
    ) -> tuple[list[Speech], list[FaceMotion]]:
        """Say lines and move the face to them; add the time of both to the record."""
        started = time.perf_counter()
        try:
            speeches = say_in_time(Actor(self._tts), batch, self._edges)
        finally:
            record.tts_s += time.perf_counter() - started
        started = time.perf_counter()
        try:
            motions = animate_moods(self._face, batch, speeches, self._output.fps)
        finally:
            record.face_s += time.perf_counter() - started
        return speeches, motions

    def _commit(
        self,
        planned: PlannedShard,
        takes: list[Take],
        rejects: list[RejectSummary],
        record: ShardRecord,
    ) -> None:
        started = time.perf_counter()
        data = encode_takes(takes, self._output.audio_format) if takes else b""
        record.encode_s = time.perf_counter() - started
        record.payload_bytes = len(data)
        manifest = Manifest(
            shard=planned.id,
            language=planned.language,
            payload=payload_name(planned.id, planned.language, data) if data else "",
            payload_bytes=len(data),
            row_group_size=ROW_GROUP_SIZE,
            sample_rate=self._tts.sample_rate,
            fps=self._output.fps,
            tts=self._tts.fingerprint,
            face=self._face.fingerprint,
            takes=tuple(
                TakeSummary(t.key, t.speech.num_samples, len(t.motion.curves)) for t in takes
            ),
            rejects=tuple(rejects),
        )
        started = time.perf_counter()
        if data:
            self._put_payload(manifest, data)
        created = self._storage.create(manifest_name(planned.id), encode_manifest(manifest))
        record.is_new = created is Creation.CREATED
        record.storage_s += time.perf_counter() - started

    def _put_payload(self, manifest: Manifest, data: bytes) -> None:
        if not self._storage.create(manifest.payload, data).holds:
            raise StorageError(
                f"{self._storage.uri}/{manifest.payload} is damaged: its bytes are not those that"
                " its name stands for; delete it and run again"
            )


def encode_lines(lines: Sequence[tuple[Utterance, str]]) -> pa.RecordBatch:
    """Return the lines of a shard with their keys as rows of a plan's part."""
    rows = [
        {
            "line_id": said.id,
            "text": said.text,
            "language": said.language,
            "speaker": said.speaker,
            "emotion": said.emotion,
            "seed": said.seed,
            "target_s": said.target_s,
            "take_key": key,
        }
        for said, key in lines
    ]
    return pa.RecordBatch.from_pylist(rows, LINES_SCHEMA)


def read_shard(storage: Storage, planned: PlannedShard) -> Shard:
    """Read the lines of a planned shard."""
    part = pq.ParquetFile(io.BytesIO(storage.read(planned.part)))
    rows = part.read_row_group(planned.row_group).to_pylist()
    utterances = tuple(
        Utterance(
            row["line_id"],
            row["text"],
            row["language"],
            row["speaker"],
            tuple(row["emotion"]),
            row["seed"],
            row.get("target_s"),
        )
        for row in rows
    )
    return Shard(planned.id, utterances, tuple(row["take_key"] for row in rows))
