"""How long a script takes to read, whatever its format.

    python -m benchmarks.script_speed [LINES]

The same lines (10,000 unless told otherwise) in every format, with speaker and direction; written
first, then opened and read to the end three times. The best time of the processor counts.
"""

import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import polib

from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script

HEADER = ["line_id", "text", "speaker", "direction"]


def main() -> None:
    """Print the time of each format."""
    num_lines = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rows = [
        (
            f"scene_{n // 40}_{n}",
            f"Voici la ligne numéro {n}, tout bas, « entre nous ».",
            "Ann",
            "x",
        )
        for n in range(num_lines)
    ]
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in WRITERS.items():
            path = Path(folder) / f"script{suffix}"
            write(path, rows)
            seconds = min(_read_s(path, num_lines) for _ in range(3))
            print(f"{suffix:8}{seconds:7.2f} s{num_lines / seconds:10,.0f} lines/s")


def _read_s(path: Path, num_lines: int) -> float:
    started = time.process_time()
    count = sum(len(batch.lines) for batch in open_script(path, ScriptDefaults()).batches())
    assert count == num_lines, (path, count)
    return time.process_time() - started


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def _write_jsonl(path: Path, rows: Sequence[Sequence[str]]) -> None:
    lines = (json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")


def _write_xlsx(path: Path, rows: Sequence[Sequence[str]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in [HEADER, *rows]:
        sheet.append(row)
    book.save(path)


def _write_po(path: Path, rows: Sequence[Sequence[str]]) -> None:
    file = polib.POFile()
    file.metadata = {"Language": "fr", "Content-Type": "text/plain; charset=UTF-8"}
    for line_id, text, speaker, direction in rows:
        note = f"Speaker: {speaker}\nDirection: {direction}"
        file.append(polib.POEntry(msgctxt=line_id, msgid=f"en {text}", msgstr=text, comment=note))
    file.save(str(path))


def _write_xliff(path: Path, rows: Sequence[Sequence[str]]) -> None:
    units = (
        f'<unit id="{line_id}"><notes><note category="character">{speaker}</note>'
        f'<note category="direction">{direction}</note></notes><segment state="final">'
        f"<source>{escape(text)}</source><target>{escape(text)}</target></segment></unit>\n"
        for line_id, text, speaker, direction in rows
    )
    head = '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en"'
    path.write_text(f'{head} trgLang="fr"><file id="f">{"".join(units)}</file></xliff>', "utf-8")


WRITERS: dict[str, Callable[[Path, Sequence[Sequence[str]]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".xlsx": _write_xlsx,
    ".po": _write_po,
    ".xlf": _write_xliff,
}


if __name__ == "__main__":
    main()
