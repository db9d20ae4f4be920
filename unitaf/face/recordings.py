"""How recordings become face motion with a UniTalker network: any length, many at once, any rate.

Conventions: the sample clock rules, so frame i is the face at i / fps, whatever rate the network
was trained at; it runs at that rate and its motion is resampled. Two ways lead through the network.
`predict_motion` is ours. `upstream_windows` repeats the published demo for comparison: it counts
frames to the nearest, spreads them evenly over a window, and normalises every window once more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from unitaf import timing
from unitaf.audio import resample
from unitaf.errors import InputError
from unitaf.face.decoder import FrameGrid
from unitaf.face.encoders import (
    SAMPLE_RATE,
    STEP_RATE,
    check_waveform,
    num_steps,
    stacked,
)
from unitaf.face.unitalker import UniTalker
from unitaf.face.windows import in_batches, join_windows, plan_windows, upstream_frames
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, column_indices
from unitaf.types import FaceMotion, Speech, Utterance

Waveform = Float32[np.ndarray, " _"]
Motion = Float32[np.ndarray, "_ raw"]


@dataclass(frozen=True, eq=False)
class Target:
    """Whose face a network is asked for: one head, one speaking style."""

    head: str
    style_id: int
    fps: float
    """The rate that the head was trained at."""
    template: Float32[np.ndarray, " raw"]
    """What the head's motion is added to: the speaker at rest, in the head's numbers."""


def predict_motion(model: UniTalker, waveforms: Sequence[Waveform], target: Target) -> list[Motion]:
    """Return the motion of recordings at 16 kHz, at the target's own rate, on the sample clock.

    Args:
        model: In evaluation mode.
        waveforms: Mono, at 16 kHz, any length from 25 ms.
        target: What to predict.

    Raises:
        ValueError: If a recording cannot be read.
    """
    for waveform in waveforms:
        check_waveform(waveform)

    def on_clock(lengths: Sequence[int]) -> FrameGrid:
        steps = [num_steps(length) for length in lengths]
        frames = [timing.num_frames(length, SAMPLE_RATE, target.fps) for length in lengths]
        return FrameGrid.on_clock(steps, frames, STEP_RATE, target.fps)

    prepared = [model.encoder.prepare(waveform) for waveform in waveforms]
    plans = [plan_windows(len(waveform), SAMPLE_RATE) for waveform in prepared]
    pieces = [
        waveform[start:stop]
        for waveform, plan in zip(prepared, plans, strict=True)
        for start, stop in plan
    ]
    windows = iter(_predict(model, pieces, target, on_clock))
    return [join_windows([next(windows) for _ in plan], target.fps) for plan in plans]


def upstream_windows(model: UniTalker, waveform: Waveform, target: Target) -> list[Motion]:
    """Return the motion of every window of a recording as the published demo computes it.

    `windows.join_windows` makes the demo's result of them.

    Args:
        model: In evaluation mode.
        waveform: Mono, at 16 kHz.
        target: What to predict.
    """

    def aligned(lengths: Sequence[int]) -> FrameGrid:
        steps = [num_steps(length) for length in lengths]
        return FrameGrid.aligned(steps, [upstream_frames(n, target.fps) for n in lengths])

    whole = model.encoder.prepare(waveform)
    plan = plan_windows(len(waveform), SAMPLE_RATE)
    pieces = [model.encoder.prepare(whole[start:stop]) for start, stop in plan]
    return _predict(model, pieces, target, aligned)


@torch.inference_mode()
def _predict(
    model: UniTalker,
    pieces: Sequence[Waveform],
    target: Target,
    grid_of: Callable[[Sequence[int]], FrameGrid],
) -> list[Motion]:
    """Return the motion of each piece, computed in batches of similar length."""
    device = model.decoder.styles.weight.device
    template = torch.from_numpy(target.template).to(device)

    def predict(batch: list[Waveform]) -> list[Motion]:
        lengths = [len(piece) for piece in batch]
        grid = grid_of(lengths)
        style_ids = torch.full((len(batch),), target.style_id, device=device)
        numbers = model(stacked(batch, device), lengths, grid, style_ids, target.head)
        motion = (model.displacements(target.head, numbers) + template).cpu().numpy()
        frames = grid.mask.sum(1).tolist()
        return [row[:count] for row, count in zip(motion, frames, strict=True)]

    return in_batches(pieces, predict, SAMPLE_RATE, device)


class RecordingAnimator:
    """Animates speech from its sound alone, on the canonical channels.

    Channels that the head does not predict, the angles of head and eyes among them, stay at rest.

    Args:
        model: A UniTalker network in evaluation mode.
        target: A head whose numbers are blendshape curves.
        channels: The names of the head's numbers, in order.
        fingerprint: Of the checkpoint.
        licence: What the checkpoint's terms are, in one line.
    """

    def __init__(
        self,
        model: UniTalker,
        target: Target,
        channels: Sequence[str],
        fingerprint: str,
        licence: str,
    ) -> None:
        self._model = model
        self._target = target
        self._columns = column_indices(CHANNELS, channels)
        self._fingerprint = fingerprint
        self._licence = licence

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same recording could give other curves."""
        return f"{self._fingerprint} {self._target.head} style={self._target.style_id}"

    @property
    def licence(self) -> str:
        """The checkpoint's terms."""
        return self._licence

    def load(self) -> None:
        """Do nothing: the model is here."""

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order, at any frame rate.

        Raises:
            InputError: Naming the first utterance whose sound cannot be read.
        """
        names = [utterance.id for utterance in utterances]
        sounds = [(speech.waveform, speech.sample_rate) for speech in speeches]
        return self.animate_recordings(names, sounds, fps)

    def animate_recordings(
        self, names: Sequence[str], recordings: Sequence[tuple[Waveform, int]], fps: float
    ) -> list[FaceMotion]:
        """Animate recordings, given as waveform and sample rate, at any frame rate.

        Args:
            names: What an error calls each of them.
            recordings: Mono, any sample rate, any length from 25 ms.
            fps: Frames a second.

        Raises:
            InputError: Naming the first recording that cannot be read.
        """
        waveforms = list(_at_16_khz(names, recordings))
        motions = predict_motion(self._model, waveforms, self._target)
        return [
            FaceMotion(self._curves(motion, len(waveform), rate, fps), CHANNELS, fps)
            for motion, (waveform, rate) in zip(motions, recordings, strict=True)
        ]

    def _curves(
        self, motion: Motion, num_samples: int, sample_rate: int, fps: float
    ) -> Float32[np.ndarray, "frames channels"]:
        times = timing.frame_times(timing.num_frames(num_samples, sample_rate, fps), fps)
        curves = np.zeros((len(times), len(CHANNELS)), np.float32)
        curves[:, self._columns] = timing.resample_linear(motion, self._target.fps, times)
        return np.concatenate(
            [curves[:, : len(BLENDSHAPES)].clip(0.0, 1.0), curves[:, len(BLENDSHAPES) :]], axis=1
        )


def _at_16_khz(
    names: Sequence[str], recordings: Sequence[tuple[Waveform, int]]
) -> Iterator[Waveform]:
    for name, (waveform, sample_rate) in zip(names, recordings, strict=True):
        try:
            check_waveform(waveform, sample_rate)
        except ValueError as error:
            raise InputError(name, str(error)) from error
        yield resample(waveform, sample_rate, SAMPLE_RATE)
