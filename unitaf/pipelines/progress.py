"""What a run tells while it runs and when it ends: progress, and the report."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

from unitaf.errors import StorageError
from unitaf.pipelines.telemetry import Counted, Telemetry
from unitaf.storage import LogWriter


class WorkRecord(Counted, Protocol):
    """What a worker tells of a shard: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    started_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    stage: str
    """``plan``, ``start``, ``make``, ``end`` or ``done``."""
    lines: int
    """Takes and rejects so far, of `lines_total` that had to be made."""
    lines_total: int
    rejects: int
    """Rejected lines so far, those that never reached the engine included."""
    audio_s: float
    audio_s_per_s: float
    """Seconds of audio made a second, since the first worker was ready."""
    eta_s: float | None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went; kept as ``report.json``."""

    run: str
    store: str
    script: str
    lines: int
    """Lines of the script, rejected ones included."""
    left_out: int
    """Entries of the script that are no lines: not translated yet, or not approved."""
    takes: int
    """Lines of the script that have a take now."""
    made: int
    """Takes made by this run; identical lines are made once."""
    reused: int
    """Different takes that the store held when the run began."""
    rejects: int
    rejects_by_column: dict[str, int]
    off_target: int
    """Lines with a target whose take misses it by more than a frame: the engine cannot speak so."""
    too_long: int
    """Lines whose text has more characters than the script's length limit allows."""
    uncast: dict[str, int]
    """Speakers that the job's cast does not name, with how many lines they have: each has a voice
    by the hash of its name."""
    unheard: tuple[str, ...]
    """Speakers that the job's cast names and that have no line to make: perhaps the script spells
    them otherwise."""
    unemphasised: int
    """Lines with a mark of emphasis that their engine does not follow."""
    audio_s: float
    """Seconds of audio that this run made."""
    payload_bytes: int
    shards: int
    actors: int
    tts: str
    """The engine's fingerprint."""
    face: str
    fps: float
    audio_format: str
    seconds: dict[str, float]
    """Wall time by stage (plan, start, make, end), and worker time by kind of work."""
    audio_s_per_s: float
    overhead: float
    """Actors times the wall time of making, over the workers' time in the models; 1 is perfect."""

    @property
    def reject_fraction(self) -> float:
        """Rejected lines over all lines."""
        return self.rejects / self.lines if self.lines else 0.0

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


class Recorder:
    """Adds up what the workers tell, writes ``progress.ndjson``, calls back, feeds the metrics.

    Use it in a ``with`` block, whose error is the one to tell, not one of the log's.

    Args:
        log: Where progress is kept.
        on_progress: Called after every shard.
        lines_total: Lines that have to be made.
        rejects: Lines that were rejected before.
        pipeline: What runs, for the metrics.
    """

    def __init__(
        self,
        log: LogWriter,
        on_progress: OnProgress | None,
        lines_total: int,
        rejects: int,
        pipeline: str,
    ) -> None:
        self._log = log
        self._on_progress = on_progress
        self._lines_total = lines_total
        self._rejects = rejects
        self._telemetry = Telemetry(pipeline)
        self._clock = time.perf_counter
        self._stage, self._stage_start = "plan", self._clock()
        self._make_start: float | None = None
        self.seconds: dict[str, float] = {}
        self.lines = self.made = self.shards = self.payload_bytes = 0
        self.audio_s = 0.0

    def enter(self, stage: str) -> None:
        """Close the running stage and begin another."""
        if stage == self._stage:
            return
        now = self._clock()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._stage_start
        self._stage, self._stage_start = stage, now
        self._tell({"event": "stage"})

    def begin(self) -> None:
        """Tell the metrics of the plan, once there is a cluster that keeps them."""
        self._telemetry.begin(self._lines_total - self.lines, self._rejects)

    def begin_making(self, started_s: float) -> None:
        """Say when the first worker was ready (epoch seconds): making is timed from there."""
        waited = time.time() - started_s
        self.enter("make")
        self._stage_start -= waited
        self.seconds["start"] -= waited

    def add(self, record: WorkRecord) -> None:
        """Count a shard that is committed now."""
        if self._stage == "start":
            self.begin_making(record.started_s)
        self.shards += 1
        self.lines += record.num_lines
        if record.is_new:
            self.made += record.num_takes
            self.audio_s += record.audio_s
            self.payload_bytes += record.payload_bytes
        self._rejects += record.num_rejects
        for kind, seconds in record.seconds.items():
            self.seconds[kind] = self.seconds.get(kind, 0.0) + seconds
        self._telemetry.add(record, self._lines_total - self.lines)
        self._tell({"event": "shard", **asdict(record)})
        if self.lines == self._lines_total:
            self.enter("end")

    def progress(self) -> Progress:
        """Return how far the run is."""
        elapsed = self._clock() - self._stage_start if self._stage == "make" else 0.0
        left = self._lines_total - self.lines
        return Progress(
            stage=self._stage,
            lines=self.lines,
            lines_total=self._lines_total,
            rejects=self._rejects,
            audio_s=self.audio_s,
            audio_s_per_s=self.audio_s / elapsed if elapsed > 0 else 0.0,
            eta_s=left * elapsed / self.lines if elapsed > 0 and self.lines else None,
        )

    def stop(self) -> None:
        """Close the last stage."""
        self.enter("done")

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._log.close()
        elif isinstance(error, StorageError):
            self._log.abandon()
        else:
            with suppress(StorageError):
                self._log.close()

    def _tell(self, event: dict[str, Any]) -> None:
        progress = self.progress()
        told = {"time_s": round(time.time(), 3), **event, "progress": asdict(progress)}
        self._log.append_line(json.dumps(told))
        if self._on_progress is not None:
            self._on_progress(progress)
