import numpy as np
import pytest

from tests.face.spoken import phones_of, speech_of, utterance_of
from unitaf.face.prosody import read_prosody
from unitaf.types import Speech

BANANA = [
    ("", 0.3), ("b", 0.07), ("ə", 0.08), ("n", 0.07), ("ɑ", 0.16), ("n", 0.07), ("ə", 0.12),
    ("", 0.3),
]  # fmt: skip
TWO_PHRASES = [*BANANA[:-1], ("", 0.4), *BANANA[1:]]


def vowel_gains(speech: Speech) -> list[float]:
    gains = read_prosody(utterance_of(), speech).gains
    return [gains[i] for i, phone in enumerate(speech.phones) if phone.label in ("ə", "ɑ")]


def test_a_louder_voice_moves_more() -> None:
    phones = phones_of(BANANA)
    quiet, ordinary, loud = (np.mean(vowel_gains(speech_of(phones, a))) for a in (0.01, 0.12, 0.6))
    assert quiet < 0.8 < 0.9 < ordinary < 1.1 < 1.2 < loud


def test_a_whisper_moves_less_than_a_voice_as_loud() -> None:
    phones = phones_of(BANANA)
    assert np.mean(vowel_gains(speech_of(phones, f0=0.0))) < 0.85 * np.mean(
        vowel_gains(speech_of(phones))
    )


def test_stress_moves_more_where_it_is_marked() -> None:
    first, second, third = vowel_gains(speech_of(phones_of(BANANA, stressed=[4])))
    assert second > 1.2 * first
    assert second > 1.2 * third
    assert np.ptp(vowel_gains(speech_of(phones_of(BANANA)))) < 0.02


def test_pauses_have_no_gain() -> None:
    gains = read_prosody(utterance_of(), speech_of(phones_of(BANANA), amplitude=0.6)).gains
    assert gains[0] == gains[-1] == 1.0


def test_the_stressed_and_the_high_stand_out() -> None:
    phones = phones_of(TWO_PHRASES, stressed=[4])
    pitches = [200.0] * len(phones)
    (accent,) = read_prosody(utterance_of(), speech_of(phones, f0=pitches)).accents
    assert accent.time_s == pytest.approx(0.60, abs=0.01)
    pitches[11] = 320.0
    accents = read_prosody(utterance_of(), speech_of(phones, f0=pitches)).accents
    assert len(accents) == 2
    assert phones[11].start_s < accents[1].time_s < phones[11].end_s


def test_accents_are_a_syllable_apart() -> None:
    fast = phones_of([("t", 0.05), ("a", 0.08)] * 40, stressed=range(1, 80, 2))
    accents = read_prosody(utterance_of(), speech_of(fast)).accents
    assert len(accents) >= 8
    assert min(np.diff([accent.time_s for accent in accents])) >= 0.28


def test_phrases_end_at_pauses_not_at_stops() -> None:
    speech = speech_of(phones_of(TWO_PHRASES))
    first, second = read_prosody(utterance_of(), speech).phrases
    assert (first.start_s, first.end_s) == pytest.approx((0.3, 0.87))
    assert (second.start_s, second.end_s) == pytest.approx((1.27, 1.84))
    closure = phones_of([("a", 0.2), ("", 0.06), ("t", 0.05), ("a", 0.2)])
    assert len(read_prosody(utterance_of(), speech_of(closure)).phrases) == 1


def test_a_question_is_heard_or_read() -> None:
    phones = phones_of(TWO_PHRASES)
    flat = speech_of(phones)
    assert [p.is_question for p in read_prosody(utterance_of("yes."), flat).phrases] == [
        False,
        False,
    ]
    assert [p.is_question for p in read_prosody(utterance_of("yes?"), flat).phrases] == [
        False,
        True,
    ]
    assert [p.is_question for p in read_prosody(utterance_of('"是？"'), flat).phrases] == [
        False,
        True,
    ]
    marked = utterance_of("Where is [emphasis]he?[/emphasis]")
    assert [p.is_question for p in read_prosody(marked, flat).phrases] == [False, True]
    rising = [200.0] * len(phones)
    rising[6] = 260.0
    heard = read_prosody(utterance_of("yes."), speech_of(phones, f0=rising)).phrases
    assert [p.is_question for p in heard] == [True, False]


def test_silence_has_no_prosody() -> None:
    for phones in ((), phones_of([("", 1.0)])):
        prosody = read_prosody(utterance_of("?"), speech_of(phones))
        assert prosody.accents == prosody.phrases == ()
        assert prosody.gains.tolist() == [1.0] * len(phones)


def test_speech_without_vowels_or_pitch_has_gains() -> None:
    hum = phones_of([("", 0.2), ("m", 0.5), ("", 0.2)])
    assert read_prosody(utterance_of(), speech_of(hum, f0=0.0)).gains[1] > 0.5


def test_wrong_alphabets_are_refused() -> None:
    with pytest.raises(ValueError, match="'你'"):
        read_prosody(utterance_of(), speech_of(phones_of([("你", 0.2)])))
