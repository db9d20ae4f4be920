from collections.abc import Sequence

import numpy as np
import pytest

from tests.face.spoken import phones_of
from unitaf.face.coarticulation import CONTACT_S, Mouth, MouthShape

REST = ("", 0.3)


def shape_of(
    sounds: Sequence[tuple[str, float]], gain: float = 1.0
) -> tuple[np.ndarray, MouthShape]:
    """Return times 1 ms apart and the mouth at them."""
    phones = phones_of(sounds)
    times = np.arange(round(phones[-1].end_s * 1000)) / 1000
    gains = np.full(len(phones), gain)
    return times, Mouth(phones, gains, phones[-1].end_s).at(times)


@pytest.mark.parametrize("length", [0.01, 0.025, 0.05, 0.2])
@pytest.mark.parametrize("label", ["p", "b", "m", "pʰ", "mː"])
def test_lips_meet_however_short_the_sound(label: str, length: float) -> None:
    times, mouth = shape_of([REST, ("a", 0.1), (label, length), ("a", 0.1), REST])
    shut = times[mouth.close == 1.0]
    assert shut[-1] - shut[0] >= CONTACT_S - 0.002
    assert shut[0] <= 0.4
    middle = 0.4 + length / 2
    assert shut[0] < middle < shut[-1]


def test_the_lip_meets_the_teeth_for_f_and_v_only() -> None:
    _, bitten = shape_of([REST, ("a", 0.1), ("f", 0.04), ("a", 0.1), REST])
    _, free = shape_of([REST, ("a", 0.1), ("s", 0.04), ("a", 0.1), REST])
    assert bitten.bite.max() == 1.0
    assert free.bite.max() == free.close.max() == 0.0


def test_contacts_let_go_between_sounds() -> None:
    times, mouth = shape_of([REST, *[("p", 0.05), ("a", 0.12)] * 3, REST])
    vowel = (times > 0.35) & (times < 0.47)
    assert mouth.close[vowel].min() < 0.05


def test_rounding_begins_before_its_vowel_through_the_tongue_s_consonants() -> None:
    times, mouth = shape_of([REST, ("i", 0.15), ("s", 0.06), ("t", 0.06), ("u", 0.15), REST])
    into_u = np.interp([0.45, 0.51, 0.57], times, mouth.pucker)
    assert into_u[0] > 0.02
    assert into_u[2] > 0.6 * mouth.pucker.max()
    assert mouth.pucker[times < 0.36].max() < 0.05


def test_a_held_consonant_does_not_wait_for_the_vowel_to_round() -> None:
    times, mouth = shape_of([REST, ("n", 0.5), ("u", 0.2), REST])
    assert mouth.pucker[times < 0.5].max() < 0.02


def test_a_short_vowel_undershoots() -> None:
    peaks = [
        shape_of([REST, ("t", 0.06), ("a", length), ("t", 0.06), REST])[1].jaw.max()
        for length in (0.03, 0.06, 0.12, 0.25)
    ]
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.8 * peaks[-1]


def test_sibilants_raise_the_jaw_between_open_vowels() -> None:
    times, mouth = shape_of([REST, ("a", 0.15), ("s", 0.06), ("a", 0.15), REST])
    assert np.interp(0.48, times, mouth.jaw) < 0.5 * mouth.jaw.max()
    times, mouth = shape_of([REST, ("a", 0.15), ("h", 0.06), ("a", 0.15), REST])
    assert np.interp(0.48, times, mouth.jaw) > 0.85 * mouth.jaw.max()


def test_a_glide_rounds_even_if_short() -> None:
    _, mouth = shape_of([REST, ("w", 0.03), ("i", 0.1), REST])
    assert mouth.pucker.max() > 0.35


def test_diphthongs_travel() -> None:
    times, mouth = shape_of([REST, ("aɪ", 0.25), REST])
    assert np.interp(0.37, times, mouth.jaw) > 1.5 * np.interp(0.53, times, mouth.jaw)


def test_the_tongue_shows_for_th_only() -> None:
    _, mouth = shape_of([REST, ("θ", 0.06), ("i", 0.1), REST])
    assert mouth.tongue.max() > 0.1
    _, mouth = shape_of([REST, ("s", 0.06), ("i", 0.1), REST])
    assert mouth.tongue.max() == 0.0


def test_louder_opens_wider() -> None:
    sounds = [REST, ("a", 0.2), REST]
    assert shape_of(sounds, 1.3)[1].jaw.max() > 1.2 * shape_of(sounds, 1.0)[1].jaw.max()


def test_begins_and_ends_at_rest_without_pauses() -> None:
    times, mouth = shape_of([("a", 0.3), ("u", 0.3)])
    for part in (mouth.jaw, mouth.pucker, mouth.lower_lip, mouth.spread):
        assert part[0] == 0.0
        assert part[-1] < 0.01
    assert mouth.rest.max() == 0.0
    assert times[mouth.jaw.argmax()] > 0.1


def test_a_short_silence_is_part_of_the_speech() -> None:
    _, stop = shape_of([REST, ("a", 0.15), ("", 0.06), ("t", 0.03), ("a", 0.15), REST])
    times, pause = shape_of([REST, ("a", 0.15), ("", 0.4), ("t", 0.03), ("a", 0.15), REST])
    assert stop.rest[400:600].max() == 0.0
    assert pause.rest[(times > 0.6) & (times < 0.7)].min() == 1.0


def test_nothing_said_is_rest() -> None:
    mouth = Mouth((), np.zeros(0), 1.0).at(np.array([0.0, 0.5, 0.9]))
    assert mouth.rest.tolist() == [1.0, 1.0, 1.0]
    assert mouth.jaw.max() < 0.05
