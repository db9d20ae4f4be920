"""A picture of a take: waveform, phones and the main curves on one clock."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unitaf.rigs.arkit import ANGLES, column_indices
from unitaf.timing import frame_times
from unitaf.types import Take

_GROUPS = (
    ("jaw", ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower")),
    ("lips", ("mouthSmileLeft", "mouthStretchLeft", "mouthLowerDownLeft", "mouthUpperUpLeft")),
    ("eyes, brows", ("eyeBlinkLeft", "eyeSquintLeft", "browInnerUp", "browDownLeft")),
    ("head (rad)", ("headYaw", "headPitch", "headRoll")),
)
_INCHES_A_SECOND, _MIN_INCHES, _MAX_INCHES = 3.0, 9.0, 40.0


def draw_take(take: Take) -> bytes:
    """Return a PNG of a take: waveform with words, phones, then groups of curves below it."""
    speech = take.speech
    width = float(np.clip(speech.duration_s * _INCHES_A_SECOND, _MIN_INCHES, _MAX_INCHES))
    figure = Figure(figsize=(width, 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 + len(_GROUPS), 1, sharex=True, height_ratios=[2, 0.7, 2, 2, 2, 1.5])
    said = take.utterance
    title = f"{said.id}  {said.speaker}: {said.text}".replace("$", r"\$")
    axes[0].set_title(
        title if len(title) <= width * 11 else f"{title[: int(width * 11)]}...", loc="left"
    )
    _draw_waveform(axes[0], take)
    _draw_phones(axes[1], take)
    for axis, (label, channels) in zip(axes[2:], _GROUPS, strict=True):
        _draw_curves(axis, take, label, channels)
    axes[-1].set_xlabel("seconds")
    axes[-1].set_xlim(0, max(speech.duration_s, 1e-3))
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90, metadata={"Software": None})
    return file.getvalue()


def _draw_waveform(axis: Axes, take: Take) -> None:
    speech = take.speech
    times = np.arange(speech.num_samples) / speech.sample_rate
    axis.plot(times, speech.waveform, linewidth=0.4, color="0.35")
    axis.set_ylim(-1, 1)
    axis.set_ylabel("waveform")
    for word in speech.words:
        axis.axvline(word.start_s, color="tab:blue", linewidth=0.5, alpha=0.5)
        axis.text(
            word.start_s,
            0.96,
            f" {word.text}".replace("$", r"\$"),
            fontsize=8,
            va="top",
            color="tab:blue",
        )


def _draw_phones(axis: Axes, take: Take) -> None:
    axis.set_yticks([])
    axis.set_ylabel("phones")
    for index, phone in enumerate(take.speech.phones):
        shade = "0.97" if not phone.label else ("#dde8f6", "#f3e6d8")[index % 2]
        axis.axvspan(phone.start_s, phone.end_s, color=shade, linewidth=0)
        middle = (phone.start_s + phone.end_s) / 2
        mark = {1: "ˈ", 2: "ˌ"}.get(phone.stress, "")
        axis.text(middle, 0.5, mark + phone.label, ha="center", va="center", fontsize=8)
    axis.set_ylim(0, 1)


def _draw_curves(axis: Axes, take: Take, label: str, channels: tuple[str, ...]) -> None:
    motion = take.motion
    times = frame_times(len(motion.curves), motion.fps)
    for name, column in zip(channels, column_indices(motion.channels, channels), strict=True):
        axis.plot(times, motion.curves[:, column], linewidth=1.0, label=name)
    if channels[0] not in ANGLES:
        axis.set_ylim(-0.02, 1.02)
    axis.set_ylabel(label)
    axis.grid(True, alpha=0.25)
    axis.legend(loc="upper right", fontsize=7, ncols=3, framealpha=0.7)
