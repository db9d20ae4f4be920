"""Which kinds of sources there are, and how one is told from another.

A new kind is a file with a function that lists recordings, and an entry in `IMPORTERS`.
"""

from collections.abc import Callable

from unitaf.data.datasets import SPLIT_FILES, split_files
from unitaf.data.livelink import AUDIO_SUFFIXES, list_livelink
from unitaf.data.recordings import SPLITS, Listing, Recording, Refusal, Source
from unitaf.data.tables import list_table
from unitaf.data.unitaf_layout import list_unitaf
from unitaf.data.unitalker_release import list_unitalker
from unitaf.errors import ConfigError

IMPORTERS: dict[str, Callable[[Source], Listing]] = {
    "livelink": list_livelink,
    "unitalker": list_unitalker,
    "unitaf": list_unitaf,
    "list": list_table,
}
"""Kind of source to the function that lists its recordings."""


def list_recordings(source: Source, kind: str | None = None) -> Listing:
    """List every recording of a source whose files are all there and whose id stands once.

    Args:
        source: The folder or list.
        kind: One of `IMPORTERS`; None to find out.

    Raises:
        ConfigError: If the source is of no kind, or an index of it cannot be read.
    """
    seen: set[str] = set()
    for found in IMPORTERS[kind or find_kind(source)](source):
        if isinstance(found, Refusal):
            yield found
        elif found.id in seen:
            yield Refusal(found.id, "duplicate", "another recording has the same id")
        else:
            seen.add(found.id)
            yield _checked(source, found)


def find_kind(source: Source) -> str:
    """Return what kind of source a folder or file is.

    Raises:
        ConfigError: If it is none.
    """
    if source.table:
        return "list"
    if any(name.rpartition("/")[2] in SPLIT_FILES for name in source.files):
        file = next(split_files(source))
        return "unitaf" if any("chunk" in record for record in file.data) else "unitalker"
    if any(name.lower().endswith(AUDIO_SUFFIXES) for name in source.files):
        return "livelink"
    if any(name.endswith(".parquet") for name in source.files):
        return "list"
    raise ConfigError(
        f"source {source.uri} is none of {', '.join(IMPORTERS)}: it has no audio files, no"
        " train.json and no Parquet files"
    )


def _checked(source: Source, recording: Recording) -> Recording | Refusal:
    if recording.split and recording.split not in SPLITS:
        reason = f"split {recording.split!r} is none of {', '.join(SPLITS)}"
        return Refusal(recording.id, "record", reason)
    return source.missing(recording) or recording
