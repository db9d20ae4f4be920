"""What a source of recordings holds: where the sound, the face and the words of each one are.

Conventions: names are those of the source's storage, with forward slashes, below its root. Nothing
here opens a recording: an importer only lists, so that a source of any size is planned in seconds.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import PurePosixPath

from unitaf.errors import ConfigError
from unitaf.storage import ObjectInfo, Storage, open_storage
from unitaf.types import NEUTRAL, Emotion

TABLE_SUFFIXES = (".jsonl", ".parquet")
"""Files that list recordings."""

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording with face capture, not yet read."""

    id: str
    """Unique in the source."""
    audio: str
    """The audio file, or the Parquet file whose `row` holds it."""
    curves: str
    """The Live Link CSV, the ``.npy`` array, or the Parquet file whose `row` holds it."""
    row: int = -1
    """The row of the Parquet file that holds audio and curves themselves; -1 for none."""
    channels: tuple[str, ...] = ()
    """Names of the curves' columns; empty where the file has them itself."""
    fps: float = 0.0
    """Frames a second; 0 where the file says it itself."""
    text: str = ""
    text_file: str = ""
    """Where the words are if not in `text`; both empty if nobody wrote them down."""
    language: str = "en"
    speaker: str = ""
    emotion: Emotion = NEUTRAL
    split: str = ""
    """One of `SPLITS`; empty if the source does not say."""

    @property
    def has_text(self) -> bool:
        """Whether the words are known."""
        return bool(self.text or self.text_file)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recording, or a part of one, that cannot be used."""

    recording: str
    cause: str
    """A word or two, the same for everything that is refused for the same reason."""
    reason: str


class Source:
    """The files of a source, listed once.

    Args:
        storage: Where they are.
        table: The file that lists the recordings; empty if the folder is the source.
        language: Of recordings that name none.
        speaker: Of recordings that name none.

    Raises:
        StorageError: If the storage cannot be listed.
    """

    def __init__(self, storage: Storage, table: str, language: str, speaker: str) -> None:
        self.storage = storage
        self.table = table
        self.language = language
        self.speaker = speaker

    @property
    def uri(self) -> str:
        """What the user would call it."""
        return f"{self.storage.uri}/{self.table}".removesuffix("/")

    @cached_property
    def files(self) -> Mapping[str, ObjectInfo]:
        """Every file by name, in order of name; hidden ones (``._take.wav``) are not looked at."""
        listed = sorted(self.storage.list(), key=lambda info: info.name)
        return {info.name: info for info in listed if "/." not in f"/{info.name}"}

    def missing(self, recording: Recording) -> Refusal | None:
        """Return why a recording cannot be read if one of its files is not there."""
        for name in (recording.audio, recording.curves, recording.text_file):
            if name and name not in self.files:
                return Refusal(recording.id, "missing file", f"there is no file {name}")
            if not name.isprintable():
                return Refusal(recording.id, "file name", f"{name!r} cannot be printed")
        return None

    def stamp(self, recording: Recording) -> str:
        """Return a digest that changes when the recording or one of its files does.

        Files are known by name, size and time of writing: nothing is read.
        """
        names = (recording.audio, recording.curves, recording.text_file)
        infos = [self.files[name] for name in names if name]
        versions = [(info.name, info.size_bytes, info.modified_s) for info in infos]
        return hashlib.sha256(repr((astuple(recording), versions)).encode()).hexdigest()[:32]


def open_source(uri: str, language: str = "en", speaker: str = "") -> Source:
    """Open a folder of recordings, or a list of them, on a disk or an S3 server.

    Raises:
        ConfigError: If the address is none, or nothing is there.
    """
    if uri.lower().endswith(TABLE_SUFFIXES):
        parent, _, table = uri.rpartition("/")
        source = Source(open_storage(parent or "."), table, language, speaker)
        if not source.storage.exists(table):
            raise ConfigError(f"there is no source {uri}")
        return source
    source = Source(open_storage(uri), "", language, speaker)
    if not source.files:
        raise ConfigError(f"source {uri} has no files")
    return source


def text_of(name: str, data: bytes) -> str:
    """Return the words that a text file holds, on one line.

    Raises:
        ValueError: If it is not UTF-8.
    """
    try:
        return " ".join(data.decode("utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text") from error


def sibling(name: str, other: object) -> str:
    """Return the name of a file that is given relative to another one's folder.

    Backslashes count as slashes, as data sets made on Windows have them.

    Raises:
        TypeError: If the name that a data set gives is no text.
    """
    if not isinstance(other, str):
        raise TypeError(f"{other!r} is not the name of a file")
    return str(PurePosixPath(name).parent / other.replace("\\", "/"))


Listing = Iterator[Recording | Refusal]
"""What an importer gives: every recording, or why it is none."""
