"""Takes made by hand for what writes them."""

import numpy as np

from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.types import FaceMotion, Phone, Provenance, Speech, Take, Utterance, Word

RATE = 24000


def make_take(
    fps: float = 60.0,
    text: str = "Pay me $5.",
    words: tuple[Word, ...] = (),
    duration_s: float = 0.5,
    rate: int = RATE,
    **utterance: str,
) -> Take:
    """A take of noise and random curves; angles may be negative."""
    rng = np.random.default_rng(7)
    samples = round(duration_s * rate)
    waveform = (rng.integers(-3000, 3000, samples) / 32768).astype(np.float32)
    curves = rng.random((int(np.ceil(duration_s * fps)), len(CHANNELS)), np.float32)
    curves[:, len(BLENDSHAPES) :] -= 0.5
    return Take(
        key="0" * 32,
        utterance=Utterance(**{"id": "line", "speaker": "Pip", **utterance}, text=text),
        speech=Speech(
            waveform,
            rate,
            np.zeros((0, 0), np.float32),
            0.0,
            (Phone("p", 0.0, duration_s),),
            words,
        ),
        motion=FaceMotion(curves, CHANNELS, fps),
        provenance=Provenance("stub/1", "visemes/1", "silence", "none", "0"),
    )


def spoken_words(
    text: str, step_s: float = 0.3, pauses: dict[int, float] | None = None
) -> tuple[Word, ...]:
    """Lay the words of a text end to end, each as long; some with a pause after them."""
    words, at = [], 0.0
    for index, word in enumerate(text.split()):
        words.append(Word(word, at, at + step_s))
        at += step_s + (pauses or {}).get(index, 0.0)
    return tuple(words)
