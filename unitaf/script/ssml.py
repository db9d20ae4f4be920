"""The part of SSML that a line may hold, as the marks of `unitaf.marks`.

``<break time="300ms"/>`` and ``<break strength="strong"/>``, ``<sub alias="...">``,
``<phoneme ph="...">`` in IPA, ``<emphasis>`` of any level but ``none`` and ``reduced``, and
``<emotion name="...">`` around what is said so. Tags that only
structure a text are dropped with all others, and so are those that ask for what no engine here can
do. Source: SSML 1.1 (W3C Recommendation 2010), sections 3.1.9, 3.1.11, 3.2.2 and 3.2.3.
"""

import re

from unitaf.marks import DEFAULT_PAUSE_S, RESPELLING, without_marks

_STRENGTHS = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.2,
    "medium": DEFAULT_PAUSE_S,
    "strong": 0.8,
    "x-strong": 1.2,
}
"""Seconds; the standard leaves them to the engine."""

_BREAK = re.compile(r"<break\b([^<>]*)/?>(?:\s*</break>)?", re.IGNORECASE)
_AROUND = re.compile(
    r"<(?P<tag>phoneme|sub|emotion)\b(?P<given>[^<>]*)>(?P<said>[^<>]*)</(?P=tag)>", re.IGNORECASE
)
_EMPHASIS = re.compile(r"<emphasis\b([^<>]*)>((?:(?!</?emphasis\b).)*)</emphasis\s*>", re.I)
_LEVELS = ("strong", "moderate", "reduced", "none")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def ssml_as_marks(text: str) -> str:
    """Return a text with its SSML as marks.

    Raises:
        ValueError: If a tag lacks what it needs or says something that is not understood.
    """
    if "<" not in text:
        return text
    text = _BREAK.sub(lambda match: _pause(match[1]), text)
    before = None
    while text != before:  # From the inside to the outside.
        before = text
        text = _EMPHASIS.sub(_emphasis, _AROUND.sub(_said, text))
    return text


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(text)}


def _pause(given: str) -> str:
    attributes = _attributes(given)
    time = attributes.get("time")
    if time is None:
        strength = attributes.get("strength", "medium").lower()
        if strength not in _STRENGTHS:
            raise ValueError(f"a break's strength is one of {', '.join(_STRENGTHS)}")
        return f" [pause {_STRENGTHS[strength]:g}s] "
    if re.fullmatch(r"\s*\+?(\d+(\.\d+)?|\.\d+)(ms|s)\s*", time, re.IGNORECASE) is None:
        raise ValueError(f"a break's time is such as 300ms or 1.5s, not {time!r}")
    return f" [pause {time.strip().lstrip('+')}] "


def _emphasis(match: re.Match[str]) -> str:
    level = _attributes(match[1]).get("level", "moderate").lower()
    if level not in _LEVELS:
        raise ValueError(f"an emphasis's level is one of {', '.join(_LEVELS)}, not {level!r}")
    return match[2] if level in _LEVELS[2:] else f"[emphasis]{match[2]}[/emphasis]"


def _said(match: re.Match[str]) -> str:
    tag, said, attributes = match["tag"].lower(), match["said"], _attributes(match["given"])
    needed = {"phoneme": "ph", "sub": "alias", "emotion": "name"}[tag]
    value = attributes.get(needed, "").strip()
    if not value:
        raise ValueError(f"<{tag}> needs {needed}=...")
    word = without_marks(said).strip()
    if tag == "sub":
        respelling = f"[{word}](={value})"
        return respelling if RESPELLING.fullmatch(respelling) else value
    if tag == "emotion":
        return f" [emotion: {value}] {said} [emotion] "
    alphabet = attributes.get("alphabet", "ipa").lower()
    if alphabet != "ipa":
        raise ValueError(f"<phoneme> is understood in the alphabet ipa, not {alphabet}")
    return f"[{word}](/{value}/)"
