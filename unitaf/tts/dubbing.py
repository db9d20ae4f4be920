"""Lines that must last as long as a window allows: the speaking rate is solved for.

An engine's length is about ``a / speed + b``: sounds get shorter, pauses need not. Two sayings give
both numbers, a third is nearly always within some hundredths of a second, and silence at the end
takes up the rest. Where the engine cannot speak so fast or so slowly, the line is as near as it can
be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from unitaf import timing
from unitaf.tts.acting import Sayer
from unitaf.tts.splicing import edges_s, with_head, with_length, with_tail
from unitaf.types import Speech, Utterance

_SAYINGS = 6
"""At most, the one at the usual rate included."""
_GIVE_S = 0.08
"""How much longer or shorter the silence at the end may become: less than is heard."""
_SHORTEST_TAIL_S = 0.02
"""What must be left of it, where there is so much."""


@dataclass(slots=True)
class _Attempt:
    """The sayings of one line so far: speaking rate and length without the silence at the end."""

    said: Utterance
    window_s: float
    speech: Speech
    tail_s: float
    tried: list[tuple[float, float]] = field(default_factory=list)

    def note(self, speech: Speech, speed: float) -> None:
        """Take a saying; keep it if it is the nearest."""
        sound_s = speech.duration_s - edges_s(speech)[1]
        if not self.tried or abs(self.miss_s(sound_s)) < abs(
            min((self.miss_s(known) for _, known in self.tried), key=abs)
        ):
            self.speech = speech
        self.tried.append((speed, sound_s))

    def miss_s(self, sound_s: float) -> float:
        """Return by how much a sound and the usual silence after it exceed the window."""
        return sound_s + self.tail_s - self.window_s

    @property
    def is_close(self) -> bool:
        """Whether silence alone can do the rest."""
        longest = min(_GIVE_S, max(self.tail_s - _SHORTEST_TAIL_S, 0.0))
        return any(-_GIVE_S <= self.miss_s(sound_s) <= longest for _, sound_s in self.tried)

    def next_speed(self, slowest: float, fastest: float) -> float | None:
        """Return the rate to try next; None if it has been tried."""
        (speed, sound_s), *more = reversed(self.tried)
        wanted_s = max(self.window_s - self.tail_s, 0.05)
        paused_s = 0.0
        if more:
            other, other_s = more[0]
            # Two points of a / speed + b.
            slope = (sound_s - other_s) / (1.0 / speed - 1.0 / other)
            paused_s = sound_s - slope / speed
        paused_s = min(max(paused_s, 0.0), 0.9 * sound_s)
        guess = speed * (sound_s - paused_s) / max(wanted_s - paused_s, 0.02)
        guess = min(max(guess, slowest), fastest)
        return None if any(abs(guess - tried) < 1e-3 for tried, _ in self.tried) else guess


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
    attempts = {}
    for index, (said, speech) in enumerate(zip(utterances, speeches, strict=False)):
        if said.target_s is not None:
            attempt = _Attempt(said, said.target_s, speech, edges_s(speech)[1])
            attempt.note(speech, said.speed)
            attempts[index] = attempt
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
