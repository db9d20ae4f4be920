"""Marks that a line's text may hold, as every part of unitaf knows them.

========================  ==========================================================
``[word](/ipa/)``         how a word sounds; engines that read IPA obey it
``[word](=other)``        what is said in its place; no engine sees it
``[emphasis]``            what follows, to ``[/emphasis]``, is emphasised; so do they
``[pause 0.5s]``          silence
``[emotion: angry:0.7]``  how what follows is said, to the next such mark or the end
``[emotion]``             what follows is said as the line was begun
========================  ==========================================================

Texts are brought into this form when a script is read (`script.markup`). Engines never see pauses
and emotions: `tts.acting` says what is between them. Engines that do not read IPA see no marks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from unitaf.emotion import parse_emotion
from unitaf.types import Emotion

PRONUNCIATION = re.compile(r"\[(?P<word>[^\[\]]+)\]\(/([^()/]*)/\)")
"""A word whose sounds are given: the word, the sounds."""

PAUSE = re.compile(r"\[\s*pause(?:\s+(\d+(?:\.\d+)?|\.\d+)\s*(ms|s)?)?\s*\]", re.IGNORECASE)
"""Silence: the number and its unit, seconds if none."""

EMOTION = re.compile(r"\[\s*(?P<change>emotion)(?:\s*[:=]\s*([^\[\]]*))?\]", re.IGNORECASE)
"""A change of emotion: as `emotion.parse_emotion` reads it; the line's own if it names none."""

RESPELLING = re.compile(r"\[([^\[\]]+)\]\(=([^()]*)\)")
"""A word that is said otherwise: the word, what is said."""

EMPHASIS = re.compile(r"\[\s*(?P<ends>/?)\s*emphasis\s*\]", re.IGNORECASE)
"""The begin or the end of what is emphasised."""

DEFAULT_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0

TURN = re.compile(f"{PAUSE.pattern}|{EMOTION.pattern}", re.IGNORECASE)
"""Where a line is cut: a pause or a change of emotion."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a line that is said in one go."""

    text: str
    """Empty if the line ends with a pause, or only begins with one."""
    emotion: Emotion
    pause_s: float
    """The silence before it."""


def has_turns(text: str) -> bool:
    """Say whether a text has pauses or changes of emotion in it."""
    return "[" in text and TURN.search(text) is not None


def without_turns(text: str) -> str:
    """Return a text without its pauses and changes of emotion."""
    return " ".join(TURN.sub(" ", text).split()) if "[" in text else text


def has_emphasis(text: str) -> bool:
    """Say whether something in a text is emphasised."""
    return "[" in text and EMPHASIS.search(text) is not None


def without_emphasis(text: str) -> str:
    """Return a text without marks of emphasis."""
    return EMPHASIS.sub("", text) if "[" in text else text


def without_marks(text: str) -> str:
    """Return the words of a text alone."""
    plain = without_emphasis(without_turns(text))
    return RESPELLING.sub(r"\1", PRONUNCIATION.sub(r"\1", plain))


def stretches(text: str, emotion: Emotion) -> Iterator[Stretch]:
    """Cut a text at its pauses and changes of emotion.

    Args:
        text: Of a line.
        emotion: Of what stands before the first change.

    Raises:
        ValueError: If a pause is too long, an emotion is none or an emphasis has no end.
    """
    own, start, pause_s = emotion, 0, 0.0
    depth = 0
    for mark in TURN.finditer(text):
        said, depth = closed(text[start : mark.start()], depth)
        if said:
            yield Stretch(said, emotion, pause_s)
            pause_s = 0.0
        if mark["change"]:
            emotion = parse_emotion(mark[4]) if (mark[4] or "").strip() else own
        else:
            pause_s += pause_seconds(mark)
        start = mark.end()
    rest, depth = closed(text[start:], depth)
    if depth:
        raise ValueError("there is an [emphasis] without its [/emphasis]")
    if rest or pause_s:
        yield Stretch(rest, emotion, pause_s)


def closed(text: str, depth: int) -> tuple[str, int]:
    """Return a part of a text with what is emphasised in it, and how deep in emphasis it ends.

    Args:
        text: A part of a line.
        depth: How deep in emphasis the part before it ended.

    Raises:
        ValueError: If an emphasis ends that has not begun.
    """
    before = depth
    for mark in EMPHASIS.finditer(text):
        depth += -1 if mark["ends"] else 1
        if depth < 0:
            raise ValueError("there is a [/emphasis] without its [emphasis]")
    if not without_emphasis(text).strip():
        return "", depth
    return f"{'[emphasis]' * before}{text.strip()}{'[/emphasis]' * depth}", depth


def pause_seconds(mark: re.Match[str]) -> float:
    """Return the length of a pause.

    Raises:
        ValueError: If it is too long.
    """
    if mark[1] is None:
        return DEFAULT_PAUSE_S
    seconds = float(mark[1]) / (1000.0 if (mark[2] or "s").lower() == "ms" else 1.0)
    if seconds > LONGEST_PAUSE_S:
        raise ValueError(f"the pause {mark[0]} is longer than {LONGEST_PAUSE_S:g} s")
    return seconds
