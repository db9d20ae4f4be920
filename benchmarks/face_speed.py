"""How fast recordings are animated on one core: in batches, and one clip after the other.

    python -m benchmarks.face_speed [base|large]

Weights are random; sizes are those of the published models. Times are of the processor, the best of
three runs each, so that other work on the machine does not count.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from unitaf.face.encoders import SAMPLE_RATE
from unitaf.face.recordings import Target, predict_motion
from unitaf.face.unitalker import BASE, LARGE, Network, build_unitalker
from unitaf.face.whisper import whisper_tiny_en

HEAD = "inhouse_blendshape_weight"
RUNS = 3


def lines(seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Return sets of clips as loud as speech, by what they are."""
    random = np.random.default_rng(seed)
    lengths = {
        "16 clips of 0.5 to 20 s": random.uniform(0.5, 20, 16),
        "32 lines of 1 to 4 s": random.uniform(1, 4, 32),
        "64 barks of 0.3 to 1 s": random.uniform(0.3, 1, 64),
    }
    return {
        name: [
            (0.1 * random.standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)
            for seconds in durations
        ]
        for name, durations in lengths.items()
    }


def best_s(work: Callable[[], object]) -> float:
    """Return the shortest processor time of a few runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure(run: Callable[[list[np.ndarray]], list[np.ndarray]], clips: list[np.ndarray]) -> str:
    """Return one row of the table: loop, batch, how much faster, times real time, difference."""
    together, alone = run(clips), [run([clip])[0] for clip in clips]
    gap = max(np.abs(a - b).max() for a, b in zip(together, alone, strict=True))
    loop_s = best_s(lambda: [run([clip]) for clip in clips])
    batch_s = best_s(lambda: run(clips))
    seconds = sum(len(clip) for clip in clips) / SAMPLE_RATE
    return (
        f"{seconds:9.1f}{loop_s:8.2f}{batch_s:9.2f}{loop_s / batch_s:8.2f}"
        f"{seconds / batch_s:13.1f}{gap:12.1e}"
    )


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = sys.argv[1] if len(sys.argv) > 1 else "base"
    encoder, sizes = {"base": ("wavlm", BASE), "large": ("wav2vec2", LARGE)}[size]
    model = build_unitalker(Network(encoder, sizes, 935, {HEAD: 51})).eval()
    torch.nn.init.normal_(model.heads[HEAD].weight, std=0.05)
    target = Target(HEAD, 934, 30.0, np.zeros(51, np.float32))
    ways = {
        f"UniTalker, {size}, to curves": lambda clips: predict_motion(model, clips, target),
        "Whisper tiny.en, to features": whisper_tiny_en().encode,
    }
    print(f"{'':58}  audio s  loop s  batch s  faster  x real time  difference")
    for name, clips in lines().items():
        for what, run in ways.items():
            print(f"{what:34}{name:>24}{measure(run, clips)}")


if __name__ == "__main__":
    main()
