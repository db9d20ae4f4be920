"""How a text-to-speech engine's features reach the face: into an audio encoder's feature space.

Conventions: features are (batch, steps, dim) at the engine's feature rate, step i at i / rate; what
comes out is (batch, frames, dim), frame i at i / fps of the sample clock. Masks are true where a
step or frame is real: a padded step counts for nothing, neither in a convolution nor in a batch
statistic. This module knows nothing about engines, audio or faces.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651), section 3.1, and its published training
code for the layers.
"""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from unitaf import timing
from unitaf.face.bottleneck import Bottleneck, through
from unitaf.face.decoder import FrameGrid

WIDTH = 256
"""Channels between the bottlenecks."""


@dataclass(frozen=True, slots=True)
class AdapterSizes:
    """What the rates and widths at an adapter's ends do not decide."""

    num_blocks: int = 3
    """Bottlenecks in all, at least 2."""
    groups: int = 8
    """Groups of their middle convolutions."""
    waist: int | None = None
    """Channels of those; None for a quarter of a bottleneck's input."""
    reads_first: bool = False
    """Whether the features are read at the frames' times before all bottlenecks."""


DEFAULT_SIZES = AdapterSizes()


class FeatureAdapter(nn.Module):
    """Features of any width and rate in, an audio encoder's features at the frames of any fps out.

    UniTAF's adapter with its stride replaced by reading at exact frame times: bottlenecks at the
    feature rate, linear reading on the sample clock, one more bottleneck at the frame rate. Where
    features come much faster than frames, reading first makes it cheaper: all bottlenecks then work
    at the frame rate, and shortcuts to more channels have no weights.

    Args:
        feature_dim: Width of the engine's features.
        feature_rate: Steps a second.
        out_dim: Width of the audio encoder's features.
        fps: Frames a second.
        sizes: Of the bottlenecks.
    """

    def __init__(
        self,
        feature_dim: int,
        feature_rate: float,
        out_dim: int,
        fps: float,
        sizes: AdapterSizes = DEFAULT_SIZES,
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.feature_rate = feature_rate
        self.fps = fps
        self._ratio = timing.exact_rate(feature_rate) / timing.exact_rate(fps)
        self.reads_first = sizes.reads_first
        block = partial(Bottleneck, groups=sizes.groups, waist=sizes.waist, pads=sizes.reads_first)
        self.head = block(feature_dim, WIDTH)
        self.blocks = nn.ModuleList(block(WIDTH, WIDTH) for _ in range(sizes.num_blocks - 2))
        self.tail = block(WIDTH, out_dim)
        self.norm = nn.LayerNorm(out_dim)
        self.audio_scale = nn.Parameter(torch.tensor(1.0))

    @property
    def frame_context(self) -> float:
        """How many frames a frame looks ahead and back."""
        return 2.0 + len(self.blocks) if self.reads_first else 1.0

    def step_at(self, frame: int) -> int:
        """Return the last step that does not lie after a frame."""
        return int(frame * self._ratio)

    def step_span(self, frame: int) -> tuple[int, int]:
        """Return the first and the last step that a frame is read from."""
        reach = 0 if self.reads_first else 1 + len(self.blocks)
        return self.step_at(frame) - reach, self.step_at(frame) + 1 + reach

    def grid(
        self,
        step_mask: Bool[Tensor, "batch steps"],
        frame_mask: Bool[Tensor, "batch frames"],
        first_frame: int = 0,
    ) -> FrameGrid:
        """Return where each frame reads the steps; frames after the last step hold it.

        Args:
            step_mask: True on real steps.
            frame_mask: True on real frames.
            first_frame: The frame that stands first, where a window of a clip is given; its steps
                then begin with `step_at` of it.
        """
        start = float(first_frame * self._ratio - self.step_at(first_frame))
        return _grid(start, float(self._ratio), step_mask, frame_mask)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
    ) -> Float[Tensor, "batch frames out_dim"]:
        """Adapt; padded frames come out as anything."""
        blocks = [self.head, *self.blocks]
        if self.reads_first:
            hidden = grid.read(features)
            for block in blocks:
                hidden = block(hidden, grid.mask)
        else:
            hidden = grid.read(through(blocks, features, step_mask))
        frames: Tensor = self.norm(self.tail(hidden, grid.mask))
        return frames * self.audio_scale


class ReferenceAdapter(nn.Module):
    """UniTAF's adapter as published: 50 features a second in, 25 frames a second out.

    Its last bottleneck has stride 2, so frame i stands at step 2 i and the frame rate is half the
    feature rate, whatever that is. It loads the published training code's state.

    Args:
        feature_dim: Width of the engine's features; 1024 for IndexTTS2.
        feature_rate: Steps a second.
        out_dim: Width of the audio encoder's features: 768 for UniTalker-B, 1024 for L.
        num_blocks: Bottlenecks in all, at least 2.
        groups: Groups of their middle convolutions.
    """

    def __init__(
        self,
        feature_dim: int = 1024,
        feature_rate: float = 50.0,
        out_dim: int = 768,
        num_blocks: int = 3,
        groups: int = 8,
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.feature_rate = feature_rate
        self.fps = feature_rate / 2
        self.head = Bottleneck(feature_dim, WIDTH, groups)
        self.blocks = nn.ModuleList(Bottleneck(WIDTH, WIDTH, groups) for _ in range(num_blocks - 2))
        self.tail = Bottleneck(WIDTH, out_dim, groups, stride=2)
        self.norm = nn.LayerNorm(out_dim)
        self.audio_scale = nn.Parameter(torch.tensor(1.0))

    @property
    def frame_context(self) -> float:
        """How many frames a frame looks ahead and back, beyond its steps: none."""
        return 0.0

    def step_at(self, frame: int) -> int:
        """Return the step of a frame."""
        return 2 * frame

    def step_span(self, frame: int) -> tuple[int, int]:
        """Return the first and the last step that a frame is made from."""
        reach = 2 + len(self.blocks)
        return 2 * frame - reach, 2 * frame + reach

    def grid(
        self,
        step_mask: Bool[Tensor, "batch steps"],
        frame_mask: Bool[Tensor, "batch frames"],
        first_frame: int = 0,
    ) -> FrameGrid:
        """Return where each frame stands among the steps.

        Args:
            step_mask: True on real steps.
            frame_mask: True on real frames.
            first_frame: The frame that stands first; steps then begin with `step_at` of it.
        """
        return _grid(0.0, 2.0, step_mask, frame_mask)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
    ) -> Float[Tensor, "batch frames out_dim"]:
        """Adapt; a frame without a step is made from nothing."""
        num_frames = grid.mask.shape[1]
        missing = max(2 * num_frames - 1 - features.shape[1], 0)
        features = functional.pad(features, (0, 0, 0, missing))
        step_mask = functional.pad(step_mask, (0, missing))
        hidden = through([self.head, *self.blocks, self.tail], features, step_mask)
        frames: Tensor = self.norm(hidden[:, :num_frames])
        return frames * self.audio_scale


def _grid(
    start: float,
    ratio: float,
    step_mask: Bool[Tensor, "batch steps"],
    frame_mask: Bool[Tensor, "batch frames"],
) -> FrameGrid:
    """Read frame i at step ``start + i * ratio``, and the last step after it."""
    frames = torch.arange(frame_mask.shape[1], dtype=torch.float64, device=frame_mask.device)
    last = (step_mask.sum(1, keepdim=True) - 1).to(torch.float64)
    positions = torch.minimum(start + frames * ratio, last)
    return FrameGrid(positions * frame_mask, frame_mask)
