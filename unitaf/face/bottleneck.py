"""The blocks of an adapter: residual bottlenecks over time whose batch norms count real steps only.

Conventions: sequences are (batch, steps, dim); masks are true where a step is real: a padded step
counts for nothing, neither in a convolution nor in a batch statistic.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651), section 3.1, and its published training
code for the layers.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


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
        in_dim: Input channels.
        out_dim: Output channels.
        groups: Groups of the middle convolution; must divide the waist.
        stride: Steps between outputs; output i stands at input i * stride.
        waist: Channels of the middle convolution; a quarter of the input's unless told.
        pads: Whether a wider output has zeros beside the input for a shortcut (He et al. 2016,
            option A), which costs nothing, rather than a convolution of it.

    Raises:
        ValueError: If the groups do not divide the waist.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        groups: int,
        stride: int = 1,
        waist: int | None = None,
        pads: bool = False,
    ) -> None:
        super().__init__()
        waist = in_dim // 4 if waist is None else waist
        if waist == 0 or waist % groups:
            raise ValueError(f"a waist of {waist} channels cannot be split into {groups} groups")
        self.stride = stride
        self.padding = out_dim - in_dim if pads and out_dim > in_dim else 0
        self.conv1 = nn.Conv1d(in_dim, waist, 1, bias=False)
        self.bn1 = MaskedBatchNorm(waist)
        self.conv2 = nn.Conv1d(waist, waist, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = MaskedBatchNorm(waist)
        self.conv3 = nn.Conv1d(waist, out_dim, 1, bias=False)
        self.bn3 = MaskedBatchNorm(out_dim)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_dim + self.padding != out_dim:
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
        around = functional.pad(inputs, (0, self.padding)) if self.padding else inputs
        if isinstance(self.shortcut, nn.Conv1d):
            around = _convolved(inputs, self.shortcut, self.shortcut.weight)
        return (hidden + around).relu_()


def through(
    blocks: Sequence[nn.Module],
    features: Float[Tensor, "batch steps feature_dim"],
    mask: Bool[Tensor, "batch steps"],
) -> Float[Tensor, "batch out_steps dim"]:
    """Go through blocks without stride; what lies outside a clip counts as zero."""
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
