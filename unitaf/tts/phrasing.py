"""How sentences become one utterance: what is said at once, the silence between, how loud it is.

For engines whose network says one sentence at a time. Conventions: a step is 12.5 ms, the clock of
`unitaf.tts.timeline`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Bool, Float32

from unitaf.tts.joining import Part
from unitaf.tts.misaki import PAUSE_MARKS
from unitaf.tts.reading import SpokenWord, split_reading
from unitaf.types import Phone, Word

STEP_RATE = 80.0
"""Hz."""

_KNEE, _CEILING = 0.6, 0.95
"""Speech stays below the knee. The click of a hard vowel onset does not, and is rounded off."""

_HEAD_STEPS, _TAIL_STEPS = 16, 20
"""Silence kept before and after an utterance: 0.2 and 0.25 s."""
_SENTENCE_GAP = (20, 16)
_CLAUSE_GAP = (8, 8)
_WORD_GAP = (2, 2)
"""Silence kept after one part and before the next: 0.45 s between sentences, 0.2 s where a long
sentence is split at a comma, 50 ms where it has none."""

_AUDIBLE = 0.01
"""Of the loudest step: 40 dB below it a sound has died away."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to say at once, and the silence to keep before and after it, in steps."""

    words: list[SpokenWord]
    head: int
    tail: int


def plan(sentences: Sequence[Sequence[SpokenWord]], max_symbols: int) -> Iterator[Stretch]:
    """Cut sentences into stretches that a network can say at once.

    Args:
        sentences: As a reader gives them.
        max_symbols: The most that the network takes.

    Raises:
        ValueError: If a single word is too long.
    """
    head = _HEAD_STEPS
    for sentence in sentences:
        for words in split_reading(sentence, max_symbols):
            if words[-1] is sentence[-1]:
                tail, next_head = _SENTENCE_GAP
            elif words[-1].symbols[-1] in PAUSE_MARKS:
                tail, next_head = _CLAUSE_GAP
            else:
                tail, next_head = _WORD_GAP
            is_last = words[-1] is sentences[-1][-1]
            yield Stretch(words, head, _TAIL_STEPS if is_last else tail)
            head = next_head


def audible_steps(
    waveform: Float32[np.ndarray, " samples"], hop: int
) -> Bool[np.ndarray, " steps"]:
    """Return which steps of ``hop`` samples are less than 40 dB below the loudest."""
    power = np.square(waveform.reshape(-1, hop)).mean(axis=1)
    is_audible: Bool[np.ndarray, " steps"] = power > power.max() * _AUDIBLE**2
    return is_audible


def level(
    waveform: Float32[np.ndarray, " samples"], gain: float
) -> Float32[np.ndarray, " samples"]:
    """Return a waveform louder by a factor, its peaks rounded off below full scale."""
    scaled = waveform * np.float32(gain)
    over = np.maximum(np.abs(scaled) - np.float32(_KNEE), 0) / np.float32(_CEILING - _KNEE)
    limited = np.copysign(_KNEE + (_CEILING - _KNEE) * np.tanh(over), scaled)
    return np.where(over > 0, limited, scaled).astype(np.float32)


def phones(spoken: Part) -> tuple[Phone, ...]:
    """Return the phones and pauses of a part."""
    return tuple(
        Phone(span.label, span.start / STEP_RATE, span.end / STEP_RATE, span.stress)
        for span in spoken.spans
    )


def words(spoken: Part) -> tuple[Word, ...]:
    """Return the words of a part that have a sound."""
    found = []
    inner = [span for span in spoken.spans if span.label]
    for word_index, group in groupby(inner, key=lambda span: span.word_index):
        spans = list(group)
        text = spoken.words[word_index]
        if text:
            found.append(Word(text, spans[0].start / STEP_RATE, spans[-1].end / STEP_RATE))
    return tuple(found)
