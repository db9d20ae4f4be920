"""A streamed line is the line: every sample and every frame once, without a jump."""

import asyncio
import re
from itertools import groupby
from operator import itemgetter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ChokingSpeech
from unitaf import timing
from unitaf.face.moods import animate_moods
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.script.lexicon import Lexicon
from unitaf.serving.models import Answer, FaceModel, SpeechModel
from unitaf.serving.streaming import MotionStream, split_parts, split_segments, stream_take
from unitaf.triton.refusals import Refusal
from unitaf.triton.tensors import SPEECH_MODEL, Tensors, encode_utterance
from unitaf.tts.acting import Actor
from unitaf.tts.hibari import Hibari
from unitaf.tts.splicing import to_grain
from unitaf.tts.stub import StubSpeech
from unitaf.types import Speech, TextToSpeech, Utterance

TEXT = "The ship sails at dawn. Bring 3 lamps! Who goes there?"
ENGINE = StubSpeech()


def say(text: str, tts: TextToSpeech = ENGINE) -> Speech:
    return tts.synthesize([Utterance("a", text)])[0]


def stream(text: str, tts: TextToSpeech, fps: float) -> list[Answer]:
    speech, face = SpeechModel(tts), FaceModel(tts, VisemeAnimator(), 60.0)

    async def ask(model: str, tensors: Tensors) -> Answer:
        return (speech if model == SPEECH_MODEL else face).answer([tensors])[0]

    async def collect() -> list[Answer]:
        request = {**encode_utterance(Utterance("a", text)), "fps": np.array([[fps]])}
        return [answer async for answer in stream_take(request, 60.0, ask)]

    return asyncio.run(collect())


def pieces(answers: list[Answer]) -> list[Tensors]:
    assert not any(isinstance(answer, Refusal) for answer in answers)
    return [answer for answer in answers if not isinstance(answer, Refusal)]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        (TEXT, ["The ship sails at dawn.", "Bring 3 lamps!", "Who goes there?"]),
        ("Dr. Smith? Here.", ["Dr. Smith?", "Here."]),
        ("... Well. ... Yes!", ["... Well. ...", "Yes!"]),
        ("...", ["..."]),
        ("One.\n\nTwo.", ["One.", "Two."]),
        (
            "[emphasis]Stop. Come to me.[/emphasis] Now. [emphasis]Go![/emphasis]",
            [
                "[emphasis]Stop.[/emphasis]",
                "[emphasis]Come to me.[/emphasis]",
                "Now.",
                "[emphasis]Go![/emphasis]",
            ],
        ),
        ("I [emphasis]do.[/ emphasis] Come!", ["I [emphasis]do.[/ emphasis]", "Come!"]),
        ("Ask [emphasis]Dr.[/emphasis] Smith.", ["Ask [emphasis]Dr.[/emphasis] Smith."]),
        ("[Ben!](/bˈɛn/) [Go! Now](/ɡoʊ/)!", ["[Ben!](/bˈɛn/)", "[Go! Now](/ɡoʊ/)!"]),
        ("", [""]),
    ],
)
def test_a_line_is_split_where_something_is_left_to_say(text: str, segments: list[str]):
    assert split_segments(text) == segments


@given(st.text(st.sampled_from("ab 1.!?\n\"'"), max_size=30))
def test_splitting_loses_no_letter_and_makes_nothing_that_cannot_be_said(text: str):
    segments = split_segments(text)
    assert [c for c in "".join(segments) if c.isalnum()] == [c for c in text if c.isalnum()]
    if any(character.isalnum() for character in text):
        assert all(any(c.isalnum() for c in segment) for segment in segments)


def emphases(text: str) -> list[tuple[str, bool]]:
    """Return the words of a text, and whether each is emphasised."""
    found, depth = [], 0
    for token in re.findall(r"\[/?emphasis\]|[^\s\[\]]+", text):
        if token.endswith("emphasis]"):
            depth += -1 if "/" in token else 1
        else:
            found.append((token, depth > 0))
    assert depth == 0
    return found


@given(st.lists(st.tuples(st.sampled_from(["one", "Two.", "Three!", "..."]), st.booleans())))
def test_what_is_emphasised_is_so_in_every_sentence(words: list[tuple[str, bool]]):
    text = ""
    for is_emphasised, run in groupby(words, key=itemgetter(1)):
        said = " ".join(word for word, _ in run)
        text += f"[emphasis]{said}[/emphasis] " if is_emphasised else f"{said} "
    segments = split_segments(text)
    assert [each for segment in segments for each in emphases(segment)] == words
    assert len(segments) == len(split_segments(" ".join(word for word, _ in words)))


def test_emphasis_is_heard_in_every_sentence_of_a_stream():
    hibari = Hibari()
    given_out = pieces(stream("[emphasis]Take the boat. Bring[/emphasis] the maps.", hibari, 30.0))
    first = to_grain(say("[emphasis]Take the boat.[/emphasis]", hibari))
    last = say("[emphasis]Bring[/emphasis] the maps.", hibari)
    for piece, speech in zip(given_out, [first, last], strict=True):
        np.testing.assert_array_equal(piece["waveform"][0], speech.waveform)
    assert first.num_samples > 1.1 * to_grain(say("Take the boat.", hibari)).num_samples


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0])
def test_a_stream_gives_every_sample_and_every_frame_once(fps: float):
    given_out = pieces(stream(TEXT, ENGINE, fps))
    assert [bool(piece["is_last"][0, 0]) for piece in given_out] == [False, False, True]
    samples, frames = 0, 0
    for piece in given_out:
        assert piece["start_s"][0, 0] == samples / ENGINE.sample_rate
        assert piece["first_frame"][0, 0] == frames
        samples += piece["waveform"].shape[1]
        frames += piece["curves"].shape[1]
        assert frames == timing.num_frames(samples, ENGINE.sample_rate, fps)


def test_a_line_of_one_sentence_is_streamed_as_it_is_made_at_once():
    [piece] = pieces(stream("Who goes there?", ENGINE, 60.0))
    line, speech = Utterance("a", "Who goes there?"), say("Who goes there?")
    np.testing.assert_array_equal(piece["waveform"][0], speech.waveform)
    [motion] = VisemeAnimator().animate([line], [speech], 60.0)
    np.testing.assert_array_equal(piece["curves"][0], motion.curves)


def test_the_face_does_not_jump_between_sentences():
    given_out = pieces(stream(TEXT, Hibari(), 60.0))
    curves = np.concatenate([piece["curves"][0] for piece in given_out])
    steps = np.abs(np.diff(curves, axis=0)).max(axis=1)
    joints = [int(piece["first_frame"][0, 0]) for piece in given_out[1:]]
    assert max(steps[joint - 1] for joint in joints) < 0.5 * steps.max()


def test_a_motion_that_is_animated_anew_is_met_smoothly():
    motion = MotionStream(60.0)
    first = np.full((30, len(CHANNELS)), 0.2, np.float32)
    np.testing.assert_array_equal(motion.push(first), first)
    later = np.full((90, len(CHANNELS)), 0.8, np.float32)
    new = motion.push(later)
    assert motion.num_given == 90
    assert new[0, 0] == pytest.approx(0.2, abs=0.02)
    assert (np.diff(new[:, 0]) >= 0).all()
    np.testing.assert_array_equal(new[15:], later[45:])
    assert new[:, : len(BLENDSHAPES)].max() <= 1.0


def test_a_bad_sentence_ends_the_stream_with_the_reason():
    *said, refused = stream("Hello there. It says xyzzy. Goodbye.", ChokingSpeech(), 60.0)
    assert len(pieces(said)) == 1
    assert refused == Refusal("text", "it holds the word 'xyzzy'")


MARKED = [
    "Ask [Okafor](/oʊkˈæfɔːɹ/) now.",
    "[pause 0.7s] Bring the maps. [pause 300ms]",
    "Take it. [pause 1s] Go away!",
    "Ask [Dr? No](=doctor no) now.",
    "[emphasis]Take it. [pause 1s] Go[/emphasis] away!",
    "Take [emotion: sad] the boat, Ben, [pause 0.2s] [emotion] and go. [emotion: angry:0.4] Now!",
]


@pytest.mark.parametrize("text", MARKED)
@pytest.mark.parametrize("fps", [24.0, 59.94])
def test_a_line_with_marks_sounds_as_it_does_here_and_its_face_comes_to_rest_there(
    text: str, fps: float
):
    hibari = Hibari()
    line = Utterance("a", Lexicon([]).apply(text, "en", "", reads_ipa=True))
    given_out = pieces(stream(text, hibari, fps))
    [speech] = Actor(hibari).synthesize([line])
    sound = np.concatenate([piece["waveform"][0] for piece in given_out])
    np.testing.assert_array_equal(sound, speech.waveform)
    [motion] = animate_moods(VisemeAnimator(), [line], [speech], fps)
    curves = np.concatenate([piece["curves"][0] for piece in given_out])
    last = int(given_out[-1]["first_frame"][0, 0])
    settled = last + round(0.25 * fps) + 1 if last else 0
    assert len(curves) == len(motion.curves)
    assert settled < len(curves)
    np.testing.assert_array_equal(curves[settled:], motion.curves[settled:])


def test_a_line_is_cut_at_its_marks_and_sentences():
    text = "One. Two. [pause 1s] Three, [emotion: sad] four. Five? [pause]"
    parts = split_parts(Utterance("a", text))
    assert [part.text for part in parts] == ["One.", "Two.", "Three,", "four.", "Five?"]
    assert [(part.before_s, part.after_s) for part in parts] == [
        *((0, 0), (0, 1), (1, 0), (0, 0), (0, 0.5)),
    ]


def test_words_are_where_they_are_heard():
    given_out = pieces(stream("Take the boat. [pause 1s] Bring the maps. Now!", Hibari(), 30.0))
    boat, bring, _ = (
        [start_s + times for times in piece["word_times"][0]]
        for piece in given_out
        for start_s in [piece["start_s"][0, 0]]
    )
    assert bring[0][0] - boat[-1][1] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("text", ["[pause 99s] a", "[emotion: hangry] a", "[pause 1s]"])
def test_a_wrong_mark_is_refused_before_anything_is_said(text: str):
    [refused] = stream(text, ENGINE, 30.0)
    assert isinstance(refused, Refusal)
    assert refused.column == "text"
