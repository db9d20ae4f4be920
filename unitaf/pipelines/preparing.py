"""How one shard of recordings becomes clips and features: what a worker does, without Ray.

Promises kept here: a recording that cannot be used becomes a refusal and the rest goes on; a
payload is written before its manifest; what is committed is not made again. Features are computed
from the clips as they are kept, so they are the same whether the clips were made just now or long
ago.
"""

import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow.parquet as pq

from unitaf.data.clips import Clip, ClipMaker
from unitaf.data.features import Extracted, Extractor
from unitaf.data.manifests import (
    ClipManifest,
    ClipRow,
    FeatureManifest,
    FeatureRow,
    clips_manifest_name,
    clips_payload_name,
    decode_clip_manifest,
    encode_manifest,
    features_manifest_name,
    features_payload_name,
)
from unitaf.data.payloads import decode_clips, encode_clips, encode_features
from unitaf.data.reading import RecordingReader
from unitaf.data.recordings import Recording, Refusal
from unitaf.errors import BackendError, InputError, StorageError
from unitaf.rigs.arkit import CHANNELS
from unitaf.storage import Storage

OPENNESS_BINS = 20


@dataclass(frozen=True, slots=True)
class RecordingShard:
    """The unit of work, of commit and of resume."""

    id: str
    recordings: tuple[Recording, ...]


@dataclass(slots=True)
class PrepareRecord:
    """What a worker tells the driver of a shard."""

    shard: str
    num_lines: int = 0
    """Recordings."""
    is_new: bool = False
    """Whether this worker made the clips or some features of the shard."""
    num_takes: int = 0
    """Clips."""
    num_rejects: int = 0
    audio_s: float = 0.0
    payload_bytes: int = 0
    storage_retries: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """By kind of work: read, clips, each set of features, storage."""
    started_s: float = field(default_factory=time.time)
    worker: int = field(default_factory=os.getpid)

    def spent(self, kind: str, started: float) -> None:
        """Add the time since a moment to a kind of work."""
        self.seconds[kind] = self.seconds.get(kind, 0.0) + time.perf_counter() - started


class CorpusMaker:
    """Makes shards of a corpus: holds the models, writes its own files.

    Args:
        source: Where the recordings are.
        corpus: Where clips and features go.
        clips: Makes clips of recordings.
        extractors: What is computed of every clip.
    """

    def __init__(
        self,
        source: Storage,
        corpus: Storage,
        clips: ClipMaker,
        extractors: Sequence[Extractor],
    ) -> None:
        self._source = source
        self._corpus = corpus
        self._clips = clips
        self._extractors = extractors

    def make(self, shard: RecordingShard) -> PrepareRecord:
        """Make what is missing of a shard: its clips, then each set of features.

        Raises:
            BackendError: If a model failed other than on one clip.
            StorageError: If recordings could not be read or results not be written.
        """
        record = PrepareRecord(shard.id, num_lines=len(shard.recordings))
        retries = self._num_retries
        name = clips_manifest_name(shard.id)
        if self._corpus.exists(name):
            manifest = decode_clip_manifest(self._corpus.read(name))
        else:
            manifest = self._make_clips(shard, record)
        for extractor in self._extractors if manifest.clips else ():
            name = features_manifest_name(extractor.set, manifest.features_key(extractor.voice_of))
            if not self._corpus.exists(name):
                self._make_features(manifest, extractor, record)
        record.num_takes, record.num_rejects = len(manifest.clips), len(manifest.refusals)
        record.audio_s = sum(clip.num_samples / clip.sample_rate for clip in manifest.clips)
        record.storage_retries = self._num_retries - retries
        return record

    @property
    def _num_retries(self) -> int:
        return self._source.num_retries + self._corpus.num_retries

    def _make_clips(self, shard: RecordingShard, record: PrepareRecord) -> ClipManifest:
        clips: list[Clip] = []
        refusals: list[Refusal] = []
        reader = RecordingReader(self._source)
        for recording in shard.recordings:
            started = time.perf_counter()
            try:
                capture = reader.read(recording)
            except InputError as error:
                refusals.append(Refusal(recording.id, error.column, error.reason))
                continue
            finally:
                record.spent("read", started)
            started = time.perf_counter()
            for made in self._clips.make(recording, capture):
                if isinstance(made, Clip):
                    clips.append(made)
                else:
                    refusals.append(made)
            record.spent("clips", started)
        data = encode_clips(clips) if clips else b""
        manifest = ClipManifest(
            shard=shard.id,
            payload=clips_payload_name(shard.id, data) if data else "",
            payload_bytes=len(data),
            clips=tuple(map(_row, clips)),
            refusals=tuple(refusals),
            openness=_openness(clips),
        )
        name = clips_manifest_name(shard.id)
        if not self._commit(manifest.payload, data, name, manifest, record):
            # Another worker was first: what it has committed is what features are computed of.
            return decode_clip_manifest(self._corpus.read(name))
        return manifest

    def _make_features(
        self, clips: ClipManifest, extractor: Extractor, record: PrepareRecord
    ) -> None:
        started = time.perf_counter()
        table = pq.read_table(io.BytesIO(self._corpus.read(clips.payload)))
        record.spent("storage", started)
        started = time.perf_counter()
        found: dict[str, Extracted] = {}
        refusals: list[Refusal] = []
        clips_left = iter(decode_clips(table))
        while batch := list(islice(clips_left, extractor.batch_size)):
            found |= _extract(extractor, batch, refusals)
        data = encode_features(list(found), [one.features for one in found.values()])
        features, key = extractor.set, clips.features_key(extractor.voice_of)
        manifest = FeatureManifest(
            set=features,
            clips=key,
            payload=features_payload_name(features, key, data),
            payload_bytes=len(data),
            rows=tuple(FeatureRow(key, len(one.features), one.cost) for key, one in found.items()),
            refusals=tuple(refusals),
        )
        record.spent(features.name, started)
        name = features_manifest_name(features, key)
        self._commit(manifest.payload, data, name, manifest, record)

    def _commit(
        self,
        payload: str,
        data: bytes,
        name: str,
        manifest: ClipManifest | FeatureManifest,
        record: PrepareRecord,
    ) -> bool:
        """Write a payload, then its manifest; say whether it was this worker that committed."""
        started = time.perf_counter()
        if data and not self._corpus.create(payload, data).holds:
            raise StorageError(
                f"{self._corpus.uri}/{payload} is damaged: its bytes are not those that its name"
                " stands for; delete it and run again"
            )
        is_mine = self._corpus.create(name, encode_manifest(manifest)).holds
        record.is_new = True
        record.payload_bytes += len(data)
        record.spent("storage", started)
        return is_mine


def _extract(
    extractor: Extractor, clips: Sequence[Clip], refusals: list[Refusal]
) -> dict[str, Extracted]:
    """Return features by clip; one that has none is refused and the others tried again."""
    waiting = {clip.key: clip for clip in clips}
    while waiting:
        try:
            return dict(zip(waiting, extractor.extract(list(waiting.values())), strict=True))
        except InputError as error:
            if waiting.pop(error.utterance_id, None) is None:
                raise BackendError(
                    f"the engine refused clip {error.utterance_id!r}, which it was not given"
                ) from error
            refusals.append(Refusal(error.utterance_id, error.column, error.reason))
    return {}


def _row(clip: Clip) -> ClipRow:
    return ClipRow(
        clip_key=clip.key,
        clip_id=clip.id,
        recording=clip.recording,
        split=clip.split,
        speaker=clip.speaker,
        language=clip.language,
        text=clip.text,
        text_source=clip.text_source,
        emotion=clip.emotion,
        channels=clip.channels,
        sample_rate=clip.sample_rate,
        num_samples=clip.num_samples,
        num_frames=len(clip.curves),
        emotion_source=clip.emotion_source,
    )


def _openness(clips: Sequence[Clip]) -> tuple[int, ...]:
    counts = np.zeros(OPENNESS_BINS, np.int64)
    jaw, lips = CHANNELS.index("jawOpen"), CHANNELS.index("mouthClose")
    for clip in clips:
        openness = (clip.curves[:, jaw] - clip.curves[:, lips]).clip(0.0, 1.0)
        counts += np.histogram(openness, OPENNESS_BINS, (0.0, 1.0))[0]
    return tuple(counts.tolist())
