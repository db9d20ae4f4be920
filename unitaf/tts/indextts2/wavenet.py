"""The gated convolutions behind the flow estimator's transformer (van den Oord et al. 2016).

Conventions: convolutions pad by reflection at the ends of each line, not of the batch.
"""

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn


class WaveNet(nn.Module):
    """Layers of gated convolution, conditioned on time, whose skips are summed.

    Args:
        width: Channels.
        layers: How many layers.
        kernel: Frames that a convolution sees.
    """

    def __init__(self, width: int, layers: int, kernel: int) -> None:
        super().__init__()
        self.width = width
        self.kernel = kernel
        self.in_layers = nn.ModuleList(NormedConv(width, 2 * width, kernel) for _ in range(layers))
        self.res_skip_layers = nn.ModuleList(
            NormedConv(width, 2 * width if layer < layers - 1 else width, 1)
            for layer in range(layers)
        )
        self.cond_layer = NormedConv(width, 2 * width * layers, 1)

    def conditions(self, time: Float[Tensor, "times dim"]) -> Float[Tensor, "times conditions"]:
        """Return what time adds to the gates of all layers."""
        projected: Tensor = self.cond_layer(time[..., None])[..., 0]
        return projected

    def forward(
        self,
        signal: Float[Tensor, "batch dim frames"],
        conditions: Float[Tensor, " conditions"],
        reflected: Int64[Tensor, "batch padded"],
        mask: Bool[Tensor, "batch 1 frames"],
    ) -> Float[Tensor, "batch dim frames"]:
        """Convolve at one time.

        Args:
            signal: Hidden frames.
            conditions: As from `conditions`.
            reflected: As from `reflected_index`.
            mask: Frames that exist.
        """
        total = torch.zeros_like(signal)
        gates = conditions.view(len(self.in_layers), 2 * self.width, 1)
        index = reflected[:, None].expand(-1, self.width, -1)
        for layer, (convolution, mix) in enumerate(
            zip(self.in_layers, self.res_skip_layers, strict=True)
        ):
            tanh, sigmoid = (convolution(signal.gather(2, index)) + gates[layer]).chunk(2, dim=1)
            mixed = mix(torch.tanh(tanh) * torch.sigmoid(sigmoid))
            total = total + mixed[:, -self.width :]
            if layer < len(self.in_layers) - 1:
                signal = (signal + mixed[:, : self.width]) * mask
        return total * mask


class NormedConv(nn.Module):
    """A convolution without padding, at the published key ``conv.conv``."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"conv": nn.Conv1d(inputs, outputs, kernel)})

    def forward(
        self, signal: Float[Tensor, "batch inputs frames"]
    ) -> Float[Tensor, "batch outputs fewer"]:
        """Convolve."""
        out: Tensor = self.conv["conv"](signal)
        return out


def reflected_index(
    lengths: Int[Tensor, " batch"], longest: int, padding: int
) -> Int64[Tensor, "batch padded"]:
    """Return which frame stands at each place of lines that are padded by reflection."""
    place = torch.arange(-padding, longest + padding, device=lengths.device).abs()
    last = lengths[:, None] - 1
    return torch.where(place <= last, place, 2 * last - place).clamp(min=0)
