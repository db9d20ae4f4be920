"""Whether an engine's speech is found again in recordings that say the same words otherwise."""

import time

import numpy as np
import pytest

from unitaf import timing
from unitaf.errors import InputError
from unitaf.tts.alignment import FRAME_RATE, align, carry, warp_to_recording
from unitaf.tts.hibari import Hibari
from unitaf.types import Speech, Utterance

LINE = Utterance("line", "The ship sails at dawn, and nobody on board knows where it is going.")
OTHER = Utterance("other", "I never liked your mother, or any of her seven quarrelsome cats.")


@pytest.fixture(scope="module")
def engine() -> Hibari:
    return Hibari()


@pytest.fixture(scope="module")
def spoken(engine: Hibari) -> Speech:
    (speech,) = engine.synthesize([LINE])
    return speech


def stretch(speech: Speech, rate_at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Play a speech at a changing rate without changing its pitch: overlapped windows.

    Returns:
        The waveform, and the second of the speech that sounds at each of its hops of 5 ms.
    """
    window, hop = 960, 120
    taper = np.hanning(window + 1)[:-1]
    padded = np.pad(speech.waveform, window)
    position, last = 0.0, 0
    pieces: list[np.ndarray] = []
    heard: list[float] = []
    for rate in rate_at:
        if position >= speech.num_samples:
            break
        begin = round(position) + window // 2
        if pieces:
            # Moved by at most half a pitch period, to where it continues what is there.
            tail = padded[last + hop : last + hop + window]
            moves = range(-80, 81, 4)
            begin += max(moves, key=lambda d: float(tail @ padded[begin + d : begin + d + window]))
        last = begin
        pieces.append(padded[begin : begin + window] * taper)
        heard.append(position / speech.sample_rate)
        position += hop * rate
    waveform = np.zeros(len(pieces) * hop + window)
    for index, piece in enumerate(pieces):
        waveform[index * hop : index * hop + window] += piece / (window / hop / 2)
    return waveform[window // 2 :].astype(np.float32), np.array(heard)


@pytest.fixture(scope="module")
def recording(spoken: Speech) -> tuple[np.ndarray, np.ndarray]:
    """The line said by a restless speaker: 0.7 to 1.4 times as fast, back and forth."""
    hops = np.arange(int(spoken.duration_s / 0.005 * 1.5))
    return stretch(spoken, 1.0 + 0.4 * np.sin(hops / 150))


def test_a_known_warp_is_found_within_20_ms(
    spoken: Speech, recording: tuple[np.ndarray, np.ndarray]
) -> None:
    waveform, heard = recording
    found = align(spoken, waveform)
    grid = np.arange(len(found.times)) / FRAME_RATE
    at_hops = np.interp(np.arange(len(heard)) * 0.005, grid, found.times)
    error = np.abs(at_hops - heard)
    assert np.median(error) < 0.020
    assert np.percentile(error, 90) < 0.060
    assert found.cost < 0.5


def test_everything_lies_on_the_clock_of_the_recording(
    engine: Hibari, spoken: Speech, recording: tuple[np.ndarray, np.ndarray]
) -> None:
    waveform, heard = recording
    speech = engine.encode(LINE, waveform)
    np.testing.assert_array_equal(speech.waveform, waveform)
    steps = timing.num_frames(len(waveform), engine.sample_rate, engine.feature_rate)
    assert speech.features.shape == (steps, engine.feature_dim)
    assert len(speech.f0) == steps
    assert speech.phones[0].start_s == 0.0
    assert speech.phones[-1].end_s == speech.duration_s
    pairs = zip(speech.phones[:-1], speech.phones[1:], strict=True)
    assert all(one.end_s == other.start_s for one, other in pairs)
    assert [word.text for word in speech.words] == LINE.text.split()
    # A word is where the warp has put it.
    starts = np.array([word.start_s for word in spoken.words])
    expected = np.interp(starts, heard, np.arange(len(heard)) * 0.005)
    found = np.array([word.start_s for word in speech.words])
    assert np.median(np.abs(found - expected)) < 0.020


def test_a_speech_is_aligned_with_itself_exactly(spoken: Speech) -> None:
    same = warp_to_recording(spoken, spoken.waveform)
    np.testing.assert_allclose(same.features, spoken.features, atol=1e-5)
    assert [phone.label for phone in same.phones] == [phone.label for phone in spoken.phones]
    moved = [a.start_s - b.start_s for a, b in zip(same.phones, spoken.phones, strict=True)]
    assert np.abs(moved).max() < 1e-3
    assert same.alignment_cost < 1e-6


def test_silence_around_a_recording_moves_nothing(spoken: Speech) -> None:
    noise = np.random.default_rng(0).normal(0, 1e-4, 36000).astype(np.float32)
    waveform = np.concatenate([noise, spoken.waveform, noise[:12000]])
    speech = warp_to_recording(spoken, waveform)
    found = np.array([word.start_s for word in speech.words])
    expected = np.array([word.start_s for word in spoken.words]) + 1.5
    assert np.abs(found - expected).max() < 0.040


def test_other_words_cost_more_than_the_right_ones(
    engine: Hibari, spoken: Speech, recording: tuple[np.ndarray, np.ndarray]
) -> None:
    waveform, _ = recording
    right = engine.encode(LINE, waveform).alignment_cost
    wrong = engine.encode(OTHER, waveform).alignment_cost
    assert right < 0.5
    assert wrong > 0.8


def test_half_a_minute_takes_well_under_a_second(spoken: Speech) -> None:
    times = int(30 / spoken.duration_s) + 1
    long = Speech(
        np.tile(spoken.waveform, times),
        spoken.sample_rate,
        np.tile(spoken.features, (times, 1)),
        spoken.feature_rate,
    )
    started = time.process_time()
    found = align(long, long.waveform)
    assert time.process_time() - started < 1.0
    assert len(found.times) >= 30 * FRAME_RATE
    assert carry(long, long.waveform, found).phones == ()


def test_what_cannot_be_aligned_is_refused(engine: Hibari) -> None:
    with pytest.raises(InputError, match=r"'line'.*at least 0\.1 s"):
        engine.encode(LINE, np.zeros(100, np.float32))
    silent = engine.encode(LINE, np.zeros(48000, np.float32))
    assert silent.alignment_cost >= 0.8
