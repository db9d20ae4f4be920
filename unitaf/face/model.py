"""The face model: a text-to-speech engine's features in, curves out.

``curves = calming(mouth + expression(mouth))`` with ``mouth = head(decoder(adapter(features)))``.
Conventions: masks are true where a step or frame is real; the model runs at its adapter's frame
rate and `animator.FaceModelAnimator` reads its curves at the times of any other. This module knows
nothing about files or configuration.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651).
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from unitaf.face.adapter import FeatureAdapter, ReferenceAdapter
from unitaf.face.calming import MoodAverage
from unitaf.face.decoder import FrameGrid, TcnDecoder
from unitaf.face.expression import CrossAttentionResidual, EmotionResidual, FilmResidual
from unitaf.types import Emotion

Adapter = FeatureAdapter | ReferenceAdapter
Residual = EmotionResidual | FilmResidual | CrossAttentionResidual


class FaceModel(nn.Module):
    """Adapter, decoder, head and, where there are some, the expression residual and the calming.

    Args:
        adapter: Features to an audio encoder's feature space, at the model's frame rate.
        decoder: UniTalker's, on that feature space.
        head: The decoder's output to curves.
        expression: What emotion adds; None for the mouth alone.
        calming: What the curves of `decode` go through last. Training compares what comes before.
    """

    def __init__(
        self,
        adapter: Adapter,
        decoder: TcnDecoder,
        head: nn.Module,
        expression: Residual | None = None,
        calming: MoodAverage | None = None,
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self.decoder = decoder
        self.head = head
        self.expression = expression
        self.calming = calming

    @property
    def fps(self) -> float:
        """Frames a second that come out."""
        return self.adapter.fps

    @property
    def frame_context(self) -> float:
        """How many frames a frame looks ahead and back; infinite if it sees the whole clip."""
        context = self.adapter.frame_context + len(self.decoder.blocks)
        if self.expression is not None:
            context += self.expression.frame_context
        return context if self.calming is None else context + self.calming.frame_context

    def mouth(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
        style_ids: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames channels"]:
        """Return the curves that the speech alone decides; padded frames come out as anything."""
        adapted = self.adapter(features, step_mask, grid)
        curves: Tensor = self.head(self.decoder(adapted, grid.mask, style_ids))
        return curves

    def decode(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        step_mask: Bool[Tensor, "batch steps"],
        grid: FrameGrid,
        style_ids: Int[Tensor, " batch"],
        emotion: Float[Tensor, "batch emotions"],
    ) -> Float[Tensor, "batch frames channels"]:
        """Return curves at the frames of a grid that the adapter made, of a clip or a window."""
        curves = self.mouth(features, step_mask, grid, style_ids)
        if self.expression is not None:
            # The lips learn from speech only: the residual's error must not reach them.
            curves = curves + self.expression(curves.detach(), features, emotion, step_mask, grid)
        return curves if self.calming is None else self.calming(curves, grid.mask)

    def forward(
        self,
        features: Float[Tensor, "batch steps feature_dim"],
        step_mask: Bool[Tensor, "batch steps"],
        frame_mask: Bool[Tensor, "batch frames"],
        style_ids: Int[Tensor, " batch"],
        emotion: Float[Tensor, "batch emotions"],
    ) -> Float[Tensor, "batch frames channels"]:
        """Return curves, not yet clipped; padded frames come out as anything.

        Args:
            features: Of the engine that the adapter was made for.
            step_mask: True on real steps.
            frame_mask: True on real frames, as many as the sample clock has for the clip.
            style_ids: Rows of the decoder's style table.
            emotion: Strengths 0 to 1; all zero is neutral.
        """
        grid = self.adapter.grid(step_mask, frame_mask)
        return self.decode(features, step_mask, grid, style_ids, emotion)


class TorchNetwork:
    """An `animator.ClipNetwork`: a `FaceModel` in one style.

    Args:
        model: Used in evaluation mode, on the device that it is on.
        style_id: Whose style to move in; the decoder's last row is nobody's.

    Raises:
        ValueError: If the style does not exist.
    """

    def __init__(self, model: FaceModel, style_id: int) -> None:
        num_styles = model.decoder.styles.num_embeddings
        if not 0 <= style_id < num_styles:
            raise ValueError(f"style_id must lie in 0 to {num_styles - 1}, not {style_id}")
        self._model = model.eval()
        self._style_id = style_id

    @property
    def feature_dim(self) -> int:
        """Width of the features that it reads."""
        return self._model.adapter.feature_dim

    @property
    def feature_rate(self) -> float:
        """Steps of features a second."""
        return self._model.adapter.feature_rate

    @property
    def fps(self) -> float:
        """Frames a second that come out."""
        return self._model.fps

    def decode(
        self, features: Float32[np.ndarray, "steps dim"], frames: int, emotion: Emotion
    ) -> Float32[np.ndarray, "frames channels"]:
        """Return the curves of a clip, not yet clipped."""
        device = self._model.adapter.audio_scale.device
        batch = torch.from_numpy(features)[None].to(device)
        with torch.inference_mode():
            curves: Tensor = self._model(
                batch,
                torch.ones(batch.shape[:2], dtype=torch.bool, device=device),
                torch.ones((1, frames), dtype=torch.bool, device=device),
                torch.tensor([self._style_id], device=device),
                torch.tensor([emotion], device=device),
            )
        return curves[0].cpu().numpy()
