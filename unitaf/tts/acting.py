"""Lines with pauses and changes of emotion in them, said by an engine that knows neither.

What stands between two such marks is said by itself, in its own emotion, and the parts are joined
on one clock. The silence of a pause is as long as the mark says, between one sound and the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from unitaf.errors import InputError
from unitaf.marks import Stretch, has_turns, stretches
from unitaf.tts.splicing import edges_s, splice, with_head, with_tail
from unitaf.types import Speech, Utterance


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
class Actor:
    """An engine that does what the marks in a text say.

    Args:
        tts: Says what stands between marks.
    """

    tts: Sayer

    @property
    def speeds(self) -> tuple[float, float]:
        """The engine's."""
        return self.tts.speeds

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, or whose marks are wrong.
        """
        if not any(has_turns(said.text) for said in utterances):
            return self.tts.synthesize(utterances)
        plans = [_plan(said) for said in utterances]
        parts = [
            replace(said, text=stretch.text, emotion=stretch.emotion)
            for said, plan in zip(utterances, plans, strict=True)
            for stretch in plan
            if stretch.text
        ]
        speeches = iter(self.tts.synthesize(parts))
        return [
            _joined(said, plan, [next(speeches) for stretch in plan if stretch.text])
            for said, plan in zip(utterances, plans, strict=True)
        ]


def _plan(said: Utterance) -> list[Stretch]:
    try:
        plan = list(stretches(said.text, said.emotion))
    except ValueError as error:
        raise InputError(said.id, str(error)) from error
    if not any(stretch.text for stretch in plan):
        raise InputError(said.id, "there is nothing to say besides its marks")
    return plan


def _joined(said: Utterance, plan: Sequence[Stretch], speeches: Sequence[Speech]) -> Speech:
    if len(plan) == 1 and not plan[0].pause_s:
        return speeches[0]
    pauses_s = [stretch.pause_s for stretch in plan if stretch.text]
    parts = list(speeches)
    for index, pause_s in enumerate(pauses_s):
        if pause_s and index:
            parts[index - 1] = with_tail(parts[index - 1], 0.5 * pause_s)
            parts[index] = with_head(parts[index], 0.5 * pause_s)
        elif pause_s:
            parts[0] = with_head(parts[0], edges_s(parts[0])[0] + pause_s)
    if not plan[-1].text:
        parts[-1] = with_tail(parts[-1], edges_s(parts[-1])[1] + plan[-1].pause_s)
    return replace(splice(parts), emotion=said.emotion)
