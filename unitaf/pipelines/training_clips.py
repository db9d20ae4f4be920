"""The clips of a corpus as a training wants them: its facts, and tensors for each worker."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float32

from unitaf.checkpoint.description import FeatureSpace
from unitaf.config import TrainConfig
from unitaf.data.batches import Batch, BatchReader, EpochOrder
from unitaf.data.corpus import Corpus, open_corpus, speakers_of
from unitaf.data.features import FeatureSet
from unitaf.data.payloads import decode_curves
from unitaf.data.tables import open_parquet
from unitaf.errors import ConfigError
from unitaf.pipelines.training_step import ClipBatch
from unitaf.rigs.arkit import CHANNELS, column_indices

NEEDED = ("tts", "encoder")
"""The features that a clip must have to be trained on."""


class TrainingClips:
    """A corpus and how a job reads it; goes to the workers by pickle.

    Args:
        corpus: With features of an engine and of an audio encoder.
        config: The job.

    Raises:
        ConfigError: If the corpus lacks something that a training needs.
    """

    def __init__(self, corpus: Corpus, config: TrainConfig) -> None:
        info = corpus.info
        if info.encoder is None:
            raise ConfigError(
                f"corpus {config.corpus} has no features of an audio encoder: prepare it with one"
            )
        self._corpus = corpus
        self._config = config
        self._rows = corpus.clips("train", NEEDED)
        try:
            self._order = EpochOrder(
                self._rows["tts_steps"].to_pylist(),
                config.optimiser.clips,
                config.workers.num_workers,
                config.seed,
            )
        except ValueError as error:
            raise ConfigError(f"corpus {config.corpus}: {error}") from error
        left_out = config.network.left_out
        self.channels = tuple(n for n in corpus.channels if not n.startswith(left_out))
        if not self.channels:
            raise ConfigError(f"network.left_out leaves no channel of corpus {config.corpus}")
        self.fps = config.network.fps or info.fps
        self.features = FeatureSpace.of_engine(info.tts.fingerprint, info.tts.dim, info.tts.rate)
        self.encoder = _space(info.encoder)
        # A speaker who is only held out would have a style that nothing has taught.
        self.styles = speakers_of(self._rows)
        self.licence = info.licence

    @staticmethod
    def open(config: TrainConfig) -> "TrainingClips":
        """Open the corpus of a job.

        Raises:
            ConfigError: If there is none, or it lacks something.
        """
        return TrainingClips(open_corpus(config.corpus), config)

    def counts(self) -> dict[str, int]:
        """Return how many clips of each split can be used."""
        splits = ("train", "val", "test")
        return {split: len(self._corpus.clips(split, NEEDED)) for split in splits}

    def shard(self, rank: int, world: int) -> "WorkerClips":
        """Return the clips of one of the job's workers."""
        if world != self._config.workers.num_workers:
            raise ValueError(f"there are {world} workers, not {self._config.workers.num_workers}")
        reader = BatchReader(
            self._corpus, self._rows, self._order, self.channels, self.fps, with_encoder=True
        )
        return WorkerClips(reader, rank)

    def train_curves(self) -> Iterator[Float32[np.ndarray, "frames channels"]]:
        """Yield the curves of every clip to train on, file by file, and nothing else of it."""
        columns = column_indices(CHANNELS, self.channels)
        for name, rows in _by_file(self._rows.select(["file", "file_row"]).to_pylist()):
            table = open_parquet(self._corpus.storage, name).read(columns=["curves"])
            for row in rows:
                yield decode_curves(table["curves"], row)[:, columns]


class WorkerClips:
    """One worker's clips as tensors, without end.

    Args:
        reader: The corpus's.
        rank: Which worker.
    """

    def __init__(self, reader: BatchReader, rank: int) -> None:
        self._reader = reader
        self._rank = rank

    def batches(self, first: int) -> Iterator[ClipBatch]:
        """Yield this worker's batches without end, from the one at a position on."""
        return map(as_tensors, self._reader.batches(first, self._rank))


def as_tensors(batch: Batch) -> ClipBatch:
    """Return a batch of arrays as tensors, which share its memory."""
    return ClipBatch(
        features=torch.from_numpy(batch.features),
        step_mask=torch.from_numpy(batch.step_mask),
        encoded=torch.from_numpy(batch.encoded),
        encoder_mask=torch.from_numpy(batch.encoder_mask),
        curves=torch.from_numpy(batch.curves),
        frame_mask=torch.from_numpy(batch.frame_mask),
        style_ids=torch.from_numpy(batch.style_ids),
        emotion=torch.from_numpy(batch.emotion),
    )


def _space(features: FeatureSet) -> FeatureSpace:
    return FeatureSpace(name=features.fingerprint, dim=features.dim, rate=features.rate)


def _by_file(rows: Sequence[dict[str, object]]) -> Iterator[tuple[str, list[int]]]:
    files: dict[str, list[int]] = {}
    for row in rows:
        files.setdefault(str(row["file"]), []).append(int(str(row["file_row"])))
    yield from sorted(files.items())
