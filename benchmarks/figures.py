"""What the records of a run's shards say of its speed: pure functions, nothing is measured here.

Conventions: times in seconds, moments in epoch seconds. *Making* (T) lasts from the first shard
begun by a worker to the last commit. Work is what workers do inside shards; the rest of
``workers * T`` is idle.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unitaf.pipelines.making import ShardRecord

MODEL, WORK = ("tts", "face"), ("tts", "face", "encode", "storage")


@dataclass(frozen=True, slots=True)
class Making:
    """How the workers of one run spent the time of making."""

    started_s: float
    ended_s: float
    workers: int
    parts_s: dict[str, float]
    """Seconds, summed over workers: the kinds of `WORK`; ``other``, the rest of the time in shards;
    ``late``, before a worker's first shard; ``gaps``, between shards; ``tail``, after a worker's
    last shard. Together ``workers * duration_s``."""

    @property
    def duration_s(self) -> float:
        """T."""
        return self.ended_s - self.started_s

    @property
    def shares(self) -> dict[str, float]:
        """The parts as shares of all the time that the workers had."""
        had_s = self.workers * self.duration_s
        return {part: seconds / had_s for part, seconds in self.parts_s.items()}

    def overhead(self, kinds: Sequence[str]) -> float:
        """Return the time that the workers had over what they spent on some kinds of work.

        1 is perfect. It holds on a machine that others use too: they slow both down.
        """
        return self.workers * self.duration_s / self._spent_s(kinds)

    def warm_overhead(self, kinds: Sequence[str]) -> float:
        """Return the same of warm workers: each has time from its own first shard on."""
        had_s = self.workers * self.duration_s - self.parts_s["late"]
        return had_s / self._spent_s(kinds)

    def _spent_s(self, kinds: Sequence[str]) -> float:
        return sum(self.parts_s[kind] for kind in kinds)


def divide_making(records: Sequence[ShardRecord], workers: int) -> Making:
    """Divide the time of making by what the workers did.

    Args:
        records: Of every shard of the run.
        workers: How many processes there were; one without a shard was late all the time.
    """
    started_s = min(record.started_s for record in records)
    ended_s = max(record.ended_s for record in records)
    parts_s = {kind: sum(getattr(r, f"{kind}_s") for r in records) for kind in WORK}
    spans_s = sum(record.ended_s - record.started_s for record in records)
    parts_s["other"] = spans_s - sum(parts_s.values())
    firsts: dict[int, float] = {}
    lasts: dict[int, float] = {}
    for record in sorted(records, key=lambda record: record.started_s):
        firsts.setdefault(record.worker, record.started_s)
        lasts[record.worker] = record.ended_s
    duration_s = ended_s - started_s
    parts_s["late"] = sum(first - started_s for first in firsts.values())
    parts_s["late"] += (workers - len(firsts)) * duration_s
    parts_s["tail"] = sum(ended_s - last for last in lasts.values())
    parts_s["gaps"] = workers * duration_s - spans_s - parts_s["late"] - parts_s["tail"]
    return Making(started_s, ended_s, workers, parts_s)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(speeds: Mapping[str, Sequence[float]], workers: int) -> dict[str, dict[str, float]]:
    """Return how the arms' speeds compare, repeat by repeat.

    Args:
        speeds: Arm to its speed in every repeat.
        workers: Of the arms with several; ``scaling`` is their speed over as many times ``seq``.
    """
    seq, mp, ours = (speeds[arm] for arm in ("seq", "mp", "unitaf"))
    return {
        "unitaf/mp": spread([a / b for a, b in zip(ours, mp, strict=True)]),
        "mp/seq": spread([a / b for a, b in zip(mp, seq, strict=True)]),
        "unitaf scaling": spread([a / b / workers for a, b in zip(ours, seq, strict=True)]),
        "mp scaling": spread([a / b / workers for a, b in zip(mp, seq, strict=True)]),
    }
