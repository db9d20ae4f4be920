r"""What audio middleware imports: tables that name the audio files of a delivery, by language.

Conventions: UTF-8, LF. Wwise's tab-delimited import (``wwise_<language>.tsv``) has a header, audio
files relative to the table, object paths with backslashes; every line is a Sound Voice, the object
type that Wwise localizes. Wwise's list of external sources (``wwise_<language>.wsources``) is XML;
its paths are relative to ``Root``. FMOD's audio table reads its keys from ``keys.txt`` in its
source folder, here one a language: the line's id, a comma, the file's path in that folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.sax.saxutils import quoteattr

TABLES = ("fmod", "wsources", "wwise")


@dataclass(frozen=True, slots=True)
class Voiced:
    """A line of one language with an audio file."""

    line_id: str
    audio: str
    """Its path in the delivery."""
    object_path: str
    """Where it goes in Wwise."""


def table_path(table: str, language: str) -> str:
    """Return the path of a table in a delivery; FMOD's folders have the names of languages."""
    return {
        "fmod": f"{language}/keys.txt",
        "wsources": f"wwise_{language}.wsources",
        "wwise": f"wwise_{language}.tsv",
    }[table]


def wwise_lines(voiced: Iterator[Voiced]) -> Iterator[str]:
    """Yield the lines of a tab-delimited import."""
    yield "Audio File\tObject Path\tObject Type"
    for line in voiced:
        audio = line.audio.replace("/", "\\")
        yield f"{audio}\t{line.object_path}\tSound Voice"


def wsources_lines(voiced: Iterator[Voiced], root: str) -> Iterator[str]:
    """Yield the lines of a list of external sources.

    Args:
        voiced: The lines of a language.
        root: Where the delivery lies for Wwise.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<ExternalSourcesList SchemaVersion="1" Root={quoteattr(root)}>'
    for line in voiced:
        audio = line.audio.replace("/", "\\")
        yield f"  <Source Path={quoteattr(audio)}/>"
    yield "</ExternalSourcesList>"


def fmod_lines(voiced: Iterator[Voiced]) -> Iterator[str]:
    """Yield the lines of an audio table's keys; neither ids nor paths have a comma."""
    for line in voiced:
        path = PurePosixPath(*PurePosixPath(line.audio).parts[1:]).as_posix()
        yield f"{line.line_id},{path}"
