"""A face model's checkpoint as an animator that is cheap until it moves a face."""

from collections.abc import Sequence
from functools import cached_property

from unitaf.checkpoint.description import (
    PIVOT,
    FeatureSpace,
    read_face_model_description,
    read_tensors,
)
from unitaf.errors import ConfigError
from unitaf.face.animator import FaceModelAnimator
from unitaf.face.network_graph import NetworkShape
from unitaf.face.processor_network import ProcessorNetwork
from unitaf.types import FaceAnimator, FaceMotion, Speech, Utterance


class CheckpointAnimator:
    """A `types.FaceAnimator` that reads what a checkpoint says now, and its network when needed.

    Args:
        uri: The checkpoint of a face model.
        style: Whose style to move in.
        device: Where the network runs.

    Raises:
        ConfigError: If there is no checkpoint or no such style.
    """

    def __init__(self, uri: str, style: str = PIVOT, device: str = "cpu") -> None:
        described = read_face_model_description(uri)
        described.style_id(style)
        self._uri = uri
        self._style = style
        self._device = device
        self._described = described

    @property
    def features(self) -> FeatureSpace:
        """What the network reads."""
        return self._described.features

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it has learnt."""
        return self._described.channels

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same speech could give another motion."""
        return self._described.fingerprint(self._style)

    @property
    def licence(self) -> str:
        """The terms of the weights, in one line."""
        return self._described.licence

    def load(self) -> None:
        """Load the network now.

        Raises:
            ConfigError: If the checkpoint is damaged or the device is not there.
        """
        _ = self._animator

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order; see `face.animator.FaceModelAnimator`.

        Raises:
            InputError: If a speech is empty.
            ValueError: If the features are not those that the model was trained on.
        """
        return self._animator.animate(utterances, speeches, fps)

    @cached_property
    def _animator(self) -> FaceAnimator:
        if self._device != "cpu":
            # Brings torch, which a worker without a GPU does not need.
            from unitaf.checkpoint.face_model import load_face_model

            return load_face_model(self._uri, self._device).animator(self._style)
        described = self._described
        return FaceModelAnimator(
            self._processor_network(),
            described.channels,
            described.fingerprint(self._style),
            described.licence,
        )

    def _processor_network(self) -> ProcessorNetwork:
        described = self._described
        tensors = read_tensors(self._uri, described)
        shape = NetworkShape(
            feature_dim=described.features.dim,
            encoder_dim=described.encoder.dim,
            num_channels=len(described.channels),
            num_styles=len(described.styles) + 1,
            has_expression=described.has_expression,
            sizes=described.sizes,
        )
        rates, style_id = (described.features.rate, described.fps), described.style_id(self._style)
        try:
            return ProcessorNetwork(tensors, shape, rates, described.channels, style_id)
        except ValueError as error:
            raise ConfigError(
                f"{self._uri} does not hold the network that it describes: {error}"
            ) from error
