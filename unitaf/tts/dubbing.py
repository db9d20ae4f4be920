"""Lines that must last as long as a window allows: the speaking rate is solved for.

An engine's length is about ``a / speed + b``: sounds get shorter, pauses need not. Two sayings give
both numbers, a third is nearly always within some hundredths of a second, and silence at the end
takes up the rest. Where the engine cannot speak so fast or so slowly, the line is as near as it can
be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from unitaf import timing
from unitaf.tts.splicing import edges_s, with_head, with_length, with_tail
from unitaf.types import Speech, Utterance

_SAYINGS = 6
"""At most, the one at the usual rate included."""
_GIVE_S = 0.08
"""How much longer or shorter the silence at the end may become: less than is heard."""
_SHORTEST_TAIL_S = 0.02
"""What must be left of it, where there is so much."""


class Sayer(Protocol):
    """What of a `types.TextToSpeech` is needed to say lines."""

    @property
    def speeds(self) -> tuple[float, float]:
        """The slowest and the fastest `Utterance.speed`; 1 and 1 if it follows none."""
        ...

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order."""
        ...


@dataclass(frozen=True, slots=True)
class _Saying:
    """A line said at one speaking rate."""

    speed: float
    speech: Speech
    sound_s: float
    """Its length without the silence at the end."""


class _Attempt:
    """The sayings of one line so far.

    Args:
        said: The line.
        window_s: How long it should take.
        speech: As it is said at the usual rate.
    """

    def __init__(self, said: Utterance, window_s: float, speech: Speech) -> None:
        self.said = said
        self.window_s = window_s
        self._tail_s = edges_s(speech)[1]
        self._sayings: list[_Saying] = []
        self.note(speech, said.speed)

    def note(self, speech: Speech, speed: float) -> None:
        """Take a saying."""
        self._sayings.append(_Saying(speed, speech, speech.duration_s - edges_s(speech)[1]))

    @property
    def speech(self) -> Speech:
        """The nearest saying."""
        return min(self._sayings, key=lambda saying: abs(self._miss_s(saying))).speech

    def _miss_s(self, saying: _Saying) -> float:
        """Return by how much a sound and the usual silence after it exceed the window."""
        return saying.sound_s + self._tail_s - self.window_s

    @property
    def is_close(self) -> bool:
        """Whether silence alone can do the rest."""
        longest = min(_GIVE_S, max(self._tail_s - _SHORTEST_TAIL_S, 0.0))
        return any(-_GIVE_S <= self._miss_s(saying) <= longest for saying in self._sayings)

    def next_speed(self, slowest: float, fastest: float) -> float | None:
        """Return the rate to try next; None if it has been tried."""
        last, *before = reversed(self._sayings)
        speed, sound_s = last.speed, last.sound_s
        wanted_s = max(self.window_s - self._tail_s, 0.05)
        paused_s = 0.0
        if before:
            # Two points of a / speed + b.
            slope = (sound_s - before[0].sound_s) / (1.0 / speed - 1.0 / before[0].speed)
            paused_s = sound_s - slope / speed
        paused_s = min(max(paused_s, 0.0), 0.9 * sound_s)
        guess = speed * (sound_s - paused_s) / max(wanted_s - paused_s, 0.02)
        guess = min(max(guess, slowest), fastest)
        is_tried = any(abs(guess - saying.speed) < 1e-3 for saying in self._sayings)
        return None if is_tried else guess


@dataclass(frozen=True, slots=True)
class Edges:
    """The silence before and after every line; None: as the engine gives it."""

    head_s: float | None = None
    tail_s: float | None = None

    def of(self, speech: Speech) -> Speech:
        """Return a speech with this silence."""
        if self.head_s is not None:
            speech = with_head(speech, self.head_s)
        return speech if self.tail_s is None else with_tail(speech, self.tail_s)


def say_in_time(
    tts: Sayer, utterances: Sequence[Utterance], edges: Edges = Edges()
) -> list[Speech]:
    """Say utterances, those that have a window in it if the engine can.

    A speech in its window has exactly its samples: silence at the end gives way. One that misses it
    is as long as the engine comes nearest.

    Args:
        tts: The engine.
        utterances: Any.
        edges: The silence around each.

    Raises:
        InputError: Naming the first utterance that cannot be said.
    """
    speeches = [edges.of(speech) for speech in tts.synthesize(utterances)]
    slowest, fastest = tts.speeds
    attempts = {
        index: _Attempt(said, said.target_s, speech)
        for index, (said, speech) in enumerate(zip(utterances, speeches, strict=True))
        if said.target_s is not None
    }
    for _ in range(_SAYINGS - 1):
        speeds = {
            index: speed
            for index, attempt in attempts.items()
            if not attempt.is_close and (speed := attempt.next_speed(slowest, fastest)) is not None
        }
        if not speeds:
            break
        said_again = tts.synthesize(
            [replace(attempts[index].said, speed=speed) for index, speed in speeds.items()]
        )
        for (index, speed), speech in zip(speeds.items(), said_again, strict=True):
            attempts[index].note(edges.of(speech), speed)
    for index, attempt in attempts.items():
        speeches[index] = _in_window(attempt.speech, attempt.window_s)
    return speeches


def is_in_window(speech: Speech, window_s: float) -> bool:
    """Say whether a speech ends with its window, to the sample."""
    return speech.num_samples == timing.num_samples(window_s, speech.sample_rate)


def _in_window(speech: Speech, window_s: float) -> Speech:
    """Let silence at the end take up what is missing or too much, if that is a little."""
    tail_s = edges_s(speech)[1]
    sound_s = speech.duration_s - tail_s
    left_s = window_s - sound_s
    if not min(tail_s, _SHORTEST_TAIL_S) <= left_s <= tail_s + _GIVE_S:
        return speech
    return with_length(speech, timing.num_samples(window_s, speech.sample_rate))
