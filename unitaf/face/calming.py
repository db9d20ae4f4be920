"""A moving average over the channels of emotion: brows that follow every sound tremble.

Conventions: frames are at the model's own rate; masks are true where a frame is real. What lies
beyond the ends of a clip is its first and its last frame.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

WINDOW_S = 0.3
"""Length of the Hann window."""


class MoodAverage(nn.Module):
    """Averages some channels over a Hann window around each frame. It has no weights.

    Args:
        is_mood: Of each channel, whether it is averaged; see `expression.emotion_channels`.
        fps: Frames a second.
    """

    columns: Tensor
    window: Tensor

    def __init__(self, is_mood: Sequence[bool], fps: float) -> None:
        super().__init__()
        self.frame_context = round(0.5 * WINDOW_S * fps)
        """How many frames a frame looks ahead and back."""
        window = torch.hann_window(2 * self.frame_context + 3, periodic=False)[1:-1]
        columns = torch.tensor([i for i, chosen in enumerate(is_mood) if chosen], dtype=torch.long)
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("window", window / window.sum(), persistent=False)

    def forward(
        self, curves: Float[Tensor, "batch frames channels"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames channels"]:
        """Return the curves with the chosen channels averaged; padded frames come out as anything.

        Args:
            curves: At the model's frame rate.
            mask: True on real frames, which stand first in every row.
        """
        last = mask.sum(1, keepdim=True).clamp(min=1) - 1
        frames = torch.arange(curves.shape[1], device=curves.device)
        rows = torch.arange(len(curves), device=curves.device)[:, None]
        moods = curves[..., self.columns]
        total = torch.zeros_like(moods)
        for place, weight in enumerate(self.window):
            near = (frames + place - self.frame_context).clamp(min=0)
            total = total + weight * moods[rows, torch.minimum(near, last)]
        calmed = curves.clone()
        calmed[..., self.columns] = total
        return calmed
