"""Face models as checkpoints: what training leaves, and what `FaceModelAnimator` moves a face with.

    checkpoint.json       features, clock, channels, styles, mouth interval, terms and training
    weights.safetensors   adapter, decoder, head and, once it has been trained, the residual

A checkpoint lies on a disk or an S3 server. Its weights are written first and its description last,
so a folder with a description is whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor

from unitaf.checkpoint.description import (
    PIVOT,
    FaceModelDescription,
    hash_weights,
    read_face_model_description,
    read_tensors,
)
from unitaf.checkpoint.devices import check_device
from unitaf.checkpoint.files import DESCRIPTION_FILE, WEIGHTS_FILE
from unitaf.errors import ConfigError
from unitaf.face.adapter import AdapterSizes, FeatureAdapter
from unitaf.face.animator import FaceModelAnimator
from unitaf.face.calming import MoodAverage
from unitaf.face.decoder import TcnDecoder, make_head
from unitaf.face.emotion_channels import emotion_channels
from unitaf.face.expression import EmotionResidual
from unitaf.face.model import FaceModel, TorchNetwork
from unitaf.face.unitalker import differences
from unitaf.storage import Storage


@dataclass(frozen=True, eq=False)
class FaceModelCheckpoint:
    """A face model and what it says about itself."""

    description: FaceModelDescription
    model: FaceModel

    def animator(self, style: str = PIVOT) -> FaceModelAnimator:
        """Return the animator that moves in a style, on the device that the model is on.

        Raises:
            ConfigError: If there is no such style.
        """
        described = self.description
        return FaceModelAnimator(
            TorchNetwork(self.model, described.style_id(style)),
            described.channels,
            described.fingerprint(style),
            described.licence,
        )


def build_face_model(described: FaceModelDescription) -> FaceModel:
    """Build the network that a description describes, with fresh weights."""
    sizes, features = described.sizes, described.features
    adapter = FeatureAdapter(
        features.dim,
        features.rate,
        described.encoder.dim,
        described.fps,
        AdapterSizes(
            num_blocks=sizes.adapter_blocks,
            groups=sizes.adapter_groups,
            waist=sizes.adapter_waist,
            reads_first=sizes.adapter_reads_first,
        ),
    )
    num_styles = len(described.styles) + 1
    decoder = TcnDecoder(described.encoder.dim, num_styles, sizes.decoder_dim, sizes.style_dim)
    head = make_head(sizes.decoder_dim, len(described.channels))
    is_mood = emotion_channels(described.channels)
    expression = None
    if described.has_expression:
        expression = EmotionResidual(
            features.dim,
            is_mood,
            dim=sizes.expression_dim,
            num_blocks=sizes.expression_blocks,
        )
    return FaceModel(adapter, decoder, head, expression, MoodAverage(is_mood, described.fps))


def write_face_model(
    storage: Storage, folder: str, described: FaceModelDescription, state: Mapping[str, Tensor]
) -> FaceModelDescription:
    """Write a checkpoint that is not there yet.

    Args:
        storage: Where.
        folder: Below the storage's root.
        described: Without the weights' hash.
        state: The network's tensors, on the processor.

    Returns:
        The description as written.

    Raises:
        ConfigError: If there is a checkpoint already.
    """
    if storage.exists(f"{folder}/{DESCRIPTION_FILE}"):
        raise ConfigError(f"{storage.uri}/{folder} exists already: give the name of a new folder")
    weights = save({name: tensor.contiguous() for name, tensor in state.items()})
    complete = described.model_copy(update={"weights_sha256": hash_weights(weights)})
    if not storage.create(f"{folder}/{WEIGHTS_FILE}", weights).holds:
        # A writer that was killed left them; without a description nobody reads them.
        storage.delete(f"{folder}/{WEIGHTS_FILE}")
        storage.create(f"{folder}/{WEIGHTS_FILE}", weights)
    text = complete.model_dump_json(indent=2) + "\n"
    storage.create(f"{folder}/{DESCRIPTION_FILE}", text.encode())
    return complete


def load_face_model(uri: str, device: str = "cpu") -> FaceModelCheckpoint:
    """Load a checkpoint from a folder or ``s3://bucket/prefix``, in evaluation mode.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    check_device(device)
    described = read_face_model_description(uri)
    tensors = {k: torch.from_numpy(v) for k, v in read_tensors(uri, described).items()}
    model = build_face_model(described)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    problem = differences(shapes, tensors)
    if problem:
        raise ConfigError(f"{uri} does not hold the network that it describes: {problem}")
    model.load_state_dict(tensors)
    return FaceModelCheckpoint(described, model.eval().to(device))


def describe_face_model(described: FaceModelDescription) -> str:
    """Return what a checkpoint says about itself as lines for a person to read."""
    features, encoder, interval = described.features, described.encoder, described.mouth_interval
    expression = "with" if described.has_expression else "without"
    lines = [
        f"{described.kind}, trained on {described.corpus}",
        f"reads {features.dim} features of {features.name} at {features.rate:g} Hz; "
        f"decodes the space of {encoder.name}, {encoder.dim} at {encoder.rate:g} Hz",
        f"{len(described.channels)} curves at {described.fps:g} fps, {expression} expression",
        f"styles: {', '.join((*described.styles, PIVOT))}",
        f"licence: {described.licence}",
    ]
    if interval is not None:
        millimetres = f"{1000 * interval.low:.2f} to {1000 * interval.high:.2f} mm"
        lines.append(f"mouth openness that the loss told apart: {millimetres}")
    for stage in described.stages:
        losses = ", ".join(f"{name} {value:.4g}" for name, value in stage.losses.items())
        lines.append(f"stage {stage.name}: {stage.steps:,} steps, {stage.clips:,} clips; {losses}")
    return "\n".join(lines)
