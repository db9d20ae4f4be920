import io

import numpy as np

from unitaf.losses import search_openness_interval
from unitaf.metrics.plots import plot_openness, plot_scores


def test_openness_plot_shows_the_interval_and_every_frame() -> None:
    openness = 0.03 + np.random.default_rng(0).gamma(2.0, 0.003, 500).astype(np.float32)
    found = search_openness_interval(openness)
    figure = plot_openness(openness, found)
    frames, weights = figure.axes
    assert sum(bar.get_height() for bar in frames.patches) == 500
    ends = [line.get_xdata()[0] for line in frames.lines]
    expected = [1000.0 * found.weighting.low, 1000.0 * found.median, 1000.0 * found.weighting.high]
    np.testing.assert_allclose(ends, expected)
    assert weights.lines[0].get_ydata().max() <= 0.75
    image = io.BytesIO()
    figure.savefig(image, format="png")
    assert image.getvalue().startswith(b"\x89PNG")


def test_scores_plot_has_a_panel_a_metric_and_a_bar_a_predictor() -> None:
    scores: dict[str, dict[str, float | None]] = {
        "model": {"error": 1.0, "closure": 0.9},
        "mean": {"error": 3.0, "closure": None},
    }
    figure = plot_scores(scores, {"recordings": [0.0, 2.0, 9.0], "model": [0.0, 1.0, 8.0]})
    error, closure, openings = figure.axes
    assert [bar.get_width() for bar in error.patches] == [1.0, 3.0]
    assert [bar.get_width() for bar in closure.patches] == [0.9]
    assert [label.get_text() for label in closure.get_yticklabels()] == ["model"]
    assert [line.get_label() for line in openings.lines] == ["recordings", "model"]
    assert list(openings.lines[0].get_xdata()) == [0.0, 2.0, 9.0]
