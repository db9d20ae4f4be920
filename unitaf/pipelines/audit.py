"""Is a delivery what its script asks for? Every file is read; nothing is changed.

What is found, of each line and file:

- ``missing``: a line of the script without a delivery, or a file that is not there.
- ``orphan``: a delivered line that the script does not have, or a file that is of no line.
- ``outdated``: the script has another text or speaker by now.
- ``too_long``: a line of the script whose text has more characters than the script allows.
- ``wrong_name``: a file that is missing, found under another name.
- ``wrong_hash``: a file that is not what was delivered.
- ``wrong_length``: audio or curves that are not as long as was delivered, or as each other.
- ``silent``: audio that is nowhere louder than -60 dB of full scale.
- ``unreadable``: a file that is not of its format.

Lines are held on disk, so memory does not grow with the script.
"""

import hashlib
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unitaf import timing
from unitaf.audio import decode_audio
from unitaf.build import build_script_defaults
from unitaf.config import GenerateConfig
from unitaf.errors import StorageError
from unitaf.export.frames import count_frames
from unitaf.export.sound import AUDIO_SUFFIXES
from unitaf.pipelines.delivery import (
    DELIVERY,
    DeliveredFile,
    DeliveredLine,
    file_digest,
    read_header,
    read_lines,
    read_stale,
)
from unitaf.pipelines.planning import fetch_script
from unitaf.script.script import open_script

_SILENCE = 1e-3
"""The loudest sample of a silent file, of full scale: -60 dB."""

_TABLES = """
CREATE TABLE script (
    line_id TEXT, language TEXT, speaker TEXT, text TEXT, is_delivered INTEGER,
    PRIMARY KEY (line_id, language)
) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE missing (path TEXT PRIMARY KEY, sha256 TEXT, line_id TEXT, language TEXT);
CREATE INDEX missing_sha256 ON missing (sha256);
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    kind: str
    line_id: str
    language: str
    path: str
    """Empty if it is about a line without files."""
    detail: str


OnFinding = Callable[[Finding], None]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the script a language has: a row of the language coverage matrix."""

    language: str
    ids: int
    """Line ids that the script has in any language."""
    lines: int
    """Those that it has in this one."""
    delivered: int
    """Those of them that are delivered."""


@dataclass(slots=True)
class AuditReport:
    """How an audit went."""

    files: int = 0
    """How many were read."""
    counts: Counter[str] = field(default_factory=Counter)
    """Findings by kind."""
    coverage: tuple[Coverage, ...] = ()


def audit(
    directory: str | Path,
    script: str | Path,
    on_finding: OnFinding,
    config: GenerateConfig | None = None,
) -> AuditReport:
    """Hold a delivery against the script that it is for.

    Args:
        directory: The delivery.
        script: The script, a file, a folder or ``s3://bucket/name``.
        on_finding: Called with everything that is wrong, as it is found.
        config: How the script is read.

    Raises:
        ConfigError: If the script cannot be read, or the folder holds no delivery.
        StorageError: If a file cannot be read.
    """
    config = config or GenerateConfig()
    with tempfile.TemporaryDirectory(prefix="unitaf-") as scratch:
        folder = Path(scratch)
        read_header(Path(directory, DELIVERY))
        work = _Audit(Path(directory), folder / "audit.sqlite", on_finding)
        try:
            path = fetch_script(str(script), folder, config.run.retry_budget_s)
            work.read_script(path, config)
            work.check_lines()
            work.check_folder()
            return work.finish()
        finally:
            work.close()


class _Audit:
    """One audit at work."""

    def __init__(self, directory: Path, path: Path, on_finding: OnFinding) -> None:
        self._directory = directory
        self._on_finding = on_finding
        self._report = AuditReport()
        self._shared: set[str] = set()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES} BEGIN")

    def close(self) -> None:
        self._db.close()

    def read_script(self, path: Path, config: GenerateConfig) -> None:
        for batch in open_script(path, build_script_defaults(config)).batches():
            lines = [line.utterance for line in batch.lines]
            self._db.executemany(
                "INSERT OR IGNORE INTO script VALUES (?,?,?,?,0)",
                [(each.id, each.language, each.speaker, each.text) for each in lines],
            )
            for line in batch.lines:
                if line.excess:
                    said = line.utterance
                    self._find("too_long", said.id, said.language, "", line.excess)
            for reject in batch.rejects:
                detail = f"row {reject.row} of the script cannot be made: {reject.reason}"
                self._find("missing", reject.line_id, "", "", detail)

    def check_lines(self) -> None:
        for line in read_lines(self._directory / DELIVERY):
            self._check_line(line)
            for file in line.files:
                self._check_file(line, file)
        for table in read_header(self._directory / DELIVERY).tables:
            self._check_file(None, table)
        query = "SELECT line_id, language FROM script WHERE NOT is_delivered"
        for line_id, language in self._db.execute(query):
            self._find("missing", line_id, language, "", "the line is not delivered")

    def _check_line(self, line: DeliveredLine) -> None:
        key = (line.line_id, line.language)
        query = "SELECT speaker, text FROM script WHERE line_id=? AND language=?"
        with closing(self._db.execute(query, key)) as cursor:
            row = cursor.fetchone()
        if row is None:
            self._find("orphan", *key, "", "the script has no such line")
            return
        self._db.execute("UPDATE script SET is_delivered=1 WHERE line_id=? AND language=?", key)
        for what, now, then in zip(
            ("speaker", "text"), row, (line.speaker, line.text), strict=True
        ):
            if now != then:
                detail = f"the {what} was {then[:60]!r} and is {now[:60]!r} now"
                self._find("outdated", *key, "", detail)

    def _check_file(self, line: DeliveredLine | None, file: DeliveredFile) -> None:
        if file.path in self._shared:
            return
        if line is None or not file.path.startswith(f"{line.name}."):
            self._shared.add(file.path)
        key = ("", "") if line is None else (line.line_id, line.language)
        self._db.execute("INSERT OR IGNORE INTO file VALUES (?)", (file.path,))
        data = self._read(file.path)
        if data is None:
            row = (file.path, file.sha256, *key)
            self._db.execute("INSERT OR IGNORE INTO missing VALUES (?,?,?,?)", row)
            return
        self._report.files += 1
        if hashlib.sha256(data).hexdigest() != file.sha256:
            self._find("wrong_hash", *key, file.path, "the file is not what was delivered")
        if line is not None:
            try:
                for kind, detail in _check_content(line, file.format, data):
                    self._find(kind, *key, file.path, detail)
            except ValueError as error:
                self._find("unreadable", *key, file.path, str(error))

    def _read(self, path: str) -> bytes | None:
        try:
            return (self._directory / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error

    def check_folder(self) -> None:
        """Look for files that are of no line; what is missing may be among them."""
        stale = {file.path for file in read_stale(self._directory / DELIVERY)}
        for path in _walk(self._directory):
            with closing(self._db.execute("SELECT 1 FROM file WHERE path=?", (path,))) as cursor:
                if cursor.fetchone() is not None:
                    continue
            found = file_digest(self._directory / path)
            query = "SELECT path, line_id, language FROM missing WHERE sha256=? LIMIT 1"
            digest = "" if found is None else found[1]
            with closing(self._db.execute(query, (digest,))) as cursor:
                row = cursor.fetchone()
            if row is not None:
                wanted, line_id, language = row
                self._db.execute("DELETE FROM missing WHERE path=?", (wanted,))
                self._find("wrong_name", line_id, language, path, f"it should be called {wanted}")
            else:
                detail = "of an earlier delivery" if path in stale else "the file is of no line"
                self._find("orphan", "", "", path, detail)
        for path, line_id, language in self._db.execute(
            "SELECT path, line_id, language FROM missing ORDER BY path"
        ):
            self._find("missing", line_id, language, path, "the file is not there")

    def finish(self) -> AuditReport:
        query = (
            "SELECT language, (SELECT count(DISTINCT line_id) FROM script), count(*),"
            " sum(is_delivered) FROM script GROUP BY language ORDER BY language"
        )
        self._report.coverage = tuple(Coverage(*row) for row in self._db.execute(query))
        return self._report

    def _find(self, kind: str, line_id: str, language: str, path: str, detail: str) -> None:
        self._report.counts[kind] += 1
        self._on_finding(Finding(kind, line_id, language, path, detail))


def _check_content(line: DeliveredLine, file_format: str, data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the kind and the detail of what is wrong in a file.

    Raises:
        ValueError: If it is not of its format.
    """
    if file_format in AUDIO_SUFFIXES:
        waveform, sample_rate = decode_audio(data)
        if (len(waveform), sample_rate) != (line.num_samples, line.sample_rate):
            yield (
                "wrong_length",
                f"{len(waveform)} samples at {sample_rate} Hz, not {line.num_samples} at"
                f" {line.sample_rate} Hz",
            )
        if not _fit(line, len(waveform), sample_rate):
            yield (
                "wrong_length",
                f"{len(waveform) / sample_rate:.3f} s of audio, but {line.num_frames} frames of"
                f" curves at {line.fps:g} fps",
            )
        if np.abs(waveform).max() < _SILENCE:
            yield "silent", "the audio is nowhere louder than -60 dB"
        return
    frames = count_frames(data, file_format)
    if frames is not None and frames != line.num_frames:
        yield "wrong_length", f"{frames} frames, not {line.num_frames}"


def _fit(line: DeliveredLine, num_samples: int, sample_rate: int) -> bool:
    """Say whether curves last as long as audio, but for the sample that resampling may add."""
    fewest, most = (
        timing.num_frames(samples, sample_rate, line.fps)
        for samples in (max(num_samples - 1, 0), num_samples)
    )
    return fewest <= line.num_frames <= most


def _walk(directory: Path) -> Iterator[str]:
    """Give the files below a folder, in order, but for those whose names begin with a dot."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name).relative_to(directory).as_posix()
            if not name.startswith(".") and path != DELIVERY:
                yield path
