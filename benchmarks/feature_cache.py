"""What keeping features saves a training: a step on kept ones against a step that computes them.

    python -m benchmarks.feature_cache CORPUS

CORPUS is what ``unitaf prepare`` made with its default engine and encoder. A step is one batch of
16 clips read, and the adapter and decoder trained on it with the coefficient loss, on one thread.
Times are of the processor, so that other work on the machine counts little.
"""

import sys
import time
from itertools import islice

import pyarrow.parquet as pq
import torch

from unitaf.build import build_extractors
from unitaf.config import PrepareConfig
from unitaf.data.batches import Batch, BatchReader, EpochOrder
from unitaf.data.corpus import Corpus, open_corpus, speakers_of
from unitaf.data.features import Extractor
from unitaf.data.payloads import decode_clips
from unitaf.face.adapter import FeatureAdapter
from unitaf.face.decoder import TcnDecoder
from unitaf.face.model import FaceModel
from unitaf.losses import coefficient_loss
from unitaf.pipelines.training_clips import as_tensors
from unitaf.storage import ObjectFile

CLIPS, STEPS = 16, 5


def main() -> None:
    """Print the times of both."""
    torch.set_num_threads(1)
    corpus = open_corpus(sys.argv[1])
    clips = corpus.clips("train", ["tts", "encoder"])
    fps = corpus.info.fps
    order = EpochOrder(clips["tts_steps"].to_pylist(), CLIPS)
    reader = BatchReader(corpus, clips, order, corpus.channels, fps, with_encoder=True)
    model = FaceModel(
        FeatureAdapter(corpus.info.tts.dim, corpus.info.tts.rate, 384, fps),
        TcnDecoder(384, len(speakers_of(clips)) + 1),
        torch.nn.Linear(256, len(corpus.channels)),
    )
    optimiser = torch.optim.AdamW(model.parameters())
    extractors = build_extractors(PrepareConfig())
    read_s = train_s = compute_s = audio_s = 0.0
    batches = reader.batches()
    for _ in range(STEPS):
        started = time.process_time()
        batch = next(batches)
        read_s += time.process_time() - started
        started = time.process_time()
        train(model, optimiser, batch)
        train_s += time.process_time() - started
        started = time.process_time()
        compute(corpus, extractors, batch)
        compute_s += time.process_time() - started
        audio_s += float(batch.frame_mask.sum()) / fps
    print(f"{audio_s / STEPS:.0f} s of speech a step")
    print(f"read {1e3 * read_s / STEPS:.0f} ms, trained {1e3 * train_s / STEPS:.0f} ms a step")
    print(f"computed instead of read: {1e3 * compute_s / STEPS:.0f} ms a step")
    kept, computed = read_s + train_s, compute_s + train_s
    print(f"a step on kept features is {computed / kept:.1f} times as fast")


def train(model: FaceModel, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    """Take one step."""
    tensors = as_tensors(batch)
    predicted = model(
        tensors.features,
        tensors.step_mask,
        tensors.frame_mask,
        tensors.style_ids,
        tensors.emotion,
    )
    optimiser.zero_grad()
    loss = coefficient_loss(predicted, tensors.curves, tensors.frame_mask)
    torch.autograd.backward(loss)
    optimiser.step()


def compute(corpus: Corpus, extractors: list[Extractor], batch: Batch) -> None:
    """Read the clips of a batch and compute all their features."""
    rows = {row["clip_key"]: row for row in corpus.clips().to_pylist()}
    for row in (rows[key] for key in batch.clip_keys):
        file = pq.ParquetFile(ObjectFile(corpus.storage, row["file"]))
        (clip,) = islice(decode_clips(file.read_row_group(row["file_row"])), 1)
        for extractor in extractors:
            extractor.extract([clip])


if __name__ == "__main__":
    main()
