"""CAM++: how a voice sounds, as one style vector (Wang et al. 2023).

A two-dimensional front, densely connected time-delay layers whose output is weighted by the context
around it, and statistics over time. Keys are the published ones. It runs once for each voice, one
clip at a time, since its statistics and pooled pieces would see padding.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.sizes import StyleSizes

_FRONT_CHANNELS = 32
_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""
_PIECE = 100


class StyleEncoder(nn.Module):
    """Filter bank features of a clip to a style vector.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: StyleSizes) -> None:
        super().__init__()
        self.head = Front()
        self.xvector = nn.Sequential()
        width = sizes.width
        front = _FRONT_CHANNELS * (sizes.num_bins // 8)
        self.xvector.add_module("tdnn", TimeDelay(front, width))
        for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
            block = DenseBlock(layers, width, sizes, dilation)
            self.xvector.add_module(f"block{number}", block)
            width += layers * sizes.growth
            self.xvector.add_module(f"transit{number}", Transition(width, width // 2))
            width //= 2
        self.xvector.add_module("out_nonlinear", Activation(width))
        self.xvector.add_module("stats", Statistics())
        self.xvector.add_module("dense", Projection(2 * width, sizes.style_dim))

    def forward(self, fbank: Float[Tensor, "batch steps bins"]) -> Float[Tensor, "batch style"]:
        """Encode clips of one length.

        Args:
            fbank: Log mel filter bank, 100 frames a second, less its mean over time.
        """
        style: Tensor = self.xvector(self.head(fbank.transpose(1, 2)))
        return style


class Front(nn.Module):
    """Residual convolutions over bins and time that leave an eighth of the bins."""

    def __init__(self) -> None:
        super().__init__()
        channels = _FRONT_CHANNELS
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.layer2 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(
        self, fbank: Float[Tensor, "batch bins steps"]
    ) -> Float[Tensor, "batch channels steps"]:
        """Convolve; bins become channels."""
        planes = functional.relu(self.bn1(self.conv1(fbank[:, None])))
        planes = self.layer2(self.layer1(planes))
        planes = functional.relu(self.bn2(self.conv2(planes)))
        return planes.flatten(1, 2)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, which is a convolution where bins are halved."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        channels = _FRONT_CHANNELS
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            halve = nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False)
            self.shortcut = nn.Sequential(halve, nn.BatchNorm2d(channels))

    def forward(
        self, planes: Float[Tensor, "batch channels bins steps"]
    ) -> Float[Tensor, "batch channels fewer steps"]:
        """Apply the block."""
        out = functional.relu(self.bn1(self.conv1(planes)))
        out = self.bn2(self.conv2(out)) + self.shortcut(planes)
        return functional.relu(out)


class Activation(nn.Sequential):
    """Batch norm, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add_module("batchnorm", nn.BatchNorm1d(channels))
        self.add_module("relu", nn.ReLU())


class TimeDelay(nn.Module):
    """Convolution over time that halves the frames."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 5, stride=2, padding=2, bias=False)
        self.nonlinear = Activation(outputs)

    def forward(
        self, signal: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch outputs halved"]:
        """Convolve and activate."""
        out: Tensor = self.nonlinear(self.linear(signal))
        return out


class DenseBlock(nn.Sequential):
    """Layers that each read all channels so far and add some."""

    def __init__(self, layers: int, inputs: int, sizes: StyleSizes, dilation: int) -> None:
        super().__init__()
        for layer in range(layers):
            channels = inputs + layer * sizes.growth
            self.add_module(f"tdnnd{layer + 1}", DenseLayer(channels, sizes, dilation))


class DenseLayer(nn.Module):
    """Bottleneck, then a dilated convolution weighted by context; the input is kept beside it."""

    def __init__(self, inputs: int, sizes: StyleSizes, dilation: int) -> None:
        super().__init__()
        inner = sizes.bottleneck * sizes.growth
        self.nonlinear1 = Activation(inputs)
        self.linear1 = nn.Conv1d(inputs, inner, 1, bias=False)
        self.nonlinear2 = Activation(inner)
        self.cam_layer = ContextAwareMask(inner, sizes.growth, dilation)

    def forward(
        self, signal: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch more steps"]:
        """Return the input and the new channels."""
        new = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(signal))))
        return torch.cat([signal, new], dim=1)


class ContextAwareMask(nn.Module):
    """A convolution whose channels are weighted by the clip's mean and that of its second."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)

    def forward(
        self, signal: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch outputs steps"]:
        """Convolve and weight."""
        steps = signal.shape[-1]
        pieces = functional.avg_pool1d(signal, _PIECE, _PIECE, ceil_mode=True)
        context = signal.mean(-1, keepdim=True) + pieces.repeat_interleave(_PIECE, -1)[..., :steps]
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        out: Tensor = self.linear_local(signal) * mask
        return out


class Transition(nn.Module):
    """Activation, then fewer channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.nonlinear = Activation(inputs)
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(
        self, signal: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch outputs steps"]:
        """Halve the channels."""
        out: Tensor = self.linear(self.nonlinear(signal))
        return out


class Statistics(nn.Module):
    """Mean and unbiased standard deviation over time."""

    def forward(
        self, signal: Float[Tensor, "batch channels steps"]
    ) -> Float[Tensor, "batch doubled 1"]:
        """Sum up each channel."""
        return torch.cat([signal.mean(-1), signal.std(-1)], dim=-1)[..., None]


class Projection(nn.Module):
    """Linear layer, then a batch norm without weights of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.nonlinear = nn.Sequential()
        self.nonlinear.add_module("batchnorm", nn.BatchNorm1d(outputs, affine=False))

    def forward(
        self, statistics: Float[Tensor, "batch inputs 1"]
    ) -> Float[Tensor, "batch outputs"]:
        """Project to the style."""
        style: Tensor = self.nonlinear(self.linear(statistics)[..., 0])
        return style
