"""How a text-to-speech engine's features reach the face: into an audio encoder's feature space.

Conventions: features are (batch, steps, dim) at the engine's feature rate, step i at i / rate; what
comes out is (batch, frames, dim), frame i at i / fps of the sample clock. Masks are true where a
step or frame is real: a padded step counts for nothing, neither in a convolution nor in a batch
statistic. This module knows nothing about engines, audio or faces.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651), section 3.1, and its published training
code for the layers.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from unitaf import timing
from unitaf.face.decoder import FrameGrid

WIDTH = 256
"""Channels between the bottlenecks."""


class MaskedBatchNorm(nn.Module):
    """Batch normalisation over the real steps of a padded batch.

    Without padding it is `torch.nn.BatchNorm1d`, whose state it loads. Each process of a
    distributed run takes the statistics of its own batch.

    Args:
        dim: Channels.
        momentum: Share of a batch in the running statistics.
        eps: Added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, dim: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(
        self, inputs: Float[Tensor, "batch steps dim"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch steps dim"]:
        """Normalise by the statistics of the batch, and note them."""
        count = int(mask.sum())
        if count < 2:
            raise ValueError(f"batch statistics need at least 2 real steps, not {count}")
        real, exact = mask[..., None].to(inputs.dtype), self.running_mean.dtype
        mean = (inputs * real).sum((0, 1), dtype=exact) / count
        variance = ((inputs - mean).square() * real).sum((0, 1)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias - mean * scale, inputs, scale)

    def running_affine(self) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
        """Return the scale and the shift that the running statistics amount to."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale


class Bottleneck(nn.Module):
    """A residual bottleneck over time: 1x1, grouped convolution over three steps, 1x1.

    Args:
        in_dim: Input channels; the waist is a quarter of them.
        out_dim: Output channels.
        groups: Groups of the middle convolution; must divide the waist.
        stride: Steps between outputs; output i stands at input i * stride.

    Raises:
        ValueError: If the groups do not divide the waist.
    """

    def __init__(self, in_dim: int, out_dim: int, groups: int, stride: int = 1) -> None:
        super().__init__()
        waist = in_dim // 4
        if waist == 0 or waist % groups:
            raise ValueError(f"a quarter of {in_dim} channels cannot be split into {groups} groups")
        self.stride = stride
        self.conv1 = nn.Conv1d(in_dim, waist, 1, bias=False)
        self.bn1 = MaskedBatchNorm(waist)
        self.conv2 = nn.Conv1d(waist, waist, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = MaskedBatchNorm(waist)
        self.conv3 = nn.Conv1d(waist, out_dim, 1, bias=False)
        self.bn3 = MaskedBatchNorm(out_dim)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_dim != out_dim:
            self.shortcut = nn.Conv1d(in_dim, out_dim, 1, stride=stride, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, inputs: Float[Tensor, "batch steps in_dim"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch strides out_dim"]:
        """Convolve the real steps; what lies outside a clip counts as zero."""
        kept = mask[:, :: self.stride]
        hidden = _normed(inputs, self.conv1, self.bn1, mask).relu_() * mask[..., None]
        hidden = _normed(hidden, self.conv2, self.bn2, kept).relu_()
        hidden = _normed(hidden, self.conv3, self.bn3, kept)
        around = inputs
        if isinstance(self.shortcut, nn.Conv1d):
            around = _convolved(inputs, self.shortcut, self.shortcut.weight)
        return (hidden + around).relu_()


class FeatureAdapter(nn.Module):
    """Features of any width and rate in, an audio encoder's features at the frames of any fps out.

    UniTAF's adapter with its stride replaced by reading at exact frame times: bottlenecks at the
    feature rate, linear reading on the sample clock, one more bottleneck at the frame rate.

    Args:
        feature_dim: Width of the engine's features.
        feature_rate: Steps a second.
        out_dim: Width of the audio encoder's features.
        fps: Frames a second.
        num_blocks: Bottlenecks in all, at least 2.
        groups: Groups of their middle convolutions.
    """

    def __init__(
        self,
        feature_dim: int,
        feature_rate: float,
        out_dim: int,
        fps: float,
        num_blocks: int = 3,
        groups: int = 8,
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.feature_rate = feature_rate
        self.fps = fps
        self._ratio = timing.exact_rate(feature_rate) / timing.exact_rate(fps)
        self.head = Bottleneck(feature_dim, WIDTH, groups)
        self.blocks = nn.ModuleList(Bottleneck(WIDTH, WIDTH, groups) for _ in range(num_blocks - 2))
        self.tail = Bottleneck(WIDTH, out_dim, groups)
        self.norm = nn.LayerNorm(out_dim)
        self.audio_scale = nn.Parameter(torch.tensor(1.0))

    @property
    def frame_context(self) -> float:
        """How many frames a frame looks ahead and back."""
        return 1.0

    def step_at(self, frame: int) -> int:
        """Return the last step that does not lie after a frame."""
        return int(frame * self._ratio)

    def step_span(self, frame: int) -> tuple[int, int]:
        """Return the first and the last step that a frame is read from."""
        reach = 1 + len(self.blocks)
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
        hidden = _through([self.head, *self.blocks], features, step_mask)
        frames: Tensor = self.norm(self.tail(grid.read(hidden), grid.mask))
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
        hidden = _through([self.head, *self.blocks, self.tail], features, step_mask)
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


def _through(
    blocks: Sequence[nn.Module],
    features: Float[Tensor, "batch steps feature_dim"],
    mask: Bool[Tensor, "batch steps"],
) -> Float[Tensor, "batch out_steps dim"]:
    hidden = torch.where(mask[..., None], features, 0.0)
    for block in blocks:
        hidden = block(hidden, mask)
    return hidden


def _normed(
    inputs: Float[Tensor, "batch steps in_dim"],
    conv: nn.Conv1d,
    norm: MaskedBatchNorm,
    mask: Bool[Tensor, "batch strides"],
) -> Float[Tensor, "batch strides out_dim"]:
    """Convolve and normalise; with running statistics both are one convolution."""
    if norm.training:
        normalised: Tensor = norm(_convolved(inputs, conv, conv.weight), mask)
        return normalised
    scale, shift = norm.running_affine()
    return _convolved(inputs, conv, conv.weight * scale[:, None, None], shift)


def _convolved(
    inputs: Float[Tensor, "batch steps in_dim"],
    conv: nn.Conv1d,
    weight: Float[Tensor, "out_dim in_dim_of_group kernel"],
    bias: Float[Tensor, " out_dim"] | None = None,
) -> Float[Tensor, "batch strides out_dim"]:
    """Convolve along the steps with a convolution's shape and another weight."""
    stride = conv.stride[0]
    if conv.kernel_size[0] == 1:
        return functional.linear(inputs[:, ::stride], weight[:, :, 0], bias)
    channels_first = inputs.transpose(1, 2)
    convolved = functional.conv1d(
        channels_first, weight, bias, stride, padding=1, groups=conv.groups
    )
    return convolved.transpose(1, 2)
