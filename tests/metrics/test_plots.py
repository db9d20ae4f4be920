import io

import numpy as np

from unitaf.losses import search_openness_interval
from unitaf.metrics.plots import plot_openness


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
