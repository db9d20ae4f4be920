"""What can be watched of a run from outside: its figures as metrics that Prometheus collects.

Conventions: Ray's agent on the driver's node serves a metric under its name here with ``ray_``
before it, and a counter with ``_total`` behind it. The tag ``pipeline`` says what runs:
``generate`` or ``prepare``. Where no cluster runs, nothing is kept: what is planned, and the lines
rejected while planning, are told in one step when the cluster is there, before the first shard.
How often Ray ran a piece of work again is in Ray's own ``ray_tasks{IsRetry="1"}``.
"""

from collections.abc import Mapping
from typing import Protocol

from ray.util.metrics import Counter, Gauge, Histogram

_BOUNDARIES_S = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0]

COUNTERS = {
    "unitaf_shards": "Shards committed",
    "unitaf_lines": "Lines done: with a take, or rejected by an engine",
    "unitaf_takes": "Takes made",
    "unitaf_rejects": "Lines rejected, those that never reached an engine included",
    "unitaf_audio_seconds": "Seconds of audio made",
    "unitaf_payload_bytes": "Bytes of takes written",
    "unitaf_storage_retries": "Storage requests that workers tried again",
    "unitaf_work_seconds": "Workers' time, by kind of work",
}
"""Names and descriptions of what is counted."""

LINES_LEFT = "unitaf_lines_left"
SHARD_SECONDS = "unitaf_shard_seconds"


class Counted(Protocol):
    """What is counted of a shard."""

    is_new: bool
    num_lines: int
    num_takes: int
    num_rejects: int
    audio_s: float
    payload_bytes: int
    storage_retries: int

    @property
    def seconds(self) -> Mapping[str, float]:
        """The worker's time by kind of work."""
        ...


class Telemetry:
    """Keeps the metrics of one run, in the driver.

    Args:
        pipeline: What runs.
    """

    def __init__(self, pipeline: str) -> None:
        self._tags = {"pipeline": pipeline}
        keys = {"unitaf_work_seconds": ("pipeline", "kind")}
        self._counters = {
            name: Counter(name, described, keys.get(name, ("pipeline",)))
            for name, described in COUNTERS.items()
        }
        self._left = Gauge(LINES_LEFT, "Lines that are still to be made", ("pipeline",))
        self._shard_s = Histogram(
            SHARD_SECONDS, "A worker's time for a shard", _BOUNDARIES_S, ("pipeline",)
        )

    def begin(self, lines_left: int, rejects: int) -> None:
        """Tell what is planned.

        Args:
            lines_left: Lines of the run that are to be made.
            rejects: Lines that were rejected before.
        """
        self._left.set(lines_left, self._tags)
        self._count("unitaf_rejects", rejects)

    def add(self, shard: Counted, lines_left: int) -> None:
        """Count a shard that is committed now.

        Args:
            shard: What its worker told.
            lines_left: Lines of the run that are still to be made.
        """
        self._count("unitaf_shards", 1)
        self._count("unitaf_lines", shard.num_lines)
        self._count("unitaf_rejects", shard.num_rejects)
        self._count("unitaf_storage_retries", shard.storage_retries)
        self._left.set(lines_left, self._tags)
        if not shard.is_new:
            return
        self._count("unitaf_takes", shard.num_takes)
        self._count("unitaf_audio_seconds", shard.audio_s)
        self._count("unitaf_payload_bytes", shard.payload_bytes)
        for kind, seconds in shard.seconds.items():
            self._count("unitaf_work_seconds", seconds, kind=kind.removesuffix("_s"))
        self._shard_s.observe(sum(shard.seconds.values()), self._tags)

    def _count(self, name: str, value: float, **tags: str) -> None:
        if value > 0:  # a counter of Ray's refuses 0
            self._counters[name].inc(value, {**self._tags, **tags})
