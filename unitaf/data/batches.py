"""From a corpus to batches: similar lengths together, padded with masks, in a fixed order.

Conventions: the order of an epoch is a function of the catalog, the seed and the epoch's number, so
the number of batches that a worker has had is all that a run needs to go on where it was. Masks are
true where a step or frame is real.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from threading import local
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32, Int64

from unitaf import timing
from unitaf.data.corpus import Corpus, speakers_of
from unitaf.data.features import FeatureSet
from unitaf.data.payloads import decode_curves, decode_features
from unitaf.rigs.arkit import CHANNELS, column_indices
from unitaf.storage import ObjectFile, Storage

_JITTER = 0.1
"""How far lengths are shuffled before batches are cut: clips meet others in every epoch."""
_OPEN_FILES = 64
_THREADS = 16
_AHEAD = 4
"""Batches that are read before they are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some clips, padded to the longest."""

    clip_keys: tuple[str, ...]
    features: Float32[np.ndarray, "batch steps feature_dim"]
    """Of the text-to-speech engine."""
    step_mask: Bool[np.ndarray, "batch steps"]
    encoded: Float32[np.ndarray, "batch encoder_steps encoder_dim"]
    """Of the audio encoder; without steps if nobody asks for it."""
    encoder_mask: Bool[np.ndarray, "batch encoder_steps"]
    curves: Float32[np.ndarray, "batch frames channels"]
    frame_mask: Bool[np.ndarray, "batch frames"]
    style_ids: Int64[np.ndarray, " batch"]
    """Places among the speakers of the reader's clips; see `corpus.speakers_of`."""
    emotion: Float32[np.ndarray, "batch emotions"]


class EpochOrder:
    """Which clips make a batch, and which batch comes when.

    Args:
        lengths: Of every clip, in any unit.
        batch_size: Clips a batch.
        num_workers: Batches a step.
        seed: Of the run.

    Raises:
        ValueError: If there are fewer batches than workers.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, num_workers: int = 1, seed: int = 0
    ) -> None:
        self._lengths = np.asarray(lengths, np.float64)
        self._batch_size = batch_size
        self._num_workers = num_workers
        self._seed = seed
        self.steps_per_epoch = -(-len(self._lengths) // batch_size) // num_workers
        """Batches that do not go round the workers are left out; other ones in every epoch."""
        if self.steps_per_epoch == 0:
            raise ValueError(
                f"{len(self._lengths)} clips make fewer batches of {batch_size} than there are"
                f" workers ({num_workers})"
            )

    def batches(self, epoch: int, worker: int = 0) -> list[Int64[np.ndarray, " clips"]]:
        """Return a worker's batches of an epoch, in order, as positions in `lengths`."""
        random = np.random.default_rng([self._seed, epoch])
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER, len(self._lengths))
        order = np.argsort(self._lengths * jitter, kind="stable")
        starts = range(0, len(order), self._batch_size)
        batches = [order[start : start + self._batch_size] for start in starts]
        shuffled = random.permutation(len(batches))[: self.steps_per_epoch * self._num_workers]
        return [batches[index] for index in shuffled[worker :: self._num_workers]]

    def run(self, first: int = 0, worker: int = 0) -> Iterator[Int64[np.ndarray, " clips"]]:
        """Give a worker's batches, epoch after epoch without end, from its `first` on."""
        epoch, step = divmod(first, self.steps_per_epoch)
        while True:
            yield from self.batches(epoch, worker)[step:]
            epoch, step = epoch + 1, 0


class BatchReader:
    """Reads the batches of a split, ahead of time, as often as asked.

    Args:
        corpus: What `prepare` made.
        clips: Rows of its catalog; see `Corpus.clips`.
        order: Made from the lengths of these rows.
        channels: The curves that are wanted, in their order.
        fps: Frames a second that are wanted.
        with_encoder: Whether the audio encoder's features are wanted too.
    """

    def __init__(
        self,
        corpus: Corpus,
        clips: pa.Table,
        order: EpochOrder,
        channels: Sequence[str],
        fps: float,
        with_encoder: bool,
    ) -> None:
        self._rows = clips.to_pylist()
        self._order = order
        self._fps = fps
        self._corpus_fps = corpus.info.fps
        self._tts = corpus.info.tts
        self._encoder = corpus.info.encoder if with_encoder else None
        self._columns = column_indices(CHANNELS, channels)
        self._style_ids = {speaker: index for index, speaker in enumerate(speakers_of(clips))}
        self._files = _Files(corpus.storage)

    def batches(self, first: int = 0, worker: int = 0) -> Iterator[Batch]:
        """Give a worker's batches without end.

        Args:
            first: How many the worker has had: the position to go on from.
            worker: Which of the order's workers.

        Raises:
            StorageError: If a file of the corpus cannot be read.
        """
        waiting = self._order.run(first, worker)
        pending: deque[list[Future[_Item]]] = deque()
        with ThreadPoolExecutor(_THREADS, "batches") as pool:
            try:
                while True:
                    for clips in islice(waiting, _AHEAD - len(pending)):
                        pending.append([pool.submit(self._read, i) for i in clips.tolist()])
                    yield self._collate([read.result() for read in pending.popleft()])
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, index: int) -> "_Item":
        row = self._rows[index]
        curves = decode_curves(self._files.read(row["file"], row["file_row"], "curves"), 0)
        if self._fps != self._corpus_fps:
            frames = timing.num_frames(row["num_samples"], row["sample_rate"], self._fps)
            times = timing.frame_times(frames, self._fps)
            curves = timing.resample_linear(curves, self._corpus_fps, times)
        return _Item(
            row=row,
            features=self._features("tts", self._tts, row),
            encoded=self._features("encoder", self._encoder, row),
            curves=curves[:, self._columns],
        )

    def _features(
        self, name: str, features: FeatureSet | None, row: dict[str, Any]
    ) -> Float32[np.ndarray, "steps dim"]:
        if features is None:
            return np.zeros((0, 0), np.float32)
        column = self._files.read(row[f"{name}_file"], row[f"{name}_row"], "features")
        return decode_features(column[0].as_py(), features.dim).astype(np.float32)

    def _collate(self, items: "Sequence[_Item]") -> Batch:
        features, step_mask = pad([item.features for item in items])
        encoded, encoder_mask = pad([item.encoded for item in items])
        curves, frame_mask = pad([item.curves for item in items])
        return Batch(
            clip_keys=tuple(item.row["clip_key"] for item in items),
            features=features,
            step_mask=step_mask,
            encoded=encoded,
            encoder_mask=encoder_mask,
            curves=curves,
            frame_mask=frame_mask,
            style_ids=np.array([self._style_ids[item.row["speaker"]] for item in items]),
            emotion=np.array([item.row["emotion"] for item in items], np.float32),
        )


def pad(
    sequences: Sequence[Float32[np.ndarray, "_ dim"]],
) -> tuple[Float32[np.ndarray, "batch steps dim"], Bool[np.ndarray, "batch steps"]]:
    """Return sequences of different length as one array, zero behind the end, and their mask."""
    longest = max(map(len, sequences))
    padded = np.zeros((len(sequences), longest, sequences[0].shape[1]), np.float32)
    mask = np.zeros((len(sequences), longest), np.bool_)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = True
    return padded, mask


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One clip of a batch."""

    row: dict[str, Any]
    features: Float32[np.ndarray, "steps feature_dim"]
    encoded: Float32[np.ndarray, "encoder_steps encoder_dim"]
    curves: Float32[np.ndarray, "frames channels"]


class _Files:
    """The corpus's Parquet files, kept open by each thread for itself.

    Args:
        storage: Where they are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._footers: dict[str, pq.FileMetaData] = {}
        self._mine = local()

    def read(self, name: str, row: int, column: str) -> pa.ChunkedArray:
        """Return a column of one row."""
        if not hasattr(self._mine, "files"):
            self._mine.files = OrderedDict()
        files: OrderedDict[str, pq.ParquetFile] = self._mine.files
        if name not in files:
            source = pa.PythonFile(ObjectFile(self._storage, name), "r")
            files[name] = pq.ParquetFile(source, metadata=self._footers.get(name), pre_buffer=True)
            self._footers[name] = files[name].metadata
            if len(files) > _OPEN_FILES:
                files.popitem(last=False)
        files.move_to_end(name)
        return files[name].read_row_group(row, columns=[column], use_threads=False)[column]
