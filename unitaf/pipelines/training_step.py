"""One step of training: from a batch of clips to the losses of a stage.

Plain PyTorch, one process; it knows nothing about Ray, files or schedules. Clips are padded to
their batch, and masks say what counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from unitaf.config import LossName, StageConfig
from unitaf.face.decoder import FrameGrid
from unitaf.face.model import FaceModel
from unitaf.losses import (
    FaceGeometry,
    MouthWeighting,
    coefficient_loss,
    decoupled_mouth_state_loss,
    feature_alignment_loss,
    mouth_state_loss,
    velocity_loss,
    vertex_loss,
)

MOUTH_LOSSES: frozenset[LossName] = frozenset({"mouth_state", "decoupled"})
"""Losses that weigh a frame by its mouth, so need the corpus's interval."""
CURVE_LOSSES: frozenset[LossName] = MOUTH_LOSSES | {
    "coefficient",
    "velocity",
    "vertex",
    "residual",
}
PARTS = ("adapter", "decoder", "head", "expression")


@dataclass(frozen=True, slots=True, eq=False)
class ClipBatch:
    """Some clips, padded, as tensors."""

    features: Float[Tensor, "batch steps feature_dim"]
    """Of the text-to-speech engine."""
    step_mask: Bool[Tensor, "batch steps"]
    encoded: Float[Tensor, "batch encoder_steps encoder_dim"]
    """Of the audio encoder, from the same recording; without steps if the corpus has none."""
    encoder_mask: Bool[Tensor, "batch encoder_steps"]
    curves: Float[Tensor, "batch frames channels"]
    frame_mask: Bool[Tensor, "batch frames"]
    style_ids: Int[Tensor, " batch"]
    emotion: Float[Tensor, "batch emotions"]

    def to(self, device: torch.device) -> "ClipBatch":
        """Return the batch on a device."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return replace(self, **moved)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMeasure:
    """How wrong curves are measured on a mesh."""

    geometry: FaceGeometry
    """In the order of the model's channels."""
    weighting: MouthWeighting | None
    """None where no stage needs it."""
    decoupled_scale: float
    free_columns: list[int]
    """The channels that emotion may move without touching the lips."""

    def to(self, device: torch.device) -> "FaceMeasure":
        """Return it with its tensors on a device."""
        names = [field.name for field in fields(self.geometry)]
        moved = {name: getattr(self.geometry, name).to(device) for name in names}
        return replace(self, geometry=replace(self.geometry, **moved))


class StageLosses(nn.Module):
    """The network and what one stage minimises: a batch in, every loss of the stage out.

    One call of `forward` is what a wrapper for many processes needs to see.

    Args:
        model: Only the parts that the stage trains will learn, or be in training mode.
        stage: The row.
        encoder_rate: Steps a second of the audio encoder.
        measure: The mesh.
        precision: What the network, not the losses, computes in.
    """

    def __init__(
        self,
        model: FaceModel,
        stage: StageConfig,
        encoder_rate: float,
        measure: FaceMeasure,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self._encoder_rate = encoder_rate
        self._measure = measure
        self._precision = precision
        self._free_columns = measure.free_columns
        for name in PARTS:
            part = getattr(model, name)
            if part is not None:
                part.requires_grad_(name in stage.trains)

    def train(self, mode: bool = True) -> "StageLosses":
        """Set the mode; parts that do not learn stay as they are used."""
        super().train(mode)
        for name in set(PARTS) - set(self.stage.trains):
            part = getattr(self.model, name)
            if part is not None:
                part.eval()
        return self

    def forward(self, batch: ClipBatch) -> dict[str, Float[Tensor, ""]]:
        """Return every loss of the stage, without its weight."""
        predicted = self.predict(batch)
        return {name: self._loss(name, predicted, batch) for name in self.stage.losses}

    def predict(self, batch: ClipBatch) -> "Predicted":
        """Return what the network makes of a batch, as far as the stage asks."""
        model, device = self.model, batch.curves.device
        grid = model.adapter.grid(batch.step_mask, batch.frame_mask)
        encoded = self._encoder_frames(batch)
        autocast = torch.autocast(
            device.type, self._precision, enabled=self._precision != torch.float32
        )
        with autocast:
            adapted = encoded
            if self.stage.reads == "engine":
                adapted = model.adapter(batch.features, batch.step_mask, grid)
            mouth = delta = torch.zeros_like(batch.curves)
            if not CURVE_LOSSES.isdisjoint(self.stage.losses):
                decoded = model.decoder(adapted, batch.frame_mask, batch.style_ids)
                mouth = model.head(decoded)
            if "residual" in self.stage.losses and model.expression is not None:
                delta = model.expression(
                    mouth.detach(), batch.features, batch.emotion, batch.step_mask, grid
                )
        return Predicted(encoded, adapted.float(), mouth.float(), delta.float())

    def _encoder_frames(self, batch: ClipBatch) -> Float[Tensor, "batch frames encoder_dim"]:
        """Return the audio encoder's features at the frames; zeros where nobody asks for them."""
        if self.stage.reads == "engine" and "features" not in self.stage.losses:
            return batch.curves.new_zeros((*batch.curves.shape[:2], batch.encoded.shape[2]))
        steps = batch.encoder_mask.sum(1).tolist()
        frames = batch.frame_mask.sum(1).tolist()
        grid = FrameGrid.on_clock(steps, frames, self._encoder_rate, self.model.fps)
        return grid.read(batch.encoded)

    def _loss(self, name: LossName, predicted: "Predicted", batch: ClipBatch) -> Float[Tensor, ""]:
        mask, measure = batch.frame_mask, self._measure
        mouth, target = predicted.mouth, batch.curves
        match name:
            case "features":
                return feature_alignment_loss(predicted.adapted, predicted.encoded, mask)
            case "coefficient":
                return coefficient_loss(mouth, target, mask)
            case "velocity":
                return velocity_loss(mouth, target, mask)
            case "residual":
                face = mouth.detach() + predicted.delta
                columns = self._free_columns
                return coefficient_loss(face[..., columns], target[..., columns], mask)
            case "vertex":
                return vertex_loss(mouth, target, mask, measure.geometry)
            case "mouth_state":
                return mouth_state_loss(mouth, target, mask, measure.geometry, self._weighting)
            case "decoupled":
                return decoupled_mouth_state_loss(
                    mouth, target, mask, measure.geometry, self._weighting, measure.decoupled_scale
                )

    @property
    def _weighting(self) -> MouthWeighting:
        if self._measure.weighting is None:
            raise ValueError("a loss weighs frames by the mouth, but there is no interval")
        return self._measure.weighting


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What the network made of a batch; zeros for what the stage does not ask for."""

    encoded: Float[Tensor, "batch frames encoder_dim"]
    adapted: Float[Tensor, "batch frames encoder_dim"]
    mouth: Float[Tensor, "batch frames channels"]
    delta: Float[Tensor, "batch frames channels"]


def total_loss(
    losses: Mapping[str, Float[Tensor, ""]], weights: Mapping[LossName, float]
) -> Float[Tensor, ""]:
    """Return the weighted sum of a stage's losses."""
    terms = [weight * losses[name] for name, weight in weights.items()]
    return torch.stack(terms).sum()


def with_pivot(batch: ClipBatch, share: float, pivot: int, random: torch.Generator) -> ClipBatch:
    """Let some clips move in nobody's style, which so becomes everybody's mean.

    As UniTalker trains its last row (arXiv 2408.00762).

    Args:
        batch: Some clips.
        share: Of the clips, on average.
        pivot: The row.
        random: On the processor.
    """
    is_pivot = torch.rand(len(batch.style_ids), generator=random) < share
    ids = torch.where(is_pivot.to(batch.style_ids.device), pivot, batch.style_ids)
    return replace(batch, style_ids=ids)
