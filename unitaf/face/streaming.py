"""Face frames while the features are still coming, equal to those of the whole clip.

Adapter, decoder and `EmotionResidual` are local: a frame depends on a few steps and frames around
it. So it can be given out as soon as its look-ahead has come, from a window that reaches as far
back; what the window's edges spoil is thrown away.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unitaf.face.decoder import FrameGrid
from unitaf.face.model import Adapter, FaceModel
from unitaf.types import Emotion

Window = Callable[
    [Float[Tensor, "1 steps dim"], Bool[Tensor, "1 steps"], FrameGrid],
    Float[Tensor, "1 frames out_dim"],
]
"""From features, their mask and the grid of some frames to these frames."""


class FeatureStream:
    """Turns the features of one clip into frames, chunk by chunk.

    Args:
        adapter: In evaluation mode; gives the clock.
        frame_context: How many frames a frame of `window` looks ahead and back.
        window: What is computed: the adapter alone, or all that follows it.
        out_dim: Width of its frames.

    Raises:
        ValueError: If a frame depends on the whole clip.
    """

    def __init__(
        self, adapter: Adapter, frame_context: float, window: Window, out_dim: int
    ) -> None:
        if math.isinf(frame_context):
            raise ValueError("a model that sees the whole clip at once cannot stream")
        self._adapter = adapter
        self._frame_context = int(frame_context)
        self._window = window
        self._features = adapter.audio_scale.new_zeros((1, 0, adapter.feature_dim))
        self._first_step = 0
        self._given = 0
        self._nothing = self._features.new_zeros((0, out_dim))

    @property
    def look_ahead_s(self) -> float:
        """How far the features must be ahead of a frame, in seconds."""
        return self._last_step_of(0) / self._adapter.feature_rate

    def push(self, features: Float[Tensor, "steps dim"]) -> Float[Tensor, "frames out_dim"]:
        """Take the next features and return the frames that they complete, often none."""
        self._features = torch.cat([self._features, features[None]], dim=1)
        received = self._first_step + self._features.shape[1]
        ready = self._given
        while self._last_step_of(ready) < received:
            ready += 1
        return self._frames(ready, ready + self._frame_context)

    def finish(self, num_frames: int) -> Float[Tensor, "frames out_dim"]:
        """Return what remains of a clip that has `num_frames` by the sample clock.

        Raises:
            ValueError: If no features came, or more than so short a clip can have.
        """
        if self._features.shape[1] == 0:
            raise ValueError("no features came, so there is nothing to finish")
        if self._given and num_frames < self._given + self._frame_context:
            raise ValueError(f"the features that came belong to more than {num_frames} frames")
        return self._frames(num_frames, num_frames)

    def _last_step_of(self, frame: int) -> int:
        return self._adapter.step_span(frame + self._frame_context)[1]

    def _frames(self, stop: int, window_stop: int) -> Float[Tensor, "frames out_dim"]:
        """Compute the frames not given yet up to `stop`, seeing those up to `window_stop`."""
        if stop == self._given:
            return self._nothing
        start = self._window_start()
        first_step = self._adapter.step_at(start)
        self._features = self._features[:, first_step - self._first_step :]
        self._first_step = first_step
        device = self._features.device
        frame_mask = torch.ones((1, window_stop - start), dtype=torch.bool, device=device)
        step_mask = torch.ones(self._features.shape[:2], dtype=torch.bool, device=device)
        with torch.inference_mode():
            grid = self._adapter.grid(step_mask, frame_mask, start)
            frames = self._window(self._features, step_mask, grid)
        frames = frames[0, self._given - start : stop - start]
        self._given = stop
        return frames

    def _window_start(self) -> int:
        """Return the latest frame to begin at so that the next frame is not spoilt."""
        start = max(self._given - self._frame_context, 0)
        first_needed = self._adapter.step_span(start)[0]
        while start > 0 and self._adapter.step_at(start) > first_needed:
            start -= 1
        return start


def stream_face(model: FaceModel, channels: int, style_id: int, emotion: Emotion) -> FeatureStream:
    """Return a stream of a model's curves, in one style and emotion.

    Args:
        model: In evaluation mode.
        channels: How many curves it gives.
        style_id: Row of the decoder's style table.
        emotion: All zero is neutral.

    Raises:
        ValueError: If the model's expression residual sees the whole clip.
    """
    device = model.adapter.audio_scale.device
    style_ids = torch.tensor([style_id], device=device)
    emotions = torch.tensor([emotion], device=device)

    def window(features: Tensor, step_mask: Tensor, grid: FrameGrid) -> Tensor:
        return model.decode(features, step_mask, grid, style_ids, emotions)

    return FeatureStream(model.adapter, model.frame_context, window, channels)
