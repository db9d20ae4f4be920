"""Subtitles: SubRip and WebVTT, with the cues of `unitaf.export.cues`.

Conventions: UTF-8, LF, times to the nearest millisecond. WebVTT names the speaker in a voice tag
and has the start of every word but a cue's first as a timestamp tag (W3C WebVTT, 3.4 and 3.5), so
players can follow the voice.
"""

from collections.abc import Iterator

from unitaf.export.cues import Cue, find_cues
from unitaf.types import Take

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def encode_srt(take: Take, name: str) -> dict[str, bytes]:
    """Return the cues as SubRip."""
    blocks = []
    for number, cue in enumerate(find_cues(take), start=1):
        start_ms, end_ms = _span(cue)
        lines = ["".join(piece.text for piece in line).strip() for line in cue.lines]
        times = f"{_clock(start_ms, ',')} --> {_clock(end_ms, ',')}"
        blocks.append("\n".join([str(number), times, *lines]))
    return {f"{name}.srt": ("\n\n".join(blocks) + "\n").encode()}


def encode_vtt(take: Take, name: str) -> dict[str, bytes]:
    """Return the cues as WebVTT, with the speaker and the time of every word."""
    speaker = take.utterance.speaker.translate(_ESCAPES)
    voice = f"<v {speaker}>" if speaker else ""
    blocks = ["WEBVTT"]
    for cue in find_cues(take):
        start_ms, end_ms = _span(cue)
        times = f"{_clock(start_ms, '.')} --> {_clock(end_ms, '.')}"
        blocks.append("\n".join([times, voice + "\n".join(_timed_lines(cue))]))
    return {f"{name}.vtt": ("\n\n".join(blocks) + "\n").encode()}


def _span(cue: Cue) -> tuple[int, int]:
    """Return the milliseconds of a cue, at least one apart."""
    start_ms = round(1000 * cue.start_s)
    return start_ms, max(round(1000 * cue.end_s), start_ms + 1)


def _timed_lines(cue: Cue) -> Iterator[str]:
    shown_ms, end_ms = _span(cue)
    for line in cue.lines:
        parts = []
        for piece in line:
            at_ms = round(1000 * piece.start_s)
            # A timestamp must lie after the last one, inside the cue.
            if shown_ms < at_ms < end_ms:
                parts.append(f"<{_clock(at_ms, '.')}>")
                shown_ms = at_ms
            parts.append(piece.text.translate(_ESCAPES))
        yield "".join(parts).strip()


def _clock(milliseconds: int, mark: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{mark}{thousandths:03d}"
