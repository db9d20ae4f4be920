"""``unitaf export`` and ``unitaf audit``: takes as files for other tools, and their check."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from unitaf.cli import display
from unitaf.config import load_config
from unitaf.errors import UnitafError

if TYPE_CHECKING:
    from unitaf.pipelines.audit import AuditReport, Finding
    from unitaf.pipelines.export import ExportReport, OnReport

_FORMATS = (
    "Comma separated. Audio: wav, flac, ogg, opus. Face: livelink, json, glb, usd, curves_csv,"
    " curves_json, npz, parquet. Subtitles: srt, vtt. Middleware: wwise, wsources, fmod."
)


def export(  # noqa: PLR0913 - each is a word that the user may type
    store: Annotated[str, typer.Argument(help="A folder or s3://bucket/prefix.")],
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
    format_: Annotated[str, typer.Option("--format", help=_FORMATS)] = "wav,livelink",
    name: Annotated[
        str, typer.Option(help="File name without suffix; catalog columns in braces.")
    ] = "{language}/{speaker}/{line_id}",
    rate: Annotated[
        int | None, typer.Option(help="Sample rate of audio files in Hz; else the takes' own.")
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(help="Of every audio file, in LUFS; else the takes' own.")
    ] = None,
    true_peak: Annotated[
        float, typer.Option(help="With --loudness: what no peak exceeds, in dBTP.")
    ] = -1.0,
    rig: Annotated[
        Path | None,
        typer.Option(help="Another face for glb and usd: a GLB, an npz or a folder of OBJ files."),
    ] = None,
    changed_since: Annotated[
        Path | None, typer.Option(help="A delivery: write only what differs from it.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove files of lines that are no longer there.")
    ] = False,
    object_path: Annotated[
        str, typer.Option(help="A line's object in Wwise; catalog columns in braces.")
    ] = r"\Actor-Mixer Hierarchy\Default Work Unit\{speaker}\{line_id}",
    wwise_root: Annotated[
        str | None, typer.Option(help="Where the folder lies for Wwise (wsources); else here.")
    ] = None,
) -> None:
    """Write the takes of STORE as files for other tools; again, only what has changed."""
    from unitaf.export.sound import Level
    from unitaf.pipelines.export import export as run
    from unitaf.pipelines.export_plan import ExportOptions
    from unitaf.pipelines.store import open_store

    formats = [part.strip() for part in format_.split(",") if part.strip()]
    level = None if loudness is None else Level(loudness, true_peak)
    options = ExportOptions(rate, rig, level, object_path, wwise_root, changed_since, remove)
    with _progress_shown() as on_report:
        report = run(open_store(store), directory, formats, name, options, on_report)
    _print_export(report, directory)


def audit(
    directory: Annotated[Path, typer.Argument(help="A delivery of 'unitaf export'.")],
    script: Annotated[str, typer.Argument(help="The script that it is for.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, a row a finding.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="The YAML job file that says how the script is read.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, such as script.language=fr."),
    ] = None,
) -> None:
    """Check that DIRECTORY holds every line of SCRIPT, and nothing else; exit code 1 if not."""
    from unitaf.pipelines.audit import audit as run

    job = load_config(config, set_ or [])
    shown = _JsonFindings() if as_json else _TextFindings()
    report = run(directory, script, shown.add, job)
    shown.finish(report)
    if report.counts:
        raise UnitafError(f"{_findings(report)} in {directory}")


def _findings(report: "AuditReport") -> str:
    count = report.counts.total()
    return "1 finding" if count == 1 else f"{count} findings"


class _TextFindings:
    """Prints findings as lines, then the language coverage matrix."""

    def add(self, finding: "Finding") -> None:
        line = f"{finding.language}/{finding.line_id}" if finding.language else finding.line_id
        where = ", ".join(part for part in (line, finding.path) if part)
        print(f"{finding.kind}: {where}: {finding.detail}")

    def finish(self, report: "AuditReport") -> None:
        print(f"{report.files} files read, {_findings(report)}")
        rows: list[tuple[str, ...]]
        rows = [("language", "lines", "not translated", "delivered", "missing")]
        for row in report.coverage:
            numbers = (row.lines, row.ids - row.lines, row.delivered, row.lines - row.delivered)
            rows.append((row.language, *map(str, numbers)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for cells in rows:
            print("  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)))


class _JsonFindings:
    """Prints a JSON document as findings come."""

    def __init__(self) -> None:
        self._opening = '{"findings": ['

    def add(self, finding: "Finding") -> None:
        print(self._opening + "\n" + json.dumps(asdict(finding), ensure_ascii=False), end="")
        self._opening = ","

    def finish(self, report: "AuditReport") -> None:
        if self._opening != ",":
            print(self._opening, end="")
        tail = {
            "counts": report.counts,
            "files": report.files,
            "coverage": [asdict(row) for row in report.coverage],
        }
        print("\n],\n" + json.dumps(tail, ensure_ascii=False)[1:])


@contextmanager
def _progress_shown() -> Iterator["OnReport | None"]:
    """Show a bar on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Bar(console=console) as bar:
        task = bar.add_task("export", total=None)
        yield lambda report: bar.update(
            task, total=report.lines, completed=report.kept + report.written
        )


def _print_export(report: "ExportReport", directory: Path) -> None:
    size = display.size(report.size_bytes)
    same = f", {report.kept} unchanged" if report.kept else ""
    print(f"{report.lines} lines{same}, {report.files} files, {size} in {directory}")
    if report.removed:
        print(f"{report.removed} files of an earlier delivery removed")
    if report.stale:
        more = ", ..." if report.stale > len(report.first_stale) else ""
        print(
            f"unitaf: {report.stale} files of an earlier delivery are of no line any more:"
            f" {', '.join(report.first_stale)}{more}; --remove removes them",
            file=sys.stderr,
        )
