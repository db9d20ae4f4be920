"""What is told of a preparation run: how much there is, of whom, how good, what is missing."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unitaf.pipelines.corpus_catalog import Contents
from unitaf.pipelines.progress import Recorder

_COST_BINS = 20
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """How a preparation run went and what the corpus holds now; kept as ``report.json``."""

    run: str
    source: str
    corpus: str
    recordings: int
    """Recordings of the source, refused ones included."""
    clips: int
    hours: float
    hours_by_split: dict[str, float]
    hours_by_language: dict[str, float]
    speakers: dict[str, int]
    """Clips of every speaker."""
    texts: dict[str, int]
    """Clips whose text was given, and transcribed."""
    emotions: dict[str, int]
    """Clips whose emotion is that of the source's tags, and of the recording."""
    without_features: dict[str, int]
    """Clips that lack the features of a set."""
    rejects: int
    """Recordings and clips that were refused, those without features not counted."""
    rejects_by_cause: dict[str, int]
    """At every stage: refused recordings and clips, and clips without features."""
    openness: list[int]
    """Frames by jaw opening less lip closure, in equal bins from 0 to 1."""
    alignment_costs: list[int]
    """Clips by the cost of their alignment, in equal bins from 0 to 1."""
    alignment_cost_quantiles: dict[str, float]
    feature_megabytes_per_hour: dict[str, float]
    made: int
    """Clips of the shards that this run worked on."""
    payload_bytes: int
    """Written by this run."""
    seconds: dict[str, float]
    """Wall time by stage (plan, start, make, end), and worker time by kind of work."""

    @property
    def reject_fraction(self) -> float:
        """Refused recordings and clips, of these and the clips that there are."""
        everything = self.rejects + self.clips
        return self.rejects / everything if everything else 0.0

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def report_on(
    run: str, source: str, corpus: str, contents: Contents, recorder: Recorder
) -> PrepareReport:
    """Sum up what a run found and made.

    Args:
        run: Its folder.
        source: What the user called the source.
        corpus: Where the corpus is.
        contents: What the manifests say.
        recorder: What the workers said.
    """
    rows = list(contents.rows())
    rejected = list(contents.rejected())
    costs = [row["alignment_cost"] for row in rows if row["alignment_cost"] is not None]
    hours = sum(row["duration_s"] for row in rows) / 3600
    refused = [one for one in rejected if one.stage in ("source", "clip")]
    return PrepareReport(
        run=run.removeprefix("runs/"),
        source=source,
        corpus=corpus,
        recordings=contents.num_recordings,
        clips=len(rows),
        hours=hours,
        hours_by_split=_hours(rows, "split"),
        hours_by_language=_hours(rows, "language"),
        speakers=_count(row["speaker"] for row in rows),
        texts=_count(row["text_source"] for row in rows),
        emotions=_count(row["emotion_source"] for row in rows),
        without_features={
            name: sum(row[f"{name}_file"] is None for row in rows) for name in contents.features
        },
        rejects=len(refused),
        rejects_by_cause=_count(one.cause for one in rejected),
        openness=np.sum([m.openness for m in contents.clips], axis=0).tolist(),
        alignment_costs=np.histogram(np.clip(costs, 0, 1), _COST_BINS, (0, 1))[0].tolist(),
        alignment_cost_quantiles={
            f"{share:g}": round(float(np.quantile(costs, share)), 4) if costs else 0.0
            for share in _QUANTILES
        },
        feature_megabytes_per_hour={
            name: round(sum(m.payload_bytes for m in manifests) / 1e6 / hours, 1) if hours else 0.0
            for name, manifests in contents.features.items()
        },
        made=recorder.made,
        payload_bytes=recorder.payload_bytes,
        seconds=recorder.seconds,
    )


def _hours(rows: list[dict[str, Any]], key: str) -> dict[str, float]:
    hours: dict[str, float] = {}
    for row in rows:
        hours[row[key]] = hours.get(row[key], 0.0) + row["duration_s"] / 3600
    return dict(sorted(hours.items()))


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
