"""Lines with pauses and changes of emotion in them, said by an engine that knows neither.

What stands between two such marks is said by itself, in its own emotion, and the parts are joined
on one clock. The silence of a pause is as long as the mark says, between one sound and the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unitaf.errors import BackendError, InputError
from unitaf.marks import has_turns, stretches
from unitaf.tts.splicing import edges_s, splice, with_head, with_tail
from unitaf.types import Emotion, Mood, Speech, TextToSpeech, Utterance


@dataclass(frozen=True, slots=True)
class Part:
    """What of a line is said in one go, and the pauses around it."""

    text: str
    emotion: Emotion
    before_s: float
    """The pause between what comes before and this; 0 for none."""
    after_s: float
    is_first: bool
    """Of its line."""
    is_last: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """An engine that does what the marks in a text say.

    Args:
        tts: Says what stands between marks.
    """

    tts: TextToSpeech

    @property
    def speeds(self) -> tuple[float, float]:
        """The engine's."""
        return self.tts.speeds

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        """Say every utterance, in order.

        Raises:
            InputError: Naming the first utterance that cannot be said, or whose marks are wrong.
            BackendError: If the engine gives more or fewer results than it is asked for.
        """
        plans = [parts_of(said) for said in utterances]
        asked = [
            replace(said, text=part.text, emotion=part.emotion)
            for said, plan in zip(utterances, plans, strict=True)
            for part in plan
        ]
        made = self.tts.synthesize(asked)
        if len(made) != len(asked):
            raise BackendError(
                f"the engine {self.tts.fingerprint!r} gave {len(made)} results for {len(asked)}"
                f" texts, the first of them of line {asked[0].id!r}"
            )
        if asked == list(utterances):
            return made
        speeches = iter(made)
        return [
            join_parts(said, plan, [with_pauses(part, next(speeches)) for part in plan])
            for said, plan in zip(utterances, plans, strict=True)
        ]


def parts_of(said: Utterance) -> list[Part]:
    """Cut a line at its marks.

    Raises:
        InputError: If they are wrong, or there is nothing else.
    """
    whole = Part(said.text, said.emotion, 0.0, 0.0, is_first=True, is_last=True)
    if "[" not in said.text:
        return [whole]
    try:
        plan = list(stretches(said.text, said.emotion))
    except ValueError as error:
        raise InputError(said.id, str(error)) from error
    spoken = [stretch for stretch in plan if stretch.text]
    if not spoken:
        raise InputError(said.id, "there is nothing to say besides its marks")
    if not has_turns(said.text):
        return [whole]
    pauses_s = [stretch.pause_s for stretch in spoken]
    pauses_s.append(0.0 if plan[-1].text else plan[-1].pause_s)
    last = len(spoken) - 1
    return [
        Part(each.text, each.emotion, each.pause_s, pauses_s[i + 1], i == 0, i == last)
        for i, each in enumerate(spoken)
    ]


def with_pauses(part: Part, speech: Speech) -> Speech:
    """Return what was said of a part with its share of the pauses around it.

    Between two parts each has half of the pause, and no other silence; at the ends of a line a
    pause is added to the silence there.
    """
    if part.before_s:
        own_s = edges_s(speech)[0] + part.before_s
        speech = with_head(speech, own_s if part.is_first else 0.5 * part.before_s)
    if part.after_s:
        own_s = edges_s(speech)[1] + part.after_s
        speech = with_tail(speech, own_s if part.is_last else 0.5 * part.after_s)
    return speech


def join_parts(said: Utterance, parts: Sequence[Part], speeches: Sequence[Speech]) -> Speech:
    """Return the parts of a line, `with_pauses`, as one speech."""
    is_whole = len(parts) == 1 and not parts[0].before_s and not parts[0].after_s
    whole = speeches[0] if is_whole else splice(speeches)
    if not whole.moods and parts[0].emotion != said.emotion:
        whole = replace(whole, moods=(Mood(0.0, parts[0].emotion),))
    return replace(whole, emotion=said.emotion)
