"""The embedded English voice: what it says, when, how loud, and what it refuses."""

from typing import NoReturn

import numpy as np
import onnxruntime
import pytest
from scipy.signal import stft

from unitaf.emotion import parse_emotion
from unitaf.errors import InputError
from unitaf.tts import hibari
from unitaf.tts.hibari import Hibari
from unitaf.tts.misaki import PHONES, VOWEL_LABELS
from unitaf.types import NEUTRAL, Emotion, Speech, Utterance

MONOLOGUE = """
My mother drew this map the winter before the sea came in. Every street, every stair, every crooked
little bakery on Fuller's Row. I used to think she was afraid of forgetting. She wasn't. She was
leaving us directions, so that one day somebody would walk back through the dark, put a hand on the
wall, and say: here. This is where we lived. So hold the lamp up, Pip. I can almost read the door.
""".replace("\n", " ")
HISSES = {"s", "z", "ʃ", "ʒ", "tʃ", "dʒ"}
VOWELS = set(VOWEL_LABELS.values())


@pytest.fixture(scope="module")
def engine() -> Hibari:
    return Hibari()


@pytest.fixture(scope="module")
def monologue(engine: Hibari) -> Speech:
    return say(engine, MONOLOGUE)


def say(engine: Hibari, text: str, seed: int = 0, emotion: Emotion = NEUTRAL) -> Speech:
    (speech,) = engine.synthesize([Utterance("line", text, seed=seed, emotion=emotion)])
    return speech


def spoken_s(speech: Speech) -> float:
    return speech.phones[-1].start_s - speech.phones[0].end_s


def step_levels(speech: Speech) -> np.ndarray:
    """The root mean square of the samples of every feature step."""
    samples = speech.waveform.reshape(len(speech.features), -1)
    return np.sqrt(np.square(samples).mean(axis=1))


def test_phones_are_the_sounds_of_the_words(engine: Hibari) -> None:
    speech = say(engine, "Bob, watch out for the joy ride.")
    labels = [phone.label for phone in speech.phones if phone.label]
    assert " ".join(labels) == "b ɑ b w ɑ tʃ aʊ t f ɔ ɹ ð ə dʒ ɔɪ ɹ aɪ d"
    assert {phone.label for phone in speech.phones if phone.stress} <= VOWELS
    assert [phone.stress for phone in speech.phones if phone.label == "ɔɪ"] == [1]


def test_no_phone_is_outside_the_inventory(monologue: Speech) -> None:
    assert {phone.label for phone in monologue.phones} <= {"", *PHONES}


@pytest.mark.parametrize(
    "text",
    [
        "She sells sea shells by the sea shore, and six ships sank.",
        "Stop! The mission starts at six. Chase those guys, please.",
    ],
)
def test_hisses_are_heard_when_their_phones_say(engine: Hibari, text: str) -> None:
    speech = say(engine, text)
    frequencies, times, spectrum = stft(speech.waveform, speech.sample_rate, nperseg=240)
    hiss = np.square(np.abs(spectrum[frequencies > 5000])).sum(axis=0)

    def share(delay_s: float) -> float:
        inside = np.zeros(len(times), bool)
        for phone in speech.phones:
            if phone.label in HISSES:
                inside |= (times >= phone.start_s + delay_s) & (times < phone.end_s + delay_s)
        return float(hiss[inside].sum() / hiss.sum())

    assert share(0.0) > 0.85
    assert share(0.0) > max(share(-0.025), share(0.025)) + 0.05


def test_pauses_are_silent_and_vowels_voiced_to_the_end_of_a_long_text(monologue: Speech) -> None:
    assert monologue.duration_s > 20
    levels = step_levels(monologue) / step_levels(monologue).max()
    pitched = monologue.f0 > 0
    for phone in monologue.phones:
        steps = slice(round(phone.start_s * 80), round(phone.end_s * 80))
        if not phone.label:
            assert levels[steps].max() < 0.03
            assert pitched[steps].mean() < 0.2
    late = [phone for phone in monologue.phones[-60:] if phone.label in VOWELS]
    voiced = [pitched[round(phone.start_s * 80) : round(phone.end_s * 80)].mean() for phone in late]
    assert np.mean(voiced) > 0.85


def test_sentences_are_apart_without_a_click(monologue: Speech) -> None:
    pauses = [
        phone
        for phone in monologue.phones[1:-1]
        if not phone.label and phone.end_s - phone.start_s > 0.4
    ]
    assert len(pauses) == 7
    for pause in pauses:
        assert pause.end_s - pause.start_s < 0.6
        inside = monologue.waveform[
            round((pause.start_s + 0.05) * 24000) : round((pause.end_s - 0.05) * 24000)
        ]
        assert np.abs(np.diff(inside)).max() < 0.005


def test_silence_around_a_line_is_short(engine: Hibari) -> None:
    speech = say(engine, "Reloading!")
    assert speech.phones[0].end_s == pytest.approx(0.2, abs=0.03)
    last = speech.phones[-1]
    assert last.end_s - last.start_s == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    "text",
    [
        "Left!",
        "What IS that smell?",
        "The masks are £49.99 each, the rope is £12.50, and the silence, my dear, is extra.",
    ],
)
def test_lines_are_equally_loud(engine: Hibari, text: str) -> None:
    speech = say(engine, text)
    levels = step_levels(speech)
    heard = levels[levels > levels.max() * 0.06]
    assert -24 < 20 * np.log10(np.sqrt(np.square(heard).mean())) < -20
    assert np.abs(speech.waveform).max() < 0.95


def test_only_the_noise_depends_on_the_seed(engine: Hibari) -> None:
    one, other = say(engine, "Six ships.", seed=1), say(engine, "Six ships.", seed=2)
    assert not np.array_equal(one.waveform, other.waveform)
    np.testing.assert_array_equal(one.features, other.features)
    assert say(engine, "Go!", seed=-1).num_samples == say(engine, "Go!").num_samples


def test_emotion_changes_the_pace(engine: Hibari) -> None:
    text = "I never wanted any of this."
    grief = say(engine, text, emotion=parse_emotion("sad"))
    fear = say(engine, text, emotion=parse_emotion("afraid"))
    assert spoken_s(fear) < spoken_s(say(engine, text)) < spoken_s(grief)


def test_speed_changes_the_length_and_the_fingerprint(engine: Hibari) -> None:
    text = "The quick brown fox jumps over the lazy dog, and the captain laughs."
    usual = spoken_s(say(engine, text))
    for speed in (0.75, 0.9, 1.1, 1.3):
        other = Hibari(speed=speed)
        assert other.fingerprint != engine.fingerprint
        assert usual / spoken_s(say(other, text)) == pytest.approx(speed, rel=0.05)


@pytest.mark.parametrize("speed", [0.4, 2.1, float("nan")])
def test_a_speed_out_of_range_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be between"):
        Hibari(speed=speed)


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"voice must be one of heart, .*, not 'nobody'"):
        Hibari(voice="nobody")


@pytest.mark.parametrize(
    ("text", "language", "reason", "column"),
    [
        ("Bonjour", "fr", "speaks English, not 'fr'", "language"),
        ("Привет", "en", "only Latin letters", "text"),
        ("9" * 60, "en", "aloud", "text"),
    ],
)
def test_what_it_cannot_say_is_an_input_error(
    engine: Hibari, text: str, language: str, reason: str, column: str
) -> None:
    with pytest.raises(InputError, match=f"line 'a7'.*{reason}") as caught:
        engine.synthesize([Utterance("a7", text, language=language)])
    assert caught.value.column == column


def test_a_sentence_without_an_end_is_still_said(engine: Hibari) -> None:
    speech = say(engine, "never stop " * 60)
    assert len(speech.words) == 120
    gaps = np.diff([word.start_s for word in speech.words])
    assert gaps.max() < 0.8


def test_construction_loads_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("a model was loaded")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    hibari._network.cache_clear()  # Engines share it, and others have loaded it.
    engine = Hibari()
    assert engine.fingerprint
    with pytest.raises(RuntimeError, match="a model was loaded"):
        say(engine, "Now.")
