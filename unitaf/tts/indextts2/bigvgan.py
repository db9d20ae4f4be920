"""BigVGAN: log mel to waveform (Lee et al. 2023).

Keys are the published ones with weight norm folded. Conventions: mel frames are padded at the
right; a line's waveform has 256 samples a frame. Convolutions see zeros behind a line's end and
resampling filters its last value, so that a batch gives each line what it would give alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.conformer import frame_mask
from unitaf.tts.indextts2.sizes import VocoderSizes

_TAPS = 12
_CUTOFF = 0.25
_HALF_WIDTH = 0.3
_AROUND, _AROUND_DOUBLED = (5, 5), (5, 6)
_CROP = 15
_GUARD = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where each line of a padded batch ends."""

    lengths: Int64[Tensor, " batch"]
    mask: Bool[Tensor, "batch 1 frames"] | None
    """None if all lines are equally long."""

    @classmethod
    def of(cls, lengths: Int64[Tensor, " batch"], frames: int) -> "Ends":
        """Look once whether lines differ in length."""
        is_ragged = bool((lengths < frames).any())
        return cls(lengths, frame_mask(lengths, frames)[:, None] if is_ragged else None)

    def scaled(self, rate: int) -> "Ends":
        """Return the ends after upsampling."""
        mask = None if self.mask is None else self.mask.repeat_interleave(rate, dim=2)
        return Ends(self.lengths * rate, mask)

    def cut(self, signal: Float[Tensor, "batch channels frames"]) -> Tensor:
        """Make what lies behind the ends zero."""
        return signal if self.mask is None else signal * self.mask

    def held(
        self, signal: Float[Tensor, "batch channels frames"], sides: tuple[int, int]
    ) -> Float[Tensor, "batch channels padded"]:
        """Pad with the first value before, and with the last from each line's own end on."""
        padded = functional.pad(signal, sides, mode="replicate")
        if self.mask is None:
            return padded
        left, right = sides
        shape = (-1, signal.shape[1], -1)
        last = signal.gather(2, (self.lengths - 1)[:, None, None].expand(shape))
        behind = self.lengths[:, None] + torch.arange(left, left + right, device=signal.device)
        index = behind[:, None].expand(shape)
        return padded.scatter_(2, index, last.expand(-1, -1, right))


class Vocoder(nn.Module):
    """Six stages of upsampling, each followed by the mean of three residual blocks.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: VocoderSizes) -> None:
        super().__init__()
        channels = sizes.width
        self.rates = sizes.rates
        self.conv_pre = nn.Conv1d(sizes.num_mels, channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(sizes.rates, sizes.kernels, strict=True):
            padding = (kernel - rate) // 2
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding)
            self.ups.append(nn.Sequential(up))
            channels //= 2
            for block_kernel, dilations in zip(
                sizes.block_kernels, sizes.block_dilations, strict=True
            ):
                self.resblocks.append(ResidualBlock(channels, block_kernel, dilations))
        self.activation_post = FilteredActivation(channels)
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3, bias=False)

    @property
    def hop(self) -> int:
        """Samples a mel frame becomes."""
        return math.prod(self.rates)

    def forward(
        self, mel: Float[Tensor, "batch mels frames"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch samples"]:
        """Make waveforms in -1 to 1, zero behind each line's end."""
        ends = Ends.of(lengths, mel.shape[2])
        signal: Tensor = self.conv_pre(ends.cut(mel))
        num_blocks = len(self.resblocks) // len(self.ups)
        for stage, (up, rate) in enumerate(zip(self.ups, self.rates, strict=True)):
            signal = up(ends.cut(signal))
            ends = ends.scaled(rate)
            blocks = self.resblocks[stage * num_blocks : (stage + 1) * num_blocks]
            total = torch.zeros_like(signal)
            for block in blocks:
                total = total + block(signal, ends)
            signal = total / num_blocks
        signal = self.conv_post(ends.cut(self.activation_post(signal, ends)))
        return ends.cut(signal)[:, 0].clamp(-1.0, 1.0)


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each behind an activation, with residuals."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_convolution(channels, kernel, each) for each in dilations)
        self.convs2 = nn.ModuleList(_convolution(channels, kernel, 1) for _ in dilations)
        self.activations = nn.ModuleList(
            FilteredActivation(channels) for _ in range(2 * len(dilations))
        )

    def forward(
        self, signal: Float[Tensor, "batch channels frames"], ends: Ends
    ) -> Float[Tensor, "batch channels frames"]:
        """Apply all pairs."""
        for pair, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inner = dilated(ends.cut(self.activations[2 * pair](signal, ends)))
            inner = plain(ends.cut(self.activations[2 * pair + 1](inner, ends)))
            signal = signal + inner
        return signal


class FilteredActivation(nn.Module):
    """Snake at twice the rate, between two resampling filters (Karras et al. 2021)."""

    taps: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act = SnakeBeta(channels)
        self.register_buffer("taps", lowpass_taps(), persistent=False)

    def forward(
        self, signal: Float[Tensor, "batch channels frames"], ends: Ends
    ) -> Float[Tensor, "batch channels frames"]:
        """Activate without aliasing."""
        channels = signal.shape[1]
        taps = self.taps.expand(channels, 1, -1)
        around = ends.held(signal, _AROUND)
        doubled = functional.conv_transpose1d(around, taps, stride=2, groups=channels)
        active = self.act(2.0 * doubled[..., _CROP:-_CROP])
        around = ends.scaled(2).held(active, _AROUND_DOUBLED)
        return functional.conv1d(around, taps, stride=2, groups=channels)


class SnakeBeta(nn.Module):
    """x + sin(x e^alpha)^2 / e^beta, with a frequency and an amplitude for each channel.

    The order of operations is the reference's: values are in the hundreds, where rounding shows.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(
        self, signal: Float[Tensor, "batch channels frames"]
    ) -> Float[Tensor, "batch channels frames"]:
        """Activate each channel."""
        frequency, amplitude = self.alpha.exp()[:, None], self.beta.exp()[:, None]
        return signal + (1.0 / (amplitude + _GUARD)) * torch.sin(signal * frequency).square()


def lowpass_taps() -> Float[Tensor, " taps"]:
    """Return the filter of both resamplings, a Kaiser-windowed sinc that sums to 1."""
    half = _TAPS // 2
    attenuation = 2.285 * (half - 1) * math.pi * 4.0 * _HALF_WIDTH + 7.95
    beta = 0.1102 * (attenuation - 8.7)
    window = torch.kaiser_window(_TAPS, periodic=False, beta=beta)
    place = torch.arange(-half, half) + 0.5
    taps = 2.0 * _CUTOFF * window * torch.sinc(2.0 * _CUTOFF * place)
    return taps / taps.sum()


def _convolution(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    padding = dilation * (kernel - 1) // 2
    return nn.Conv1d(channels, channels, kernel, padding=padding, dilation=dilation)
