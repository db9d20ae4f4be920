"""Recordings of the Live Link Face app: a folder of WAV and CSV files, with text files or without.

Conventions: ``<name>.wav`` belongs with ``<name>.csv`` (or the calibrated ``<name>_cal.csv``) and,
if there is one, ``<name>.txt``, all in one folder, whose name is the speaker. The first row of the
CSV is at the first sample. Timecodes are ``HH:MM:SS:FF.sss``, where FF counts frames and sss are
thousandths of a frame; the app drops frames, so rows are put on an even grid by their timecodes.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Float64

from unitaf import timing
from unitaf.data.recordings import Listing, Recording, Refusal, Source
from unitaf.types import FaceMotion

AUDIO_SUFFIXES = (".wav", ".flac")

_HEADER = ("timecode", "blendshapecount")
_RATES = (24, 25, 30, 48, 50, 60)
_APP_RATE = 60
_TIMECODE = re.compile(r"^(\d+):(\d+):(\d+):(\d+(?:\.\d+)?)$")
_DAY_S = 86400
_MAX_GAP_S = 0.25
_CURVE_ENDINGS = (".csv", "_cal.csv")


def list_livelink(source: Source) -> Listing:
    """List every audio file of a folder with the capture beside it."""
    for name in source.files:
        path = PurePosixPath(name)
        stem = str(path.with_suffix(""))
        if path.suffix.lower() in AUDIO_SUFFIXES:
            yield _recording(source, name, stem)
        elif path.suffix.lower() == ".csv" and not _has_audio(source, stem):
            yield Refusal(stem, "missing file", f"there is no audio for {name}")


def _recording(source: Source, name: str, stem: str) -> Recording | Refusal:
    found = [stem + ending for ending in _CURVE_ENDINGS if stem + ending in source.files]
    if not found:
        return Refusal(stem, "missing file", f"there is no file {stem}.csv")
    text = f"{stem}.txt"
    return Recording(
        id=stem,
        audio=name,
        curves=found[0],
        text_file=text if text in source.files else "",
        language=source.language,
        speaker=PurePosixPath(name).parent.name or source.speaker,
    )


def _has_audio(source: Source, stem: str) -> bool:
    stems = {stem, re.sub(r"_(cal|raw|neutral)$", "", stem)}
    return any(one + suffix in source.files for one in stems for suffix in AUDIO_SUFFIXES)


def read_livelink(data: bytes) -> FaceMotion:
    """Read a Live Link Face CSV onto an even grid of frames.

    Raises:
        ValueError: If it is none, or frames are missing for too long to fill in.
    """
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline=None)
        rows = [row for row in csv.reader(text) if row]
    except csv.Error as error:
        raise ValueError(f"the file cannot be read as CSV: {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if tuple(name.lower() for name in header[:2]) != _HEADER or len(header) < 3:
        raise ValueError("the file does not begin with Timecode,BlendshapeCount and channel names")
    if len(rows) < 3:
        raise ValueError("the file has fewer than two frames")
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"a row does not have the header's {len(header)} fields")
    try:
        values = np.array([row[2:] for row in rows[1:]], np.float64)
    except ValueError as error:
        raise ValueError(f"a value is no number: {error}") from error
    times, fps = _times([row[0] for row in rows[1:]])
    frames = timing.frame_at(float(times[-1]), fps) + 1
    grid = timing.frame_times(frames, fps)
    even = np.stack([np.interp(grid, times, column) for column in values.T], axis=1)
    channels = tuple(name[0].lower() + name[1:] for name in header[2:])
    return FaceMotion(even.astype(np.float32), channels, float(fps))


def _times(timecodes: Sequence[str]) -> tuple[Float64[np.ndarray, " frames"], int]:
    """Return the seconds of every row from the first, and the rate that timecodes count in."""
    matches = [_TIMECODE.match(timecode.strip()) for timecode in timecodes]
    if None in matches:
        raise ValueError(f"{timecodes[matches.index(None)]!r} is no timecode HH:MM:SS:FF.sss")
    parts = np.array([match.groups() for match in matches if match], np.float64)
    seconds = parts[:, :3] @ np.array([3600.0, 60.0, 1.0])
    seconds = seconds + np.cumsum(np.diff(seconds, prepend=seconds[0]) < -_DAY_S / 2) * _DAY_S
    fps = _rate(parts[:, 3], has_whole_second=seconds[-1] > seconds[0])
    times = seconds + parts[:, 3] / fps
    times -= times[0]
    gaps = np.diff(times)
    if (gaps <= 0).any():
        raise ValueError(f"timecodes do not rise at {timecodes[int(np.argmax(gaps <= 0)) + 1]}")
    if gaps.max() > _MAX_GAP_S:
        where = timecodes[int(np.argmax(gaps))]
        raise ValueError(f"{gaps.max():.2f} s of frames are missing after {where}")
    return times, fps


def _rate(frames: Float64[np.ndarray, " frames"], has_whole_second: bool) -> int:
    """Return the rate that frame numbers belong to: the app's where they do not tell."""
    if not has_whole_second:
        return _APP_RATE
    top = frames.max()
    fitting = [rate for rate in _RATES if rate > top]
    if not fitting:
        raise ValueError(f"frame {top:g} of a second lies beyond {_RATES[-1]} frames a second")
    return fitting[0]
