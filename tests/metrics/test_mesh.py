import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from unitaf.metrics.mesh import (
    jitter,
    lip_vertex_distance,
    lip_vertex_error,
    mean_vertex_error,
    upper_face_dynamics_deviation,
)

# Where the shape hook is installed it refuses a wrong shape before the function can.
REFUSED = (ValueError, TypeCheckError)


@pytest.fixture
def golden() -> dict[str, Any]:
    """Numbers from plain loops over exact fractions."""
    read = json.loads((Path(__file__).parent / "golden" / "mesh.json").read_text())
    return {k: np.array(v) if isinstance(v, list) else v for k, v in read.items()}


def measured(golden: dict[str, Any]) -> dict[str, float]:
    predicted, target, lips = golden["predicted"], golden["target"], golden["lips"]
    return {
        "lip_vertex_error": lip_vertex_error(predicted, target, lips),
        "lip_vertex_distance": lip_vertex_distance(predicted, target, lips),
        "mean_vertex_error": mean_vertex_error(predicted, target),
        "upper_face_dynamics_deviation": upper_face_dynamics_deviation(
            predicted, target, golden["neutral"], golden["upper_face"]
        ),
        "jitter": jitter(predicted, golden["fps"]),
    }


def test_metrics_equal_golden(golden: dict[str, Any]) -> None:
    for name, value in measured(golden).items():
        assert value == pytest.approx(golden["expected"][name], rel=1e-12), name


def test_a_perfect_prediction_is_perfect(golden: dict[str, Any]) -> None:
    perfect = measured({**golden, "predicted": golden["target"]})
    perfect.pop("jitter")
    assert set(perfect.values()) == {0.0}


def test_single_precision_input_is_measured_in_double(golden: dict[str, Any]) -> None:
    single = {**golden, "predicted": golden["predicted"].astype(np.float32)}
    double = {**golden, "predicted": single["predicted"].astype(np.float64)}
    assert measured(single) == measured(double)


def test_a_still_upper_face_is_too_still_and_a_lively_one_too_lively(
    golden: dict[str, Any],
) -> None:
    target, neutral, upper = golden["target"], golden["neutral"], golden["upper_face"]
    still = np.broadcast_to(neutral, target.shape)
    assert upper_face_dynamics_deviation(still, target, neutral, upper) > 0.0
    assert upper_face_dynamics_deviation(2.0 * target - neutral, target, neutral, upper) < 0.0


def test_jitter_is_zero_for_smooth_motion_and_grows_with_noise(golden: dict[str, Any]) -> None:
    times = np.arange(20.0)[:, None, None]
    smooth = golden["neutral"] + 1e-3 * times + 1e-4 * times**2
    noise = 1e-4 * np.random.default_rng(0).normal(size=(20, 5, 3))
    assert jitter(smooth, 30.0) < 1e-9
    assert jitter(smooth + 2.0 * noise, 30.0) == pytest.approx(2.0 * jitter(smooth + noise, 30.0))


def test_bad_input_is_refused(golden: dict[str, Any]) -> None:
    predicted, target, lips = golden["predicted"], golden["target"], golden["lips"]
    broken = predicted.copy()
    broken[2, 1, 0] = np.nan
    with pytest.raises(REFUSED):
        lip_vertex_error(predicted[:-1], target, lips)
    with pytest.raises(REFUSED):
        mean_vertex_error(predicted[..., :2], target[..., :2])
    with pytest.raises(ValueError, match="finite"):
        lip_vertex_distance(broken, target, lips)
    with pytest.raises(ValueError, match="0 to 4"):
        lip_vertex_error(predicted, target, np.array([5]))
    with pytest.raises(ValueError, match="at least one"):
        lip_vertex_error(predicted, target, lips[:0])
    with pytest.raises(REFUSED):
        upper_face_dynamics_deviation(predicted, target, golden["neutral"][:-1], lips)
    with pytest.raises(ValueError, match="at least 4 frames"):
        jitter(predicted[:3], 30.0)
