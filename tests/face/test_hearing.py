import tracemalloc
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from unitaf.audio import resample
from unitaf.errors import BackendError
from unitaf.face import hearing
from unitaf.face.hearing import HeardVisemes, PhoneRecognizer
from unitaf.face.phones import postures
from unitaf.face.pitch import PITCH_RATE, track_pitch
from unitaf.face.visemes import VisemeAnimator
from unitaf.metrics.lips import Closures, bilabial_closures, lip_parting
from unitaf.tts.hibari import Hibari
from unitaf.types import FaceAnimator, Phone, Speech, Utterance

SHUT = 0.05
NO_PITCH = np.zeros(0, np.float32)
SUBJECTS = ("My brother", "The bubbly captain", "Every mechanic", "A vampire")
VERBS = ("bumped into", "forgave", "painted")
OBJECTS = ("my lamp.", "five warm pubs.", "the big ship?", "peppers and beef.")


@pytest.fixture(scope="module")
def recognizer() -> PhoneRecognizer:
    return PhoneRecognizer()


@pytest.fixture(scope="module")
def lines() -> list[tuple[Utterance, Speech]]:
    """48 lines of the embedded voice, whose phones are known."""
    texts = [" ".join(words) for words in product(SUBJECTS, VERBS, OBJECTS)]
    utterances = [Utterance(f"l{i}", text, seed=i) for i, text in enumerate(texts)]
    speeches = Hibari().synthesize(utterances)
    return list(zip(utterances, (replace(s, f0=NO_PITCH) for s in speeches), strict=True))


@pytest.fixture(scope="module")
def heard(
    recognizer: PhoneRecognizer, lines: list[tuple[Utterance, Speech]]
) -> list[tuple[Phone, ...]]:
    return [recognizer.hear(speech.waveform, speech.sample_rate) for _, speech in lines]


def shape(label: str) -> str:
    """Return what a sound looks like."""
    posture = postures(label)[0]
    if not posture.is_vowel:
        return posture.viseme
    if posture.pucker > 0.3:
        return "round"
    return "open" if posture.jaw > 0.27 else "narrow"


def nearest(phone: Phone, others: tuple[Phone, ...]) -> Phone:
    """Return the sound that looks alike and lies nearest."""
    middle = phone.start_s + phone.end_s
    alike = [other for other in others if shape(other.label) == shape(phone.label)]
    return min(alike, key=lambda other: abs(other.start_s + other.end_s - middle), default=phone)


def sounds(phones: tuple[Phone, ...]) -> str:
    return "".join(phone.label for phone in phones)


def test_phones_fill_the_recording_without_gaps(
    lines: list[tuple[Utterance, Speech]], heard: list[tuple[Phone, ...]]
) -> None:
    for (_, speech), phones in zip(lines, heard, strict=True):
        assert phones[0].start_s == 0.0
        assert phones[-1].end_s == speech.duration_s
        assert all(left.end_s == right.start_s for left, right in pairwise(phones))
        assert all(phone.start_s < phone.end_s for phone in phones)


def test_sounds_are_heard_when_they_are_said(
    lines: list[tuple[Utterance, Speech]], heard: list[tuple[Phone, ...]]
) -> None:
    said, late_s = 0, []
    for (_, speech), phones in zip(lines, heard, strict=True):
        sounding = tuple(phone for phone in phones if phone.label)
        for phone in (phone for phone in speech.phones if phone.label):
            said += 1
            other = nearest(phone, sounding)
            apart = abs(other.start_s + other.end_s - phone.start_s - phone.end_s) / 2
            if other is not phone and apart <= 0.15:
                late_s.append(other.start_s - phone.start_s)
    assert len(late_s) / said >= 0.90
    assert abs(np.median(late_s)) <= 0.01
    assert np.median(np.abs(late_s)) <= 0.02


def test_lips_meet_where_they_must_and_part_for_vowels(
    lines: list[tuple[Utterance, Speech]], heard: list[tuple[Phone, ...]]
) -> None:
    closures, parted, vowels = Closures(0, 0), 0, 0
    for (utterance, speech), phones in zip(lines, heard, strict=True):
        (motion,) = VisemeAnimator().animate([utterance], [replace(speech, phones=phones)], 60.0)
        opening = lip_parting(motion.curves, motion.channels)
        closures += bilabial_closures(speech.phones, opening, 60.0, SHUT)
        for phone in speech.phones:
            if postures(phone.label)[0].is_vowel:
                first, last = round(phone.start_s * 60), round(phone.end_s * 60)
                vowels += 1
                parted += bool(opening[first : last + 1].max() > SHUT)
    assert closures.bilabials > 150
    assert closures.rate >= 0.96
    assert parted / vowels >= 0.97


def test_a_silence_is_a_pause(recognizer: PhoneRecognizer) -> None:
    first, second = Hibari().synthesize([Utterance("a", "Wake up."), Utterance("b", "Not now.")])
    rate = first.sample_rate
    silence = np.zeros(rate, np.float32)
    phones = recognizer.hear(np.concatenate([first.waveform, silence, second.waveform]), rate)
    begins, ends = first.phones[-1].start_s, first.duration_s + 1.0 + second.phones[0].end_s
    (pause,) = [p for p in phones[1:-1] if not p.label]
    assert pause.start_s == pytest.approx(begins, abs=0.06)
    assert pause.end_s == pytest.approx(ends, abs=0.06)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(40_000),
        0.05 * np.random.default_rng(0).standard_normal(40_000),
        0.2 * np.sin(np.arange(40_000) * 0.06),
        np.full(400, 0.1),
        np.full(1, 0.1),
    ],
)
def test_what_is_no_speech_is_one_pause(recognizer: PhoneRecognizer, sound: np.ndarray) -> None:
    expected = Phone("", 0.0, len(sound) / 16_000)
    assert recognizer.hear(sound.astype(np.float32), 16_000) == (expected,)


def test_no_sound_outlasts_what_a_mouth_holds(recognizer: PhoneRecognizer) -> None:
    (speech,) = Hibari().synthesize([Utterance("a", "Run, my boy.")])
    rate = speech.sample_rate
    hum = 0.2 * np.sin(2 * np.pi * 150 * np.arange(6 * rate) / rate)
    phones = recognizer.hear(np.concatenate([speech.waveform, hum.astype(np.float32)]), rate)
    assert all(phone.end_s - phone.start_s <= 1.5 for phone in phones if phone.label)
    assert phones[-1].label == ""


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_any_rate_and_level_sounds_alike(
    recognizer: PhoneRecognizer, lines: list[tuple[Utterance, Speech]], rate: int
) -> None:
    speech = lines[0][1]
    expected = recognizer.hear(speech.waveform, speech.sample_rate)
    quiet = 0.05 * resample(speech.waveform, speech.sample_rate, rate)
    phones = recognizer.hear(quiet.astype(np.float32), rate)
    assert sounds(phones) == sounds(expected)
    for phone, other in zip(phones, expected, strict=True):
        assert phone.start_s == pytest.approx(other.start_s, abs=0.03)


def test_a_long_recording_is_heard_like_its_lines_in_little_memory(
    recognizer: PhoneRecognizer,
    lines: list[tuple[Utterance, Speech]],
    heard: list[tuple[Phone, ...]],
) -> None:
    some = lines[::2]
    whole = np.concatenate([resample(s.waveform, s.sample_rate, 16_000) for _, s in some])
    tracemalloc.start()
    try:
        phones = recognizer.hear(whole, 16_000)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(whole) > 3 * hearing.WINDOW_S * 16_000
    assert peak_bytes < 0.75 * whole.nbytes
    alone, begin_s = [], 0.0
    for (_, speech), line in zip(some, heard[::2], strict=True):
        alone += [begin_s + phone.start_s for phone in line if phone.label]
        begin_s += speech.duration_s
    together = np.array([phone.start_s for phone in phones if phone.label])
    assert len(together) == pytest.approx(len(alone), rel=0.01)
    apart = np.abs(np.array(alone)[:, None] - together[None]).min(axis=1)
    assert (apart <= 0.03).mean() >= 0.98


def test_phones_that_are_known_are_not_heard(
    recognizer: PhoneRecognizer,
    lines: list[tuple[Utterance, Speech]],
    heard: list[tuple[Phone, ...]],
) -> None:
    rules = VisemeAnimator()
    animator = HeardVisemes(recognizer, rules)
    assert isinstance(animator, FaceAnimator)
    utterance, speech = lines[0]
    pitch = track_pitch(speech.waveform, speech.sample_rate)
    hears = replace(speech, phones=heard[0], f0=pitch, f0_rate=PITCH_RATE)
    both = [speech, replace(speech, phones=())]
    motions = animator.animate([utterance, utterance], both, 30.0)
    expected = rules.animate([utterance, utterance], [speech, hears], 30.0)
    for motion, other in zip(motions, expected, strict=True):
        assert np.array_equal(motion.curves, other.curves)


def test_the_fingerprint_and_licence_name_network_and_rules(recognizer: PhoneRecognizer) -> None:
    animator = HeardVisemes(recognizer, VisemeAnimator(strength=0.5))
    assert "hama/1" in animator.fingerprint
    assert "strength=0.5" in animator.fingerprint
    assert animator.licence == "Apache-2.0 (hama)"


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MODEL_SHA256", "0" * 64)
    with pytest.raises(BackendError, match="weights of the hama package are damaged"):
        PhoneRecognizer()
