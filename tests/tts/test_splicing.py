from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from unitaf import timing
from unitaf.tts.splicing import edges_s, splice, with_head, with_length, with_tail
from unitaf.types import Phone, Speech, Word

RATE, FEATURE_RATE, F0_RATE = 24_000, 80.0, 40.0


def speech(seconds: float = 1.0, head: float = 0.2, tail: float = 0.25, seed: int = 0) -> Speech:
    random = np.random.default_rng(seed)
    samples = timing.num_samples(seconds, RATE)
    wave = random.normal(size=samples).astype(np.float32) * 0.1
    wave[: round(head * RATE)] = 0.0
    wave[samples - round(tail * RATE) :] = 0.0
    end = seconds - tail
    return Speech(
        wave,
        RATE,
        random.normal(size=(timing.num_frames(samples, RATE, FEATURE_RATE), 3)).astype(np.float32),
        FEATURE_RATE,
        (Phone("", 0.0, head), Phone("a", head, end, 1), Phone("", end, seconds)),
        (Word("ah", head, end),),
        random.uniform(80, 200, timing.num_frames(samples, RATE, F0_RATE)).astype(np.float32),
        F0_RATE,
    )


def assert_one_clock(made: Speech) -> None:
    assert len(made.features) == timing.num_frames(made.num_samples, RATE, FEATURE_RATE)
    assert len(made.f0) == timing.num_frames(made.num_samples, RATE, F0_RATE)
    times = [(phone.start_s, phone.end_s) for phone in made.phones]
    assert times[0][0] == 0.0
    assert times[-1][1] == pytest.approx(made.duration_s)
    for (_, end), (start, _) in pairwise(times):
        assert end == pytest.approx(start)


def test_edges_are_those_of_the_phones_or_of_the_sound() -> None:
    made = speech()
    assert edges_s(made) == pytest.approx((0.2, 0.25))
    assert edges_s(replace(made, phones=())) == pytest.approx((0.2, 0.25), abs=0.01)
    silent = replace(made, phones=(), waveform=np.zeros_like(made.waveform))
    assert edges_s(silent) == (1.0, 0.0)


@pytest.mark.parametrize("head_s", [0.05, 0.2, 0.5])
def test_a_head_moves_everything_alike(head_s: float) -> None:
    before = speech()
    made = with_head(before, head_s)
    assert edges_s(made)[0] == pytest.approx(head_s, abs=0.0126)
    assert_one_clock(made)
    moved = made.num_samples - before.num_samples
    start = timing.num_samples(0.25, RATE)
    np.testing.assert_array_equal(made.waveform[start + moved :], before.waveform[start:])
    np.testing.assert_array_equal(made.features[-20:], before.features[-20:])
    np.testing.assert_array_equal(made.f0[-10:], before.f0[-10:])
    assert made.words[0].start_s == pytest.approx(0.2 + moved / RATE)


def test_added_silence_has_the_features_of_silence() -> None:
    before = speech()
    made = with_head(before, 0.5)
    assert not made.waveform[: round(0.5 * RATE)].any()
    assert not made.f0[:12].any()
    np.testing.assert_array_equal(made.features[:24], before.features[:1].repeat(24, axis=0))


@pytest.mark.parametrize("tail_s", [0.0, 0.1, 0.3333, 1.0])
def test_a_tail_is_exact_to_the_sample(tail_s: float) -> None:
    made = with_tail(speech(), tail_s)
    assert made.num_samples == timing.num_samples(0.75 + tail_s, RATE)
    assert_one_clock(made)
    assert made.phones[1] == speech().phones[1]


def test_a_cut_ends_softly_and_a_speech_without_phones_has_none_after() -> None:
    bare = replace(speech(), phones=(), words=())
    made = with_length(bare, 12_000)
    assert made.waveform[-1] == 0.0
    assert made.phones == ()
    with pytest.raises(ValueError, match="at least one sample"):
        with_length(bare, 0)


def test_speeches_are_joined_without_drift() -> None:
    parts = [with_length(speech(seed=seed), 24_000 - 7 * seed) for seed in range(4)]
    made = splice(parts)
    assert_one_clock(made)
    assert [phone.label for phone in made.phones] == ["", "a", "", "a", "", "a", "", "a", ""]
    for index, part in enumerate(parts):
        start = index * 24_000
        np.testing.assert_array_equal(made.waveform[start:][: part.num_samples], part.waveform)
        np.testing.assert_array_equal(made.features[index * 80 :][:79], part.features[:79])
        assert made.words[index].start_s == pytest.approx(index + 0.2)


def test_other_clocks_do_not_join() -> None:
    other = replace(speech(), sample_rate=22_050)
    with pytest.raises(ValueError, match="2 different clocks"):
        splice([speech(), other])
