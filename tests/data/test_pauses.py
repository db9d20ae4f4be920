"""Where recordings are silent and where they are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.data.pauses import Piece, cut, find_pauses, is_active, levels_db


def speech_with_silence(noise: float) -> np.ndarray:
    random = np.random.default_rng(0)
    sound = random.normal(0, 0.1, 48000)
    sound[16000:24000] = random.normal(0, noise, 8000)
    return sound.astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.01])
def test_a_pause_is_found_in_a_quiet_and_in_a_noisy_room(noise: float) -> None:
    waveform = speech_with_silence(noise)
    (pause,) = find_pauses(is_active(levels_db(waveform, 16000)), 0.25)
    assert pause.start_s == pytest.approx(1.0, abs=0.011)
    assert pause.end_s == pytest.approx(1.5, abs=0.011)


def test_a_gap_that_is_shorter_is_no_pause() -> None:
    waveform = speech_with_silence(0.0)
    assert find_pauses(is_active(levels_db(waveform, 16000)), 0.6) == []


def test_pieces_end_in_the_longest_pause_within_reach() -> None:
    pauses = [Piece(4, 4.2), Piece(7, 8), Piece(9.5, 9.7), Piece(15, 15.4)]
    assert [piece.end_s for piece in cut(20.0, pauses, 0.5, 10.0)] == [7.5, 15.2, 20.0]


def test_a_stretch_without_pause_is_not_whole() -> None:
    pieces = cut(30.0, [Piece(2, 3), Piece(20, 21)], 0.5, 10.0)
    assert [(piece.start_s, piece.end_s, piece.is_whole) for piece in pieces] == [
        (0.0, 2.5, True),
        (2.5, 20.5, False),
        (20.5, 30.0, True),
    ]
    assert not cut(30.0, [], 0.5, 10.0)[0].is_whole


@given(
    st.floats(0.1, 200),
    st.lists(st.tuples(st.floats(0, 200), st.floats(0.25, 3)), max_size=40),
)
def test_pieces_cover_the_recording(duration_s: float, gaps: list[tuple[float, float]]) -> None:
    pauses, last = [], 0.0
    for start, length in sorted(gaps):
        if start >= last and start + length <= duration_s:
            pauses.append(Piece(start, start + length))
            last = start + length
    pieces = cut(duration_s, pauses, 0.5, 10.0)
    assert (pieces[0].start_s, pieces[-1].end_s) == (0.0, duration_s)
    for piece, after in pairwise(pieces):
        assert piece.end_s == after.start_s
        assert piece.duration_s >= 0.5 - 1e-9
    assert all(piece.duration_s <= 10.0 + 1e-9 for piece in pieces if piece.is_whole)
