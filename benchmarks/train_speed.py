"""What Ray Train costs a step of training, and what a second worker brings.

    python -m benchmarks.train_speed CORPUS

CORPUS is what ``unitaf prepare`` made. The stage `joint` at the embedded size makes the same steps
on the same clips in three ways, in turns: in this process without Ray, on Ray Train with one worker
of one core, and with two. Clips a second are counted from a worker's first step to its last;
starting Ray and its workers is not in them.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from unitaf.config import TrainConfig, check_train_config
from unitaf.pipelines.train import prepare_training, train
from unitaf.pipelines.training_loop import Pace

_ARMS = {"bare": 0, "one worker": 1, "two workers": 2}


def measure_speed(corpus: str, steps: int, repeats: int) -> dict[str, list[float]]:
    """Return clips a second of every arm, one for each repeat."""
    found: dict[str, list[float]] = {arm: [] for arm in _ARMS}
    for _ in range(repeats):
        for arm, workers in _ARMS.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                config = _job(corpus, folder, steps, max(1, workers))
                speed = train(config).clips_per_s if workers else _train_bare(config)
            found[arm].append(speed)
            sys.stderr.write(f"{arm}: {speed:.1f} clips/s\n")
    return found


def _train_bare(config: TrainConfig) -> float:
    training = prepare_training(config)
    pace = Pace(training)
    speed = 0.0
    for _ in training.run():
        speed = pace.clips_per_s
    return speed


def _job(corpus: str, out: str, steps: int, workers: int) -> TrainConfig:
    losses = {"coefficient": 1.0, "mouth_state": 1e5}
    trains = ["adapter", "decoder", "head"]
    stage = {"name": "joint", "trains": trains, "losses": losses, "steps": steps}
    values = {
        "corpus": corpus,
        "out": str(Path(out) / "model"),
        "stages": [stage],
        "workers": {"num_workers": workers},
    }
    return check_train_config(values, "benchmark")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = measure_speed(arguments.corpus, arguments.steps, arguments.repeats)
    bare, one, two = (statistics.median(found[arm]) for arm in _ARMS)
    sys.stdout.write(
        f"a step on Ray with one worker takes {bare / one:.3f} times a bare one's time;"
        f" two workers make {two / one:.2f} times the clips of one\n"
    )


if __name__ == "__main__":
    main()
