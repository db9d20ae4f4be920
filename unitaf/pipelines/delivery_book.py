"""The lines and files of a delivery while it is made, on disk: memory does not grow with them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from unitaf.errors import ConfigError
from unitaf.export.sound import AUDIO_SUFFIXES
from unitaf.export.tables import Voiced
from unitaf.pipelines.delivery import (
    DELIVERY,
    DeliveredFile,
    DeliveredLine,
    Settings,
    decode_line,
    encode_line,
    read_header,
    read_journal,
    read_lines,
    read_stale,
)

_TABLES = """
CREATE TABLE known (
    line_id TEXT, language TEXT, is_here INTEGER, is_same INTEGER, record TEXT,
    PRIMARY KEY (line_id, language, is_here)
) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY, owner TEXT, record TEXT) WITHOUT ROWID;
CREATE TABLE line (
    position INTEGER PRIMARY KEY, line_id TEXT, language TEXT, is_changed INTEGER, audio TEXT,
    object_path TEXT, record TEXT
);
"""


class DeliveryBook:
    """What earlier deliveries hold, and what this one will.

    Args:
        path: A new file for the book.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES} BEGIN")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def learn(self, delivery: Path, settings: Settings, *, is_here: bool) -> None:
        """Read what a delivery holds, and what an interrupted export left in its folder.

        Args:
            delivery: Its ``delivery.json``, which need not exist if it is in this folder.
            settings: What this export writes with.
            is_here: Whether it is the folder that this export writes into.

        Raises:
            ConfigError: If it is not as it was written.
        """
        if not is_here or delivery.exists():
            header = read_header(delivery)
            is_same = header.settings == settings
            for line in read_lines(delivery):
                self._know(line, is_here=is_here, is_same=is_same)
            self._know_files(header.tables)
            for file in read_stale(delivery):
                self._know_files((file,))
        if is_here:
            is_same = False
            for entry in read_journal(delivery.parent):
                if isinstance(entry, Settings):
                    is_same = entry == settings
                else:
                    self._know(entry, is_here=True, is_same=is_same)

    def _know(self, line: DeliveredLine, *, is_here: bool, is_same: bool) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO known VALUES (?,?,?,?,?)",
            (line.line_id, line.language, is_here, is_same, encode_line(line)),
        )
        self._know_files(line.files)

    def _know_files(self, files: tuple[DeliveredFile, ...]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO file VALUES (?,NULL,?)",
            [(file.path, json.dumps(asdict(file))) for file in files],
        )

    def known(
        self, line_id: str, language: str, *, is_here: bool
    ) -> tuple[DeliveredLine | None, bool]:
        """Return how a line was delivered before, and whether with the same settings."""
        query = "SELECT record, is_same FROM known WHERE line_id=? AND language=? AND is_here=?"
        with closing(self._db.execute(query, (line_id, language, is_here))) as cursor:
            row = cursor.fetchone()
        return (None, False) if row is None else (decode_line(row[0]), bool(row[1]))

    def add(
        self, position: int, line: DeliveredLine, object_path: str, *, is_changed: bool
    ) -> None:
        """Note a line of this delivery.

        Args:
            position: Its place in the catalog.
            line: As it is delivered.
            object_path: Where it goes in Wwise.
            is_changed: Whether it differs from the delivery that changes are told from.

        Raises:
            ConfigError: If a file of it is another line's, too.
        """
        for file in line.files:
            self.claim(file, line.line_id if file.path.startswith(f"{line.name}.") else "")
        self._db.execute(
            "INSERT INTO line VALUES (?,?,?,?,?,?,?)",
            (
                position, line.line_id, line.language, is_changed, _audio(line), object_path,
                encode_line(line),
            ),
        )  # fmt: skip

    def claim(self, file: DeliveredFile, owner: str) -> None:
        """Note that a file belongs to this delivery.

        Args:
            file: The file.
            owner: The line that it is of; empty if lines share it.

        Raises:
            ConfigError: If it is of another line.
        """
        query = "SELECT owner FROM file WHERE path=? AND owner IS NOT NULL"
        with closing(self._db.execute(query, (file.path,))) as cursor:
            row = cursor.fetchone()
        if row is not None and (row[0] or owner):
            first, second = (name or "the delivery" for name in (row[0], owner))
            raise ConfigError(
                f"{file.path} would be a file of both {first!r} and {second!r}; add a column that"
                " tells them apart to --name"
            )
        self._db.execute(
            "INSERT OR REPLACE INTO file VALUES (?,?,?)",
            (file.path, owner, json.dumps(asdict(file))),
        )

    def lines(self) -> Iterator[DeliveredLine]:
        """Give the lines of this delivery in the order of the catalog."""
        for (record,) in self._db.execute("SELECT record FROM line ORDER BY position"):
            yield decode_line(record)

    def languages(self) -> list[str]:
        """Return the languages of this delivery, sorted."""
        rows = self._db.execute("SELECT DISTINCT language FROM line ORDER BY language")
        return [language for (language,) in rows]

    def voiced(self, language: str, *, only_changed: bool) -> Iterator[Voiced]:
        """Give the lines of a language for a table, in the order of the catalog."""
        query = (
            "SELECT line_id, audio, object_path FROM line WHERE language=? AND is_changed >= ?"
            " ORDER BY position"
        )
        for row in self._db.execute(query, (language, int(only_changed))):
            yield Voiced(*row)

    def stale(self) -> Iterator[DeliveredFile]:
        """Give the known files that are not of this delivery, by path."""
        query = "SELECT record FROM file WHERE owner IS NULL ORDER BY path"
        for (record,) in self._db.execute(query):
            yield DeliveredFile(**json.loads(record))

    def forget(self, path: str) -> None:
        """Strike out a file that is gone."""
        self._db.execute("DELETE FROM file WHERE path=?", (path,))


def _audio(line: DeliveredLine) -> str:
    """Return the path of a line's first audio file; empty if it has none."""
    return next((file.path for file in line.files if file.format in AUDIO_SUFFIXES), "")


def delivery_file(place: Path) -> Path:
    """Return the ``delivery.json`` that a path stands for: itself, or in that folder."""
    return place / DELIVERY if place.is_dir() else place
