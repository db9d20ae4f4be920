"""How the parts of a long text become one speech on one clock.

Conventions: a part starts and ends with a pause. Everything of it (samples, features, pitch,
phones) is cut and joined at whole feature steps, so nothing drifts against anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from unitaf.tts.timeline import Span

_FADE_SAMPLES = 120


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What an engine gave for one stretch of text."""

    waveform: Float32[np.ndarray, " samples"]
    features: Float32[np.ndarray, "steps dim"]
    f0: Float32[np.ndarray, " steps"]
    spans: tuple[Span, ...]
    words: tuple[str, ...]
    """The words that ``Span.word_index`` points to."""


def cut_silence(part: Part, head: int, tail: int) -> Part:
    """Return a part with no more silence at its ends than asked for, faded where it was cut.

    Args:
        part: Starts and ends with a pause.
        head: Steps to keep before the first phone.
        tail: Steps to keep after the last phone.
    """
    steps = len(part.features)
    first = max(part.spans[0].end - head, 0)
    last = min(part.spans[-1].start + tail, steps)
    hop = len(part.waveform) // steps
    waveform = part.waveform[first * hop : last * hop].copy()
    ramp = np.linspace(0, 1, _FADE_SAMPLES, dtype=np.float32)
    if first > 0:
        waveform[:_FADE_SAMPLES] *= ramp
    if last < steps:
        waveform[-_FADE_SAMPLES:] *= ramp[::-1]
    starts = [0] + [span.start - first for span in part.spans[1:]]
    ends = [*starts[1:], last - first]
    return Part(
        waveform=waveform,
        features=part.features[first:last],
        f0=part.f0[first:last],
        spans=tuple(
            Span(span.label, start, end, span.stress, span.word_index)
            for span, start, end in zip(part.spans, starts, ends, strict=True)
        ),
        words=part.words,
    )


def join(parts: Sequence[Part]) -> Part:
    """Return parts one after the other; the pauses where they meet become one."""
    spans: list[Span] = []
    words: list[str] = []
    steps = 0
    for part in parts:
        for span in part.spans:
            word_index = span.word_index + len(words) if span.label else -1
            start, end = span.start + steps, span.end + steps
            if spans and not spans[-1].label and not span.label:
                start = spans.pop().start
            spans.append(Span(span.label, start, end, span.stress, word_index))
        steps += len(part.features)
        words += part.words
    return Part(
        waveform=np.concatenate([part.waveform for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        f0=np.concatenate([part.f0 for part in parts]),
        spans=tuple(spans),
        words=tuple(words),
    )
