"""What an export is asked for, checked before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unitaf.audio import OPUS_RATES
from unitaf.errors import ConfigError
from unitaf.export import FORMATS, Encoder
from unitaf.export.sound import AUDIO_SUFFIXES, Level
from unitaf.export.tables import TABLES
from unitaf.pipelines.delivery import Settings
from unitaf.pipelines.encoders import choose_encoders, rig_digest
from unitaf.pipelines.templates import DEFAULT_OBJECT_PATH, file_names, object_paths

_LOWEST_RATE, _HIGHEST_RATE = 8000, 192_000
_LOUDNESS = (-50.0, -5.0)
_COLUMNS = (
    "line_id", "language", "speaker", "text", "take_key", "file", "row_group", "file_row",
    "sample_rate", "num_samples", "fps", "num_frames",
)  # fmt: skip
"""What an export needs of the catalog besides names."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export may be told besides formats and names."""

    sample_rate: int | None = None
    """Of audio files, in Hz; None: the takes' own."""
    rig: Path | None = None
    """Another face for GLB and USD than ours."""
    level: Level | None = None
    """Of audio files; None: the takes' own."""
    object_path: str = DEFAULT_OBJECT_PATH
    """The template of the lines' objects in Wwise."""
    wwise_root: str | None = None
    """Where the delivery lies for Wwise; None: where it is written."""
    since: Path | None = None
    """A delivery, of which only the changes are written."""
    removes_stale: bool = False
    """Whether files of an earlier delivery that are of no line any more are removed."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export writes, checked."""

    encoders: dict[str, Encoder]
    tables: tuple[str, ...]
    settings: Settings


def plan_export(formats: Sequence[str], template: str, options: ExportOptions) -> ExportPlan:
    """Check what a user asks for, before anything is read.

    Raises:
        ConfigError: If a format or option cannot be used.
    """
    tables = tuple(name for name in TABLES if name in formats)
    named = [name for name in formats if name not in TABLES]
    if unknown := [name for name in named if name not in FORMATS]:
        known = ", ".join((*FORMATS, *TABLES))
        raise ConfigError(f"unknown format {', '.join(unknown)}; choose from {known}")
    rate = options.sample_rate
    if rate is not None and not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ConfigError(f"--rate must be from {_LOWEST_RATE} to {_HIGHEST_RATE} Hz, not {rate}")
    level = _checked(options.level)
    encoders = choose_encoders(named, options.rig, rate, level) if named or not tables else {}
    audio = [name for name in encoders if name in AUDIO_SUFFIXES]
    for table in tables:
        wanted = ["wav"] if table != "fmod" else list(AUDIO_SUFFIXES)
        if not audio or audio[0] not in wanted:
            raise ConfigError(
                f"the format {table} names audio files: put {' or '.join(wanted)} first among the"
                " audio formats"
            )
    if "fmod" in tables and not template.startswith("{language}/"):
        raise ConfigError(
            "the format fmod needs a folder for each language: begin --name with {language}/"
        )
    digest = None if options.rig is None else rig_digest(options.rig)
    settings = Settings(version("unitaf"), tuple(encoders), template, rate, digest)
    if level is not None:
        settings = replace(settings, loudness_lufs=level.lufs, peak_dbtp=level.peak_dbtp)
    return ExportPlan(encoders, tables, settings)


def _checked(level: Level | None) -> Level | None:
    low, high = _LOUDNESS
    if level is not None and not low <= level.lufs <= high:
        raise ConfigError(f"--loudness must be from {low:g} to {high:g} LUFS, not {level.lufs:g}")
    if level is not None and not low <= level.peak_dbtp <= 0.0:
        raise ConfigError(f"--true-peak must be from {low:g} to 0 dBTP, not {level.peak_dbtp:g}")
    return level


def named_lines(
    catalog: pa.Table, template: str, plan: ExportPlan, options: ExportOptions
) -> pa.Table:
    """Return a catalog with the place, the file name and the object path of every line.

    Raises:
        ConfigError: If a name cannot be made, or the takes have a rate that a format does not.
    """
    rates = set(pc.unique(catalog["sample_rate"]).to_pylist())
    rates = {options.sample_rate} if options.sample_rate else rates
    if "opus" in plan.encoders and rates - set(OPUS_RATES):
        rates_found = ", ".join(map(str, sorted(rates)))
        raise ConfigError(
            f"Opus has sample rates of {', '.join(map(str, OPUS_RATES))} Hz, not {rates_found};"
            " say one of them with --rate"
        )
    names = file_names(catalog, template)
    if "fmod" in plan.tables:
        _refuse_commas(catalog["line_id"], names)
    paths = pa.repeat("", len(catalog))
    if "wwise" in plan.tables:
        paths = object_paths(catalog, options.object_path)
    numbered = {
        "position": pa.array(np.arange(len(catalog))),
        "file_name": names,
        "object_path": paths,
    }
    return pa.table({name: catalog[name] for name in _COLUMNS} | numbered)


def _refuse_commas(ids: pa.ChunkedArray, names: pa.ChunkedArray) -> None:
    """Refuse what FMOD's keys.txt cannot hold: a comma divides id and path."""
    has_comma = pc.or_(pc.match_substring(ids, ","), pc.match_substring(names, ","))
    for line_id, name in zip(ids.filter(has_comma), names.filter(has_comma), strict=True):
        raise ConfigError(
            f"line {line_id.as_py()!r} with the file {name.as_py()!r}: FMOD's keys.txt cannot hold"
            " a comma"
        )
