"""What the command shows: progress while it works, tables at the end."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from unitaf.emotion import describe_emotion
from unitaf.pipelines.preview import Preview
from unitaf.pipelines.progress import OnProgress, Progress, Report
from unitaf.pipelines.store import StoreStatus
from unitaf.tts.voices import Voice
from unitaf.types import Speech, Take

_PLAIN_LINE_EVERY_S = 5.0
_SPEAKERS_SHOWN = 10


@contextmanager
def progress_shown(what: str = "lines") -> Iterator[OnProgress]:
    """Show progress on stderr: a bar on a terminal, now and then a line elsewhere.

    Args:
        what: Is counted.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("plan", total=None, detail="")
            yield lambda progress: bar.update(
                task,
                description=progress.stage,
                total=progress.lines_total or None,
                completed=progress.lines,
                detail=describe_progress(progress, what),
            )
        return
    yield _PlainLines(console, what)


class _PlainLines:
    """Prints progress as lines: when the stage changes, at the end, and every few seconds."""

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._stage = ""
        self._printed_s = -_PLAIN_LINE_EVERY_S

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        is_due = now - self._printed_s >= _PLAIN_LINE_EVERY_S
        if is_due or progress.stage != self._stage or progress.lines == progress.lines_total:
            self._stage, self._printed_s = progress.stage, now
            told = describe_progress(progress, self._what)
            self._console.print(Text(f"{progress.stage}: {told}"))


class _Bar(Bar):
    """A bar, and the details below it: beside it they would not fit a terminal."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """Yield the line with the bar, and the details."""
        for task in self.tasks:
            yield self.make_tasks_table([task])
            yield Text(task.fields["detail"])


def _bar(console: Console) -> Bar:
    return _Bar(
        TextColumn("{task.description:>5}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def describe_progress(progress: Progress, what: str = "lines") -> str:
    """Return progress as one line."""
    parts = [f"{progress.lines:,} of {progress.lines_total:,} {what}"]
    if progress.stage == "make":
        parts.append(f"{duration(progress.audio_s)} of audio, {progress.audio_s_per_s:.0f} s/s")
    parts.append(f"{progress.rejects:,} rejects")
    if progress.eta_s is not None and progress.stage == "make":
        parts.append(f"{duration(progress.eta_s)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as people say it: ``4.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(num_bytes: float) -> str:
    """Return a number of bytes with a decimal unit."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "bytes" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def print_preview(preview: Preview) -> None:
    """Print what a run would do."""
    counts = preview.counts
    _print_pairs(
        "Dry run: nothing is made",
        [
            ("lines", f"{counts.lines:,}"),
            *_left_out(counts.left_out),
            ("rejected lines", f"{counts.rejects:,}"),
            *_too_long(preview.too_long),
            *_cast(preview.uncast, preview.unheard),
            ("takes needed", f"{counts.unique:,}"),
            ("there already", f"{counts.done:,}"),
            ("to be made", f"{counts.todo:,}"),
            ("audio, about", duration(preview.audio_s)),
            ("time, about", f"{duration(preview.wall_s)} {preview.basis}"),
            ("size, about", size(preview.payload_bytes)),
        ],
    )
    for row, line_id, column, reason in preview.first_rejects:
        _print(f"row {row}: {line_id!r}, {column}: {reason}")


def _left_out(count: int) -> list[tuple[str, str]]:
    return [("not translated or approved", f"{count:,}")] if count else []


def _cast(uncast: Mapping[str, int], unheard: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    if uncast:
        counted = [f"{name} ({count:,})" for name, count in uncast.items()]
        lines = f"{len(uncast):,}, with a voice by their name, of {sum(uncast.values()):,} lines"
        pairs.append(("not in the cast", f"{lines}: {_shortened(counted)}"))
    if unheard:
        pairs.append(
            ("without a line to make", f"{len(unheard):,} of the cast: {_shortened(unheard)}")
        )
    return pairs


def _shortened(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SPEAKERS_SHOWN], *(["..."] if names[_SPEAKERS_SHOWN:] else [])])


def _too_long(count: int) -> list[tuple[str, str]]:
    return [("texts too long", f"{count:,}, for the script's length limit")] if count else []


def _unemphasised(count: int) -> list[tuple[str, str]]:
    return [("not emphasised", f"{count:,}, by an engine that cannot")] if count else []


def print_report(report: Report) -> None:
    """Print how a run went."""
    seconds = report.seconds
    stages = ", ".join(
        f"{stage} {seconds[stage]:.1f}"
        for stage in ("plan", "start", "make", "end")
        if stage in seconds
    )
    pairs = [
        ("store", report.store),
        ("lines", f"{report.lines:,}"),
        *_left_out(report.left_out),
        ("with a take", f"{report.takes:,}"),
        ("takes made", f"{report.made:,}"),
        ("takes reused", f"{report.reused:,}"),
        ("rejected lines", _count_by(report.rejects, report.rejects_by_column)),
        *([("off their target", f"{report.off_target:,}")] if report.off_target else []),
        *_too_long(report.too_long),
        *_cast(report.uncast, report.unheard),
        *_unemphasised(report.unemphasised),
    ]
    if report.made:
        pairs += [
            ("audio made", duration(report.audio_s)),
            ("speed", f"{report.audio_s_per_s:.0f} s of audio a second, {report.actors} workers"),
            ("size", size(report.payload_bytes)),
        ]
    _print_pairs(f"Run {report.run}", [*pairs, ("seconds", stages)])


def print_status(status: StoreStatus) -> None:
    """Print what a store holds."""
    left = f"{status.open_lines:,} lines" if status.open_lines else "nothing"
    _print_pairs(
        "Store",
        [
            ("takes", f"{status.takes:,} in {status.shards:,} files"),
            ("languages", ", ".join(status.languages) or "none"),
            ("audio", duration(status.audio_s)),
            ("size", size(status.payload_bytes)),
            ("left by the last plan", left),
        ],
    )
    table = Table("run", "script", "lines", "made", "rejects", title="Runs, newest first")
    for run in status.runs:
        if run.report is None:
            _add_row(table, run.name, "not ended: at work, or killed", "", "", "")
        else:
            keys = ("script", "lines", "made", "rejects")
            _add_row(table, run.name, *(str(run.report[key]) for key in keys))
    _console().print(table)


def print_take(take: Take) -> None:
    """Print one take."""
    said, speech, motion = take.utterance, take.speech, take.motion
    _print_pairs(
        f"Line {said.id}",
        [
            ("text", said.text),
            ("speaker", said.speaker or "-"),
            ("language", said.language),
            ("emotion", describe_emotion(said.emotion) or "neutral"),
            (
                "audio",
                f"{speech.duration_s:.3f} s, {speech.num_samples:,} at {speech.sample_rate} Hz",
            ),
            ("face", f"{len(motion.curves):,} frames at {motion.fps:g} fps"),
            ("voice", take.provenance.voice),
            ("made by", f"{take.provenance.tts}; {take.provenance.face}"),
            ("licence", take.provenance.licence),
            ("take key", take.key),
        ],
    )
    for start_s, end_s, label in _timed_sounds(speech):
        _print(f"{start_s:8.3f} {end_s:8.3f}  {label}")


def _timed_sounds(speech: Speech) -> Iterator[tuple[float, float, str]]:
    """Yield words and phones with their times in s, each word before its phones, set apart."""
    sounds = [(word.start_s, word.end_s, word.text) for word in speech.words]
    sounds += [(p.start_s, p.end_s, f"    {p.label}") for p in speech.phones if p.label]
    # Sorting is stable: of two that begin together, the word is first.
    yield from sorted(sounds, key=lambda sound: round(sound[0], 3))


def print_voices(voices: Sequence[Voice]) -> None:
    """Print the voices that there are."""
    table = Table("engine", "voice", "languages", "installed", "licence", "note")
    for column in table.columns:
        column.overflow = "fold"
    # Voices that differ in their names alone share a row.
    for alike, group in groupby(voices, key=lambda voice: replace(voice, voice="")):
        _add_row(
            table,
            alike.engine,
            ", ".join(voice.voice for voice in group),
            ", ".join(alike.languages),
            "yes" if alike.is_installed else "no",
            alike.licence,
            alike.note,
        )
    _console().print(table)


def _count_by(total: int, parts: dict[str, int]) -> str:
    if not total:
        return "0"
    by_column = ", ".join(f"{column or 'line'}: {count:,}" for column, count in parts.items())
    return f"{total:,} ({by_column})"


def _print_pairs(title: str, pairs: Sequence[tuple[str, str]]) -> None:
    table = Table(title=Text(title, "table.title"), show_header=False, title_justify="left")
    for label, value in pairs:
        _add_row(table, label, value)
    _console().print(table)


def _add_row(table: Table, *cells: str) -> None:
    """Add cells as they are: a script's ``[sighs]`` and ``:smile:`` are no markup of rich."""
    table.add_row(*map(Text, cells))


def _print(line: str) -> None:
    _console().print(Text(line), soft_wrap=True)


def _console() -> Console:
    return Console()
