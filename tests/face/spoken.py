"""Speech made by hand: phones with chosen times, loudness and pitch."""

from collections.abc import Sequence

import numpy as np

from unitaf.types import NEUTRAL, Emotion, Phone, Speech, Utterance

SAMPLE_RATE = 16000
F0_RATE = 80.0


def phones_of(
    sounds: Sequence[tuple[str, float]], stressed: Sequence[int] = ()
) -> tuple[Phone, ...]:
    """Lay (label, seconds) pairs end to end; those at the stressed positions have stress 1."""
    times = [0.0, *np.cumsum([length for _, length in sounds]).tolist()]
    return tuple(
        Phone(label, times[index], times[index + 1], int(index in stressed))
        for index, (label, _) in enumerate(sounds)
    )


def speech_of(
    phones: Sequence[Phone],
    amplitude: float = 0.12,
    f0: float | Sequence[float] = 200.0,
    emotion: Emotion = NEUTRAL,
) -> Speech:
    """Give phones a hum of one loudness; pauses are silent. A pitch a phone, or one for all."""
    duration_s = phones[-1].end_s if phones else 0.0
    times = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    steps = np.arange(int(duration_s * F0_RATE)) / F0_RATE
    pitches = [f0] * len(phones) if isinstance(f0, (int, float)) else f0
    waveform = np.zeros(len(times))
    pitch = np.zeros(len(steps))
    for phone, hz in zip(phones, pitches, strict=True):
        if phone.label:
            sounding = (times >= phone.start_s) & (times < phone.end_s)
            waveform[sounding] = amplitude * np.sqrt(2) * np.sin(2 * np.pi * 180 * times[sounding])
            pitch[(steps >= phone.start_s) & (steps < phone.end_s)] = hz
    return Speech(
        waveform=waveform.astype(np.float32),
        sample_rate=SAMPLE_RATE,
        features=np.zeros((1, 1), np.float32),
        feature_rate=50.0,
        phones=tuple(phones),
        f0=pitch.astype(np.float32),
        f0_rate=F0_RATE,
        emotion=emotion,
    )


def utterance_of(text: str = "a line.", seed: int = 0, emotion: Emotion = NEUTRAL) -> Utterance:
    return Utterance(id="line", text=text, seed=seed, emotion=emotion)
