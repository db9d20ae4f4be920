from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from unitaf import timing
from unitaf.face.visemes import VisemeAnimator
from unitaf.metrics import lips
from unitaf.rigs.arkit import CHANNELS
from unitaf.tts.dubbing import is_in_window, say_in_time
from unitaf.tts.hibari import Hibari
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, Utterance

LINES = (
    "Bring the maps, and be back before the bells ring.",
    "Move!",
    "My brother bought a boat. He never paid for it, but he keeps promising. Somebody should stop"
    " him before he buys another.",
)


class Counting(StubSpeech):
    def __init__(self) -> None:
        self.said: list[Utterance] = []

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Speech]:
        self.said += utterances
        return super().synthesize(utterances)


def test_lines_without_a_target_are_said_once() -> None:
    engine = Counting()
    lines = [Utterance("a", "Hello there."), Utterance("b", "Good bye.", target_s=1.0)]
    speeches = say_in_time(engine, lines)
    assert [said.id for said in engine.said].count("a") == 1
    assert speeches[0].num_samples == StubSpeech().synthesize(lines[:1])[0].num_samples
    assert is_in_window(speeches[1], 1.0)


def test_a_window_that_is_right_already_costs_nothing() -> None:
    engine = Counting()
    natural = StubSpeech().synthesize([Utterance("a", "Hello there.")])[0].duration_s
    say_in_time(engine, [Utterance("a", "Hello there.", target_s=natural)])
    assert len(engine.said) == 1


@pytest.mark.parametrize("share", [0.3, 4.0])
def test_what_no_rate_can_do_is_as_near_as_can_be(share: float) -> None:
    line = Utterance("a", "Hello there, my friend.")
    (natural,) = StubSpeech().synthesize([line])
    window_s = share * natural.duration_s
    (made,) = say_in_time(StubSpeech(), [replace(line, target_s=window_s)])
    assert not is_in_window(made, window_s)
    nearest = 0.5 if share < 1 else 2.0
    assert made.duration_s == pytest.approx(nearest * natural.duration_s, rel=1e-3)


@pytest.fixture(scope="module")
def hibari() -> Hibari:
    return Hibari()


@pytest.mark.parametrize("share", [0.8, 0.93, 1.1, 1.3])
def test_a_voice_ends_with_its_window_and_its_lips_still_close(
    hibari: Hibari, share: float
) -> None:
    lines = [Utterance(str(i), text, seed=i) for i, text in enumerate(LINES)]
    natural = hibari.synthesize(lines)
    dubbed = [
        replace(line, target_s=share * speech.duration_s)
        for line, speech in zip(lines, natural, strict=True)
    ]
    made = say_in_time(hibari, dubbed)
    closures = lips.Closures(0, 0)
    for line, speech, usual in zip(dubbed, made, natural, strict=True):
        assert line.target_s is not None
        assert speech.num_samples == timing.num_samples(line.target_s, speech.sample_rate)
        assert [p.label for p in speech.phones if p.label] == [
            p.label for p in usual.phones if p.label
        ]
        assert speech.phones[-1].end_s == pytest.approx(speech.duration_s)
        (motion,) = VisemeAnimator().animate([line], [speech], 60.0)
        assert len(motion.curves) == timing.num_frames(speech.num_samples, 24_000, 60.0)
        parting = lips.lip_parting(motion.curves, CHANNELS)
        closures += lips.bilabial_closures(speech.phones, parting, 60.0, 0.05)
    assert closures.bilabials >= 10
    assert closures.rate == 1.0


def test_the_same_window_gives_the_same_bytes_whatever_the_batch(hibari: Hibari) -> None:
    lines = [Utterance(str(i), text, target_s=2.0 + i) for i, text in enumerate(LINES)]
    together = say_in_time(hibari, lines)
    for line, speech in zip(lines, together, strict=True):
        (alone,) = say_in_time(hibari, [line])
        assert alone.waveform.tobytes() == speech.waveform.tobytes()
        np.testing.assert_array_equal(alone.features, speech.features)
