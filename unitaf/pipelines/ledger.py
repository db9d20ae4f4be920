"""A run's working table: the script's lines, their keys, and what is known of them.

It lives in a scratch folder on the driver's disk (SQLite, with the script's other columns in an
Arrow file beside it), so that the driver's memory does not grow with the script. It is never shared
and never read by a later run.

This module knows nothing about storage, Ray or models.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from unitaf.pipelines.shards import MAX_CHARACTERS, Manifest
from unitaf.script.lines import Reject, ScriptLine
from unitaf.script.script import Script
from unitaf.types import Utterance

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -8000;
CREATE TABLE line (
    position INTEGER PRIMARY KEY, row INTEGER, line_id TEXT, language TEXT, speaker TEXT, text TEXT,
    emotion TEXT, seed INTEGER, target_s REAL, key TEXT, role TEXT, written TEXT,
    unspoken TEXT
);
CREATE TABLE part (
    first INTEGER PRIMARY KEY, file TEXT
);
CREATE TABLE reject (
    row INTEGER, line_id TEXT, field TEXT, reason TEXT, stage TEXT
);
CREATE TABLE job (
    key TEXT PRIMARY KEY, position INTEGER, language TEXT, role TEXT, characters INTEGER,
    shard INTEGER
) WITHOUT ROWID;
CREATE TABLE done (
    key TEXT PRIMARY KEY, payload TEXT, row_group INTEGER, payload_row INTEGER, sample_rate INTEGER,
    fps REAL, num_samples INTEGER, num_frames INTEGER,
    field TEXT, reason TEXT
) WITHOUT ROWID;
"""


_POSITION = pa.field(" position", pa.int64())
_FILE = "(SELECT file FROM part WHERE part.first <= {} ORDER BY part.first DESC LIMIT 1)"
_IN_FILE = f"coalesce({_FILE.format('line.position')} || ': ', '')"
"""Begins a reason where the script is a folder."""


class Assigned(NamedTuple):
    """What a line becomes, and who makes it."""

    said: Utterance
    """With its words as they are to be said."""
    key: str
    role: str


class Cut(NamedTuple):
    """The lines of one shard."""

    role: str
    lines: list[tuple[Utterance, str]]
    """Utterances, each with its take key."""


@dataclass(frozen=True, slots=True)
class Located:
    """A line of the script whose take is in the store."""

    row: int
    position: int
    utterance: Utterance
    """With its words as they are said."""
    key: str
    written: str
    """Its text as the script has it."""
    unspoken: str
    """The stage directions that stood in it."""
    payload: str
    row_group: int
    payload_row: int
    sample_rate: int
    fps: float
    num_samples: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How a script divides."""

    lines: int
    """Lines of the script, the rejected ones included."""
    rejects: int
    left_out: int
    """Entries that are no lines: not translated yet, or not approved."""
    unique: int
    """Different takes that the script needs."""
    done: int
    """Of these, how many the store holds."""
    todo: int
    todo_characters: int
    todo_languages: int


class Ledger:
    """The working table of one run.

    Args:
        folder: An empty scratch folder; the caller removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
        self._db.executescript(_TABLES)
        self._extras_path = folder / "extras.arrow"
        self._extra_schema = pa.schema([])
        self._columns: Mapping[str, str] = {}
        self._num_left_out = 0
        self.num_too_long = 0
        """The lines met whose text has more characters than the script allows."""

    def close(self) -> None:
        """Close the files."""
        self._db.close()

    def load(
        self,
        script: Script,
        assign: Callable[[ScriptLine], Assigned | Reject],
    ) -> None:
        """Read the whole script, once: lines, rejects, other columns.

        Args:
            script: The opened script.
            assign: Gives what a line becomes, or its reject if no engine of the job can make it.
        """
        self._extra_schema = script.extra_schema
        self._columns = script.columns
        extras_schema = pa.schema([_POSITION, *self._extra_schema])
        position = 0
        self._db.execute("BEGIN")
        with (
            pa.OSFile(str(self._extras_path), "wb") as sink,
            pa.ipc.new_stream(sink, extras_schema) as extras,
        ):
            for batch in script.batches():
                rows, rejects = [], list(batch.rejects)
                self._num_left_out += batch.num_left_out
                if batch.file:
                    place = (position, batch.file)
                    self._db.execute("INSERT OR REPLACE INTO part VALUES (?,?)", place)
                for index, line in enumerate(batch.lines):
                    found = assign(line)
                    if isinstance(found, Assigned):
                        self.num_too_long += line.excess != ""
                        rows.append(_line_row(position + index, line, found))
                    else:
                        reason = f"{batch.file}: {found.reason}" if batch.file else found.reason
                        column = self._column(found.column)
                        rejects.append(replace(found, column=column, reason=reason))
                self._db.executemany("INSERT INTO line VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
                self._db.executemany(
                    "INSERT INTO reject VALUES (?,?,?,?,'script')",
                    [(r.row, r.line_id, r.column, r.reason) for r in rejects],
                )
                positions = pa.array(range(position, position + len(batch.lines)), pa.int64())
                extras.write_batch(
                    pa.record_batch([positions, *batch.extras.columns], schema=extras_schema)
                )
                position += len(batch.lines)
        self._refuse_duplicates()
        self._db.execute(
            "INSERT INTO job SELECT key, min(position), language, role, length(text), NULL"
            " FROM line GROUP BY key"
        )
        self._db.execute("COMMIT")

    def mark_done(self, manifests: Iterable[Manifest]) -> None:
        """Note which keys the store already holds or has found impossible."""
        self._db.execute("BEGIN")
        for manifest in manifests:
            rows: list[tuple[object, ...]] = [
                (
                    take.key, manifest.payload, row // manifest.row_group_size, row,
                    manifest.sample_rate, manifest.fps, take.num_samples, take.num_frames,
                    None, None,
                )
                for row, take in enumerate(manifest.takes)
            ]  # fmt: skip
            rows += [(r.key, *[None] * 7, r.column, r.reason) for r in manifest.rejects]
            # The first manifest wins: a take that two jobs made at once is read from one place.
            self._db.executemany(f"INSERT OR IGNORE INTO done VALUES ({','.join('?' * 10)})", rows)
        self._db.execute("COMMIT")

    def counts(self) -> Counts:
        """Count lines and takes."""
        lines, rejects = self._one(
            "SELECT (SELECT count(*) FROM line), (SELECT count(*) FROM reject)"
        )
        unique, done, todo, characters, languages = self._one(
            "SELECT count(*), count(done.payload), count(*) - count(done.key),"
            " coalesce(sum(CASE WHEN done.key IS NULL THEN characters END), 0),"
            " count(DISTINCT CASE WHEN done.key IS NULL THEN language END)"
            " FROM job LEFT JOIN done USING (key)"
        )
        return Counts(
            lines + rejects, rejects, self._num_left_out, unique, done, todo, characters, languages
        )

    def keys(self) -> Iterator[str]:
        """Give every key that the script needs, in order."""
        for (key,) in self._db.execute("SELECT key FROM job ORDER BY key"):
            yield key

    def cut(self, shard_size: int) -> Iterator[Cut]:
        """Divide what is left into shards of one language, one role and about equal length.

        Lines are dealt in order of length, so every shard has short and long ones; within a shard
        they are sorted by length. Where lines are long, shards have fewer than ``shard_size``. The
        last quarter of a role's shards is cut in halves: made last, they let workers end
        together.
        """
        self._db.execute("BEGIN")
        self._db.execute("UPDATE job SET shard = NULL")
        self._db.execute(
            "WITH need AS ("
            " SELECT key, row_number() OVER w - 1 AS number,"
            " max((count(*) OVER g + ? - 1) / ?, (sum(characters) OVER g + ? - 1) / ?) AS shards"
            " FROM job WHERE key NOT IN (SELECT key FROM done)"
            " WINDOW g AS (PARTITION BY language, role),"
            " w AS (PARTITION BY language, role ORDER BY characters, key)"
            "), half AS ("
            " SELECT key, number % (2 * shards) AS half, shards - shards / 4 AS whole FROM need"
            ") UPDATE job SET shard = iif(half < 2 * whole, half / 2, half - whole)"
            " FROM half WHERE job.key = half.key",
            (shard_size, shard_size, MAX_CHARACTERS, MAX_CHARACTERS),
        )
        self._db.execute("COMMIT")
        query = (
            "SELECT job.language, job.role, job.shard, line.*"
            " FROM job JOIN line ON line.position = job.position WHERE job.shard IS NOT NULL"
            " ORDER BY job.language, job.role, job.shard, job.characters, job.key"
        )
        rows = self._db.execute(query)
        for (_, role, _), shard in groupby(rows, key=itemgetter(0, 1, 2)):
            yield Cut(role, [(_utterance(row[3:]), row[12]) for row in shard])

    def note_engine_rejects(self) -> None:
        """Turn every line whose take was found impossible into a reject."""
        self._db.execute("BEGIN")
        self._db.execute(
            f"INSERT INTO reject SELECT line.row, line_id, field, {_IN_FILE} || reason, 'engine'"
            " FROM line JOIN done USING (key) WHERE field IS NOT NULL"
        )
        self._db.executemany(
            "UPDATE reject SET field = ? WHERE field = ? AND stage = 'engine'",
            [(column, role) for role, column in self._columns.items()],
        )
        self._db.execute(
            "DELETE FROM line WHERE key IN (SELECT key FROM done WHERE field IS NOT NULL)"
        )
        self._db.execute("COMMIT")

    def located(self) -> Iterator[Located]:
        """Give every line with its take, in script order."""
        query = (
            "SELECT line.*, payload, row_group, payload_row, sample_rate, fps, num_samples,"
            " num_frames FROM line JOIN done USING (key)"
            " WHERE payload IS NOT NULL ORDER BY position"
        )
        for row in self._db.execute(query):
            yield Located(row[1], row[0], _utterance(row), row[9], *row[11:])

    def num_off_target(self) -> int:
        """Count lines whose take is longer or shorter than its target by more than a frame."""
        (count,) = self._one(
            "SELECT count(*) FROM line JOIN done USING (key) WHERE target_s IS NOT NULL"
            " AND abs(1.0 * num_samples / sample_rate - target_s) > 1.0 / fps"
        )
        return count

    def extras(self) -> Iterator[pa.RecordBatch]:
        """Give the script's other columns in batches, after one with the line's position."""
        with pa.OSFile(str(self._extras_path)) as source, pa.ipc.open_stream(source) as batches:
            yield from batches

    @property
    def has_directions(self) -> bool:
        """Whether stage directions stood in any text."""
        (found,) = self._one("SELECT EXISTS (SELECT 1 FROM line WHERE unspoken != '')")
        return bool(found)

    @property
    def extra_schema(self) -> pa.Schema:
        """The script's other columns."""
        return self._extra_schema

    def rejects(self) -> Iterator[tuple[int, str, str, str, str]]:
        """Give (row, line id, column, reason, stage) of every reject, in script order."""
        yield from self._db.execute("SELECT * FROM reject ORDER BY row, field")

    def _refuse_duplicates(self) -> None:
        self._db.execute(
            "CREATE TEMP TABLE twin AS SELECT position, first, place FROM (SELECT position,"
            " first_value(row) OVER w AS first, first_value(position) OVER w AS place,"
            " row_number() OVER w AS number FROM line"
            " WINDOW w AS (PARTITION BY line_id, language ORDER BY position)) WHERE number > 1"
        )
        self._db.execute(
            f"INSERT INTO reject SELECT row, line_id, ?, {_IN_FILE} ||"
            " 'the same line_id and language stand in row ' || twin.first ||"
            f" coalesce(' of ' || {_FILE.format('twin.place')}, ''), 'script'"
            " FROM line JOIN twin USING (position)",
            (self._column("line_id"),),
        )
        self._db.execute("DELETE FROM line WHERE position IN (SELECT position FROM twin)")

    def _column(self, role: str) -> str:
        """Return what the script calls a column, if it has it."""
        return self._columns.get(role, role)

    def _one(self, query: str) -> tuple[int, ...]:
        with closing(self._db.execute(query)) as cursor:
            row: tuple[int, ...] = cursor.fetchone()
        return row


def _line_row(position: int, line: ScriptLine, assigned: Assigned) -> tuple[object, ...]:
    said = assigned.said
    emotion = json.dumps(said.emotion)
    return (
        position, line.row, said.id, said.language, said.speaker, said.text, emotion, said.seed,
        said.target_s, assigned.key, assigned.role, line.utterance.text,
        line.unspoken,
    )  # fmt: skip


def _utterance(row: Sequence[Any]) -> Utterance:
    _, _, line_id, language, speaker, text, emotion, seed, target_s = row[:9]
    a, b, c, d, e, f, g, h = json.loads(emotion)
    return Utterance(line_id, text, language, speaker, (a, b, c, d, e, f, g, h), seed, target_s)
