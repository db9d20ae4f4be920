"""What a delivery says of itself: ``delivery.json``, read and written a line at a time.

Conventions: one JSON document with one entry in each row of the file, so that tens of thousands of
lines need no memory; `json.load` reads it as well. Paths are relative to the delivery, with ``/``.
It holds no time and no place: the same takes and settings give the same bytes. While an export is
at work it keeps a journal beside it, ``.delivery.ndjson``, and goes on from there if it was
interrupted.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.files import replacing

DELIVERY = "delivery.json"
JOURNAL = ".delivery.ndjson"
VERSION = 1

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the takes that decides what an export writes."""

    unitaf: str
    """The version of this package."""
    formats: tuple[str, ...]
    name: str
    """The template of file names."""
    sample_rate: int | None = None
    """Of audio files, in Hz; None: the takes' own."""
    rig: str | None = None
    """The SHA-256 of another face than ours."""
    loudness_lufs: float | None = None
    """Of audio files; None: the takes' own."""
    peak_dbtp: float | None = None
    """The highest true peak of audio files; None: no other than the takes'."""


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """A file of a delivery."""

    path: str
    format: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DeliveredLine:
    """A line of a delivery."""

    line_id: str
    language: str
    speaker: str
    text: str
    take_key: str
    sample_rate: int
    num_samples: int
    """Of the audio files."""
    fps: float
    num_frames: int
    name: str
    """The path of its files without suffix."""
    files: tuple[DeliveredFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What a delivery says before its lines."""

    settings: Settings
    since: str | None
    """The SHA-256 of the ``delivery.json`` that this one holds the changes of."""
    tables: tuple[DeliveredFile, ...]


def write_delivery(
    path: Path, header: Header, stale: Iterable[DeliveredFile], lines: Iterable[DeliveredLine]
) -> None:
    """Write a ``delivery.json`` whole.

    Raises:
        StorageError: If it cannot be written.
    """
    head = {"version": VERSION, **asdict(header)}
    with replacing(path) as file:
        file.write(f'{_dump(head)[:-1]},\n"stale": ['.encode())
        file.writelines(_rows(stale))
        file.write(b'\n],\n"lines": [')
        file.writelines(_rows(lines))
        file.write(b"\n]}\n")


def _rows(rows: Iterable[DeliveredFile | DeliveredLine]) -> Iterator[bytes]:
    comma = "\n"
    for row in rows:
        yield f"{comma}{_dump(asdict(row))}".encode()
        comma = ",\n"


def _dump(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)


def read_header(path: Path) -> Header:
    """Read what a ``delivery.json`` says before its lines.

    Raises:
        ConfigError: If there is none, or it is not one that this version of unitaf reads.
    """
    with _reading(path) as rows:
        document = json.loads(next(rows, "").rstrip(",\n") + "}")
        if document.pop("version", None) != VERSION:
            raise ValueError("it is of another version")
        return Header(
            _settings(document["settings"]),
            document["since"],
            tuple(map(_file, document["tables"])),
        )


def read_lines(path: Path) -> Iterator[DeliveredLine]:
    """Read the lines of a ``delivery.json``."""
    with _reading(path) as rows:
        for row in _section(rows, '"lines": ['):
            yield decode_line(row)


def read_stale(path: Path) -> Iterator[DeliveredFile]:
    """Read which files of earlier deliveries a ``delivery.json`` found and left."""
    with _reading(path) as rows:
        for row in _section(rows, '"stale": ['):
            yield _file(json.loads(row))


def encode_line(line: DeliveredLine) -> str:
    """Return a line as a row of JSON."""
    return _dump(asdict(line))


def decode_line(row: str) -> DeliveredLine:
    """Read a line from a row of JSON.

    Raises:
        ValueError: If it is none.
        KeyError: If it has no files.
        TypeError: If it has other fields.
    """
    document = json.loads(row)
    files = tuple(map(_file, document.pop("files")))
    return DeliveredLine(**document, files=files)


def _settings(document: dict[str, Any]) -> Settings:
    return Settings(**{**document, "formats": tuple(document["formats"])})


def _file(document: dict[str, Any]) -> DeliveredFile:
    file = DeliveredFile(**document)
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the path {file.path!r} leads out of the delivery")
    return file


@contextmanager
def _reading(path: Path) -> Iterator[Iterator[str]]:
    """Open a ``delivery.json`` row by row; turn what is wrong with it into one sentence."""
    try:
        # A journal may end inside a character.
        with path.open(encoding="utf-8", errors="replace") as file:
            yield iter(file)
    except OSError as error:
        raise ConfigError(
            f"there is no delivery {path}: {error.strerror}; 'unitaf export' writes one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is not as 'unitaf export' wrote it: {error}; remove it and export again"
        ) from error


def _section(rows: Iterator[str], opening: str) -> Iterator[str]:
    for row in rows:
        if row.strip() == opening:
            break
    else:
        raise ValueError(f"the row {opening} is missing")
    for row in rows:
        if row.startswith("]"):
            return
        yield row.rstrip(",\n")
    raise ValueError("its end is missing")


def read_journal(directory: Path) -> Iterator[Settings | DeliveredLine]:
    """Read what interrupted exports have done: settings, then the lines that were written so.

    Raises:
        ConfigError: If another version of unitaf wrote it.
    """
    path = directory / JOURNAL
    if not path.exists():
        return
    with _reading(path) as rows:
        for row in rows:
            try:
                document = json.loads(row)
            except ValueError:
                continue  # An export was killed while it wrote this row.
            yield decode_line(row) if "files" in document else _settings(document)


class Journal:
    """Notes the lines that an export has written, in case it is interrupted."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self._path = directory / JOURNAL
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
        # The row before may have been cut off.
        self._note("\n" + _dump(asdict(settings)))

    def add(self, line: DeliveredLine) -> None:
        """Note a line whose files are all written."""
        self._note(encode_line(line))

    def _note(self, row: str) -> None:
        try:
            self._file.write(row + "\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the journal; it stays."""
        self._file.close()

    def remove(self) -> None:
        """Remove the journal: the delivery says it all."""
        self.close()
        self._path.unlink(missing_ok=True)


def file_digest(path: Path) -> tuple[int, str] | None:
    """Return the size in bytes and the SHA-256 of a file; None if there is none.

    Raises:
        StorageError: If it cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    return size, digest.hexdigest()
