import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from unitaf.metrics.lips import (
    Closures,
    bilabial_closures,
    lip_parting,
    mouth_opening,
    mouth_opening_difference,
)
from unitaf.rigs.arkit import CHANNELS, LIVE_LINK_CSV
from unitaf.types import Phone


@pytest.fixture
def golden() -> dict[str, Any]:
    """Numbers from plain loops over exact fractions."""
    read = json.loads((Path(__file__).parent / "golden" / "mesh.json").read_text())
    return {k: np.array(v) if isinstance(v, list) else v for k, v in read.items()}


def face(**weights: float) -> np.ndarray:
    """Return one frame of canonical curves."""
    return np.array([[weights.get(name, 0.0) for name in CHANNELS]], np.float32)


def test_opening_equals_golden(golden: dict[str, Any]) -> None:
    predicted, target, lips = golden["predicted"], golden["target"], golden["lips"]
    expected = golden["expected"]
    opening = mouth_opening(predicted, lips)
    np.testing.assert_allclose(opening, expected["mouth_opening"], rtol=1e-12)
    difference = mouth_opening_difference(predicted, target, lips)
    assert difference == pytest.approx(expected["mouth_opening_difference"], rel=1e-12)
    assert mouth_opening_difference(target, target, lips) == 0.0


def test_a_closed_mouth_over_a_lowered_jaw_is_not_parted() -> None:
    assert lip_parting(face(), CHANNELS) == 0.0
    assert lip_parting(face(jawOpen=0.5, mouthClose=0.5), CHANNELS) == 0.0
    assert lip_parting(face(jawOpen=0.1, mouthClose=0.5), CHANNELS) == 0.0
    assert lip_parting(face(jawOpen=0.5, mouthClose=0.2), CHANNELS) == pytest.approx(0.3)
    parted = face(mouthLowerDownLeft=0.2, mouthLowerDownRight=0.4, mouthFunnel=0.1)
    assert lip_parting(parted, CHANNELS) == pytest.approx(0.4)


def test_parting_maps_by_name() -> None:
    columns = [CHANNELS.index(name) for name in LIVE_LINK_CSV]
    curves = face(jawOpen=0.6, mouthClose=0.2, mouthUpperUpLeft=0.3)
    assert lip_parting(curves[:, columns], LIVE_LINK_CSV) == lip_parting(curves, CHANNELS)
    with pytest.raises(ValueError, match="missing channels: jawOpen"):
        lip_parting(curves[:, :1], CHANNELS[:1])


PHONES = (
    Phone("a", 0.0, 0.2),
    Phone("p", 0.2, 0.3),
    Phone("ɪ", 0.3, 0.5),
    Phone("mː", 0.5, 0.6),
    Phone("k", 0.6, 0.7),
    Phone("b", 0.7, 0.8),
)


def test_closures_are_counted_where_the_lips_meet() -> None:
    opening = np.full(9, 0.4)
    opening[[2, 5]] = 0.05  # frames at 0.2 s and 0.5 s
    closures = bilabial_closures(PHONES, opening, 10.0, threshold=0.1)
    assert closures == Closures(closed=2, bilabials=3)
    assert closures.rate == pytest.approx(2 / 3)
    assert bilabial_closures(PHONES, np.zeros(9), 10.0, threshold=0.0).rate == 1.0


def test_a_sound_between_two_frames_is_judged_by_the_motion_between_them() -> None:
    opening = np.array([1.0, 0.0, 1.0])
    between = (Phone("m", 0.11, 0.14),)
    assert bilabial_closures(between, opening, 10.0, threshold=0.1001).closed == 1
    assert bilabial_closures(between, opening, 10.0, threshold=0.0999).closed == 0


def test_closures_add_up_over_clips() -> None:
    assert (Closures(1, 2) + Closures(3, 4)).rate == pytest.approx(4 / 6)
    assert bilabial_closures(PHONES[:1], np.zeros(3), 10.0, 0.1) == Closures(0, 0)
    with pytest.raises(ValueError, match="no bilabial"):
        _ = Closures(0, 0).rate


def test_bad_input_is_refused(golden: dict[str, Any]) -> None:
    predicted, lips = golden["predicted"], golden["lips"]
    with pytest.raises(ValueError, match="at least one"):
        mouth_opening(predicted, np.array([-1]))
    with pytest.raises(ValueError, match="finite"):
        mouth_opening(predicted * np.inf, lips)
    with pytest.raises((ValueError, TypeCheckError)):
        mouth_opening_difference(predicted[:-1], predicted, lips)
    with pytest.raises(ValueError, match="finite"):
        bilabial_closures(PHONES, np.array([np.nan]), 10.0, 0.1)
    with pytest.raises(ValueError, match="finite"):
        lip_parting(face(jawOpen=np.nan), CHANNELS)
