"""The face model: a text-to-speech engine's features in, curves out.

``curves = calming(mouth + expression(mouth))`` with ``mouth = head(decoder(adapter(features)))``.
Conventions: masks are true where a step or frame is real; the model runs at its adapter's frame
rate and `FaceModelAnimator` reads its curves at the times of any other. This module knows nothing
about files or configuration.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651).
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.adapter import FeatureAdapter, ReferenceAdapter
from unitaf.face.calming import MoodAverage
from unitaf.face.decoder import FrameGrid, TcnDecoder
from unitaf.face.expression import CrossAttentionResidual, EmotionResidual, FilmResidual
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, column_indices
from unitaf.types import FaceMotion, Speech, Utterance

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


class FaceModelAnimator:
    """A `types.FaceAnimator` that asks a trained `FaceModel`.

    Clips are decoded one at a time: a take's bytes may not depend on what it is batched with.

    Args:
        model: Used in evaluation mode, on the device that it is on.
        channels: The names of the model's curves, in order; canonical channels not among them stay
            at rest.
        style_id: Whose style to move in; the decoder's last row is nobody's.
        fingerprint: Changes with the weights.
        licence: What the weights' terms ask of their output.

    Raises:
        ValueError: If a channel is not an ARKit channel or the style does not exist.
    """

    def __init__(
        self,
        model: FaceModel,
        channels: Sequence[str],
        style_id: int,
        fingerprint: str,
        licence: str,
    ) -> None:
        num_styles = model.decoder.styles.num_embeddings
        if not 0 <= style_id < num_styles:
            raise ValueError(f"style_id must lie in 0 to {num_styles - 1}, not {style_id}")
        self._model = model.eval()
        self._columns = column_indices(CHANNELS, channels)
        self._style_id = style_id
        self._fingerprint = fingerprint
        self._licence = licence

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same speech could give another motion."""
        return self._fingerprint

    @property
    def licence(self) -> str:
        """The terms of the weights, in one line."""
        return self._licence

    def load(self) -> None:
        """Do nothing: the model is here."""

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order, on the canonical channels at any frame rate.

        Raises:
            InputError: If a speech is empty.
            ValueError: If the features are not those that the model was trained on.
        """
        return [
            FaceMotion(self._curves(utterance, speech, fps), CHANNELS, fps)
            for utterance, speech in zip(utterances, speeches, strict=True)
        ]

    def _curves(
        self, utterance: Utterance, speech: Speech, fps: float
    ) -> Float32[np.ndarray, "frames channels"]:
        own = self._decoded(utterance, speech)
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        times = timing.frame_times(frames, fps)
        curves = np.zeros((frames, len(CHANNELS)), np.float32)
        curves[:, self._columns] = timing.resample_linear(own, self._model.fps, times)
        curves[:, : len(BLENDSHAPES)] = curves[:, : len(BLENDSHAPES)].clip(0.0, 1.0)
        return curves

    def _decoded(
        self, utterance: Utterance, speech: Speech
    ) -> Float32[np.ndarray, "frames channels"]:
        """Return the model's own curves, at its own frame rate."""
        adapter = self._model.adapter
        found = (speech.features.shape[1], speech.feature_rate)
        if found != (adapter.feature_dim, adapter.feature_rate):
            raise ValueError(
                f"the face model was trained on {adapter.feature_dim} features at "
                f"{adapter.feature_rate} Hz; this engine gives {found[0]} at {found[1]} Hz"
            )
        if len(speech.features) == 0 or speech.num_samples == 0:
            raise InputError(utterance.id, "the speech is empty, so it cannot move a face")
        device = adapter.audio_scale.device
        features = torch.from_numpy(speech.features)[None].to(device)
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, adapter.fps)
        with torch.inference_mode():
            curves: Tensor = self._model(
                features,
                torch.ones(features.shape[:2], dtype=torch.bool, device=device),
                torch.ones((1, frames), dtype=torch.bool, device=device),
                torch.tensor([self._style_id], device=device),
                torch.tensor([utterance.emotion], device=device),
            )
        return curves[0].cpu().numpy()
