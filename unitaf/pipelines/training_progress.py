"""What a training tells while it runs and when it ends."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from unitaf.pipelines.training_loop import Pace, Point, Training


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """How far a training is."""

    stage: str
    """The row at work; ``start`` before the first step, ``done`` after the last."""
    step: int
    """Steps done of the stage, of `steps`."""
    steps: int
    steps_done: int
    """Steps done in all stages, of `steps_total`."""
    steps_total: int
    losses: dict[str, float]
    """Each without its weight, averaged since the point before."""
    learning_rate: float
    clips_per_s: float
    """Of all workers, since they began."""
    eta_s: float | None


OnTrainProgress = Callable[[TrainProgress], None]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a training went; kept as ``report.json``."""

    out: str
    corpus: str
    checkpoint: str
    """The last stage's."""
    clips: dict[str, int]
    """Clips of each split."""
    workers: int
    seconds: dict[str, float]
    """Wall time of this run by part: prepare, and train with the start of the workers."""
    clips_per_s: float
    points: list[Point]
    """The curve of the losses."""

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: bytes) -> "TrainReport":
        """Read a report back."""
        values = json.loads(text)
        return TrainReport(**{**values, "points": [Point(**point) for point in values["points"]]})


def progress_of(training: Training, pace: Pace, num_workers: int) -> TrainProgress:
    """Return how far a worker, and so every worker, is.

    Args:
        training: The worker's.
        pace: Measured since it began.
        num_workers: How many there are.
    """
    left = training.steps_total - training.steps_done
    points = training.points
    return TrainProgress(
        stage=training.stage.name if left else "done",
        step=training.step if left else training.stage.steps,
        steps=training.stage.steps,
        steps_done=training.steps_done,
        steps_total=training.steps_total,
        losses=points[-1].losses if points else {},
        learning_rate=points[-1].learning_rate if points else 0.0,
        clips_per_s=pace.clips_per_s * num_workers,
        eta_s=left / pace.steps_per_s if pace.steps_per_s > 0 else None,
    )
