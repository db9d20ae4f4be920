"""What network a stage begins with, and how a stage is described: stages are rows of data."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from unitaf.checkpoint.description import FaceModelDescription, StageSummary
from unitaf.checkpoint.face_model import build_face_model
from unitaf.config import StageConfig
from unitaf.errors import ConfigError
from unitaf.face.model import FaceModel
from unitaf.pipelines.training_adoption import adopted_weights, brings_adapter


def describe_stage(
    described: FaceModelDescription, stages: Sequence[StageConfig], done: Sequence[StageSummary]
) -> FaceModelDescription:
    """Describe the network after some stages.

    Args:
        described: The network, without stages.
        stages: All rows.
        done: What the first of them did.
    """
    has_expression = described.has_expression or any(
        "expression" in stage.trains for stage in stages[: len(done)]
    )
    return described.model_copy(update={"stages": tuple(done), "has_expression": has_expression})


def begin_stage(
    described: FaceModelDescription,
    stages: Sequence[StageConfig],
    index: int,
    weights: Mapping[str, Tensor] | None,
    is_resumed: bool,
) -> FaceModel:
    """Build the network that a stage begins with, or goes on with.

    What no weights are given for is fresh, by torch's random state.

    Args:
        described: The network, without stages.
        stages: All rows.
        index: Which stage.
        weights: What the stage before left, or this stage so far; None for a first stage.
        is_resumed: Whether the weights are this stage's own.

    Raises:
        ConfigError: If the stage's ``init_from`` does not fit, or has no adapter for the engine
            and none is trained.
    """
    stage = stages[index]
    has_expression = described.has_expression or any(
        "expression" in row.trains for row in stages[: index + 1]
    )
    model = build_face_model(described.model_copy(update={"has_expression": has_expression}))
    if stage.init_from is not None and not is_resumed:
        _check_adapter(described, stages[index:])
        weights = adopted_weights(stage.init_from, described, model)
    if weights is not None:
        fresh = {k: v for k, v in model.state_dict().items() if k.startswith("expression.")}
        model.load_state_dict({**fresh, **weights})
    return model


def _check_adapter(described: FaceModelDescription, stages: Sequence[StageConfig]) -> None:
    """Refuse a start without an adapter unless the first stage that needs one learns it.

    Args:
        described: The network.
        stages: The row that begins from a checkpoint, and those after it.
    """
    uri = stages[0].init_from
    reader = next((stage for stage in stages if stage.reads == "engine"), None)
    if uri is None or reader is None or brings_adapter(uri, described):
        return
    if "adapter" not in reader.trains:
        raise ConfigError(
            f"init_from {uri}: it has no adapter for {described.features}, and stage"
            f" {reader.name}, the first to read them, trains none"
        )
