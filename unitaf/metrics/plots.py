"""Figures of what was measured; each function returns a figure and writes nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from unitaf.losses import OpennessInterval, mouth_state_weight

_COLUMNS = 3


def plot_openness(openness: Float[np.ndarray, " frames"], found: OpennessInterval) -> Figure:
    """Draw a corpus's mouth openness, the interval found for it and what a frame there weighs.

    As figures 5 and 6 of UniTAF (arXiv 2602.15651).

    Args:
        openness: Metres, one a frame.
        found: What `losses.search_openness_interval` found for it.
    """
    figure = Figure(figsize=(8.0, 4.5), layout="constrained")
    frames = figure.add_subplot()
    frames.hist(1000.0 * openness, bins=100, color="0.75")
    frames.set_xlabel("mouth openness (mm)")
    frames.set_ylabel("frames")
    low, high = found.weighting.low, found.weighting.high
    for name, metres, style in (
        ("low", low, "--"),
        ("median", found.median, "-"),
        ("high", high, "--"),
    ):
        millimetres = 1000.0 * metres
        frames.axvline(millimetres, color="C0", linestyle=style, label=f"{name} {millimetres:.2f}")
    places = np.linspace(float(openness.min()), float(openness.max()), 500)
    weights = frames.twinx()
    weight = mouth_state_weight(torch.from_numpy(places), found.weighting)
    weights.plot(1000.0 * places, weight.numpy(), color="C1")
    weights.set_ylabel("weight of a frame", color="C1")
    weights.set_ylim(bottom=0.0)
    frames.legend(loc="center right")
    frames.set_title(
        f"summed weight: closed {found.closed_weight:.4g}, open {found.open_weight:.4g}"
    )
    return figure


def plot_losses(points: Sequence[tuple[str, int, Mapping[str, float]]]) -> Figure:
    """Draw the losses of a training, one panel a stage, each by its name.

    Args:
        points: Stage, step and losses, in order.
    """
    stages = list(dict.fromkeys(stage for stage, _, _ in points))
    figure = Figure(figsize=(4.0 * max(len(stages), 1), 3.5), layout="constrained")
    for column, stage in enumerate(stages, start=1):
        panel = figure.add_subplot(1, len(stages), column)
        rows = [(step, losses) for name, step, losses in points if name == stage]
        for loss in rows[0][1]:
            panel.plot([step for step, _ in rows], [losses[loss] for _, losses in rows], label=loss)
        panel.set(title=stage, xlabel="step", yscale="log")
        panel.legend()
    return figure


def plot_scores(
    scores: Mapping[str, Mapping[str, float | None]], openings_mm: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw one panel a metric with a bar for each predictor, and how far mouths open.

    Args:
        scores: By predictor, then by metric; None has no bar.
        openings_mm: Percentiles 0 to 100 of the mouth's opening, by predictor.
    """
    names = list(scores)
    metrics = list(scores[names[0]])
    rows = -(-(len(metrics) + 1) // _COLUMNS)
    figure = Figure(figsize=(4.0 * _COLUMNS, 0.7 + (0.9 + 0.3 * len(names)) * rows))
    figure.set_layout_engine("constrained")
    for place, metric in enumerate(metrics, start=1):
        panel = figure.add_subplot(rows, _COLUMNS, place)
        known = {name: value for name in names if (value := scores[name][metric]) is not None}
        bars = panel.barh(list(known), list(known.values()), color="C0")
        panel.bar_label(bars, fmt="%.3g", padding=2)
        panel.margins(x=0.2)
        panel.invert_yaxis()
        panel.set_title(metric)
    panel = figure.add_subplot(rows, _COLUMNS, len(metrics) + 1)
    for name, percentiles in openings_mm.items():
        panel.plot(percentiles, np.linspace(0.0, 1.0, len(percentiles)), label=name)
    panel.set(title="share of frames by mouth opening", xlabel="mm")
    panel.legend(fontsize="small")
    return figure
