import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from unitaf.metrics.sync import sync_offset, temporal_misalignment

FPS = 60.0


@pytest.fixture
def golden() -> dict[str, Any]:
    """Numbers from recursive warping and exact sums, written for this test."""
    read = json.loads((Path(__file__).parent / "golden" / "sync.json").read_text())
    return {k: np.array(v) if isinstance(v, list) else v for k, v in read.items()}


def mouth(late_s: float, size: float = 1.0) -> np.ndarray:
    """Return four seconds of an opening that never repeats itself."""
    times = np.arange(240) / FPS - late_s
    waves = np.sin(2 * np.pi * 3.1 * times) + 0.5 * np.sin(2 * np.pi * 4.7 * times + 1.0)
    return size * (1.5 + waves + 0.3 * np.sin(2 * np.pi * 1.3 * times))


def test_timing_equals_golden(golden: dict[str, Any]) -> None:
    arguments = golden["predicted"], golden["target"], golden["fps"], golden["max_offset_s"]
    expected = golden["expected"]
    assert sync_offset(*arguments) == pytest.approx(expected["sync_offset"], rel=1e-12)
    misalignment = temporal_misalignment(*arguments)
    assert misalignment == pytest.approx(expected["temporal_misalignment"], rel=1e-12)


def test_a_perfect_prediction_is_in_sync() -> None:
    assert sync_offset(mouth(0.0), mouth(0.0), FPS) == 0.0
    assert temporal_misalignment(mouth(0.0), mouth(0.0), FPS) == 0.0


@pytest.mark.parametrize("late_s", [-0.1, -0.03, 0.008, 0.05, 0.2])
def test_a_shift_is_found_to_a_tenth_of_a_frame_whatever_the_size(late_s: float) -> None:
    offset = sync_offset(mouth(late_s, size=0.4), mouth(0.0), FPS)
    assert offset == pytest.approx(late_s, abs=0.1 / FPS)


@pytest.mark.parametrize("late_s", [-0.1, 0.05])
def test_warping_finds_how_late_each_movement_is(late_s: float) -> None:
    misalignment = temporal_misalignment(mouth(late_s), mouth(0.0), FPS)
    assert misalignment == pytest.approx(abs(late_s), abs=0.5 / FPS)


def test_warping_sees_what_one_offset_cannot() -> None:
    """Early in the first half and late in the second: no offset, but no sync either."""
    bend = 0.06 * np.sin(2 * np.pi * np.arange(240) / 240)
    bent = np.interp(np.arange(240) / FPS - bend, np.arange(240) / FPS, mouth(0.0))
    assert temporal_misalignment(bent, mouth(0.0), FPS) > 0.02


def test_bad_input_is_refused() -> None:
    for metric in (sync_offset, temporal_misalignment):
        with pytest.raises((ValueError, TypeCheckError)):
            metric(mouth(0.0)[:-1], mouth(0.0), FPS)
        with pytest.raises(ValueError, match="not all the same"):
            metric(mouth(0.0), np.ones(240), FPS)
        with pytest.raises(ValueError, match="finite"):
            metric(mouth(0.0) * np.nan, mouth(0.0), FPS)
        with pytest.raises(ValueError, match="at least 3 frames"):
            metric(np.array([0.0, 1.0]), np.array([0.0, 1.0]), FPS)
    with pytest.raises(ValueError, match=r"3\.0 s does not fit 240 frames"):
        sync_offset(mouth(0.0), mouth(0.0), FPS, max_offset_s=3.0)
    with pytest.raises(ValueError, match="neither peak nor valley"):
        temporal_misalignment(mouth(0.0), np.arange(240.0), FPS)
