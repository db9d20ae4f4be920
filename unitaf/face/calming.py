"""A moving average over the channels of emotion: brows that follow every sound tremble.

Conventions: frames are at the model's own rate; masks are true where a frame is real. What lies
beyond the ends of a clip is its first and its last frame.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from unitaf.face.emotion_channels import calming_window


class MoodAverage(nn.Module):
    """Averages some channels over a Hann window around each frame. It has no weights.

    Args:
        is_mood: Of each channel, whether it is averaged; see `emotion_channels.emotion_channels`.
        fps: Frames a second.
    """

    columns: Tensor
    window: Tensor

    def __init__(self, is_mood: Sequence[bool], fps: float) -> None:
        super().__init__()
        window = torch.from_numpy(calming_window(fps))
        self.frame_context = len(window) // 2
        """How many frames a frame looks ahead and back."""
        columns = torch.tensor([i for i, chosen in enumerate(is_mood) if chosen], dtype=torch.long)
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(
        self, curves: Float[Tensor, "batch frames channels"], mask: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames channels"]:
        """Return the curves with the chosen channels averaged; padded frames come out as anything.

        Args:
            curves: At the model's frame rate.
            mask: True on real frames, which stand first in every row.
        """
        around = torch.arange(curves.shape[1] + len(self.window) - 1, device=curves.device)
        last = mask.sum(1, keepdim=True).clamp(min=1) - 1
        near = torch.minimum((around - self.frame_context).clamp(min=0), last)
        rows = torch.arange(len(curves), device=curves.device)[:, None]
        moods = curves[..., self.columns][rows, near]
        total = (moods.unfold(1, len(self.window), 1) * self.window).sum(-1)
        calmed = curves.clone()
        calmed[..., self.columns] = total
        return calmed
