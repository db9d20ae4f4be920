import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.face.envelopes import Drifts, Pulses, Steps, smoothstep

FINE = np.linspace(0.0, 4.0, 801)


def test_smoothstep_goes_from_rest_to_rest() -> None:
    values = smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    assert values.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert np.diff(smoothstep(np.linspace(0, 1, 1001))).max() * 1000 <= 1.5


def test_a_pulse_rises_holds_and_falls() -> None:
    pulses = Pulses.of([(1.0, 0.2, 0.3, 0.5, 0.8)])
    level = pulses.total(np.array([0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.1]))
    assert level == pytest.approx([0, 0, 0.4, 0.8, 0.8, 0.8, 0.4, 0, 0])


def test_overlapping_pulses_add_or_the_highest_wins() -> None:
    pulses = Pulses.of([(0.0, 0.5, 1.0, 0.5, 0.4), (0.5, 0.5, 1.0, 0.5, 0.6)])
    assert pulses.total(np.array([1.2])) == pytest.approx([1.0])
    assert pulses.highest(np.array([1.2])) == pytest.approx([0.6])


def test_without_events_there_is_nothing() -> None:
    assert Pulses.of([]).total(FINE).tolist() == [0.0] * len(FINE)
    assert Pulses.of([]).highest(FINE).tolist() == [0.0] * len(FINE)
    assert Steps.of([]).at(FINE).tolist() == [0.0] * len(FINE)


def test_steps_stay_at_each_value() -> None:
    steps = Steps.of([(1.0, 0.2, 0.5), (2.0, 0.1, -0.3)])
    assert steps.at(np.array([0.5, 1.1, 1.5, 2.05, 3.0])) == pytest.approx(
        [0, 0.25, 0.5, 0.1, -0.3]
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 4), st.floats(0.05, 1), st.floats(-1, 1)), max_size=6),
    st.integers(1, 800),
)
def test_piece_by_piece_equals_at_once(rows: list[tuple[float, float, float]], cut: int) -> None:
    steps = Steps.of(sorted(rows))
    pulses = Pulses.of([(start, move, move, move, value) for start, move, value in rows])
    for curve in (steps.at, pulses.total):
        pieces = np.concatenate([curve(FINE[:cut]), curve(FINE[cut:])])
        assert np.allclose(pieces, curve(FINE), rtol=0.0, atol=1e-12)


def test_drift_stays_small_slow_and_differs_by_draw() -> None:
    one, other = Drifts.draw(np.random.default_rng(1), 2).at(FINE)
    assert np.abs(one).max() <= 1.0
    assert np.abs(np.diff(one)).max() * 200 < 2 * np.pi * 0.7
    assert np.abs(one - other).max() > 0.1
