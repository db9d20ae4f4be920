"""What weights a stage adopts from another checkpoint: of a face model, or of UniTalker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from unitaf.checkpoint.describe import checkpoint_kind
from unitaf.checkpoint.description import FaceModelDescription, read_face_model_description
from unitaf.checkpoint.face_model import load_face_model
from unitaf.checkpoint.unitalker import Description, FaceSet, encoder_space, load_checkpoint
from unitaf.errors import ConfigError
from unitaf.face.model import FaceModel
from unitaf.face.unitalker import differences

STYLES = "decoder.styles.weight"
_READERS = ("adapter.", "expression.")
"""How the names of the weights begin that read an engine's features."""


def adopted_weights(
    uri: str, described: FaceModelDescription, model: FaceModel
) -> Mapping[str, Tensor]:
    """Return another checkpoint's weights for this network.

    Args:
        uri: The checkpoint of a face model, or a folder with one of UniTalker.
        described: This network.
        model: The same, built; what the checkpoint has nothing for stays as it is there.

    Raises:
        ConfigError: If the checkpoint has another encoder, other channels, rates or sizes.
    """
    if checkpoint_kind(uri) == "unitalker":
        return _from_unitalker(uri, described, model)
    return _from_face_model(uri, described, model)


def brings_adapter(uri: str, described: FaceModelDescription) -> bool:
    """Return whether a checkpoint has an adapter for the features of this network."""
    if checkpoint_kind(uri) == "unitalker":
        return False
    return read_face_model_description(uri).features.fits(described.features)


def _from_face_model(
    uri: str, described: FaceModelDescription, model: FaceModel
) -> Mapping[str, Tensor]:
    """Return a face model's weights.

    A speaker whom both know keeps the style; any other begins with nobody's. A residual that this
    network does not have yet stays behind: it was learnt on another mouth. So do the adapter and
    the residual of another engine's features: what reads them begins fresh.
    """
    other = load_face_model(uri)
    for name in ("encoder", "channels", "fps"):
        ours, theirs = getattr(described, name), getattr(other.description, name)
        if ours != theirs:
            raise ConfigError(f"init_from {uri}: its {name} is {theirs}, but the corpus has {ours}")
    ours = model.state_dict()
    state = {
        key: value
        for key, value in other.model.state_dict().items()
        if key in ours or not key.startswith("expression.")
    }
    if other.description.features.fits(described.features):
        if other.description.sizes.adapter_reads_first != described.sizes.adapter_reads_first:
            raise ConfigError(
                f"init_from {uri}: its adapter_reads_first is"
                f" {other.description.sizes.adapter_reads_first}; this network's is not"
            )
    else:
        state = {k: v for k, v in state.items() if not k.startswith(_READERS)}
        state |= {k: v for k, v in ours.items() if k.startswith(_READERS)}
    known = {name: row for row, name in enumerate(other.description.styles)}
    pivot = len(known)
    rows = [known.get(name, pivot) for name in described.styles] + [pivot]
    state[STYLES] = state[STYLES][torch.tensor(rows)]
    _check_shapes(uri, model, state)
    return state


def _from_unitalker(
    uri: str, described: FaceModelDescription, model: FaceModel
) -> Mapping[str, Tensor]:
    """Return UniTalker's decoder and the head of its default set, on this network's channels.

    That is UniTAF's beginning (arXiv 2602.15651): the adapter is fresh, and everybody moves in
    nobody's style. UniTalker's head predicts what a face at rest is moved by, so that face becomes
    the bias; channels that the set has not begin at rest.
    """
    loaded = load_checkpoint(Path(uri))
    face_set, target = loaded.target()
    _check_unitalker(uri, described, loaded.description, face_set)
    ours = model.state_dict()
    state = {key: value for key, value in ours.items() if key.startswith("adapter.")}
    state |= {f"decoder.{key}": value for key, value in loaded.model.decoder.state_dict().items()}
    state[STYLES] = state[STYLES][-1:].repeat(len(described.styles) + 1, 1)
    rows, columns = _shared(described.channels, face_set.channels)
    for name, value in loaded.model.heads[face_set.head].state_dict().items():
        theirs = value + torch.from_numpy(target.template) if name == "bias" else value
        state[f"head.{name}"] = torch.zeros((len(described.channels), *value.shape[1:]))
        state[f"head.{name}"][rows] = theirs[columns]
    _check_shapes(uri, model, state)
    return state


def _shared(ours: Sequence[str], theirs: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the places among ours and among theirs of the names that both have."""
    names = [name for name in ours if name in theirs]
    return [ours.index(name) for name in names], [theirs.index(name) for name in names]


def _check_unitalker(
    uri: str, described: FaceModelDescription, other: Description, face_set: FaceSet
) -> None:
    """Refuse a UniTalker whose decoder would see or speak something else than it learnt."""
    if other.network.head_layers > 1 or not face_set.channels:
        raise ConfigError(f"init_from {uri}: its head {face_set.head} is no single layer of curves")
    if other.network.convert_at != 1:
        raise ConfigError(f"init_from {uri}: its decoder does not read its encoder's features")
    if described.encoder != encoder_space(other):
        raise ConfigError(
            f"init_from {uri}: its decoder reads its own encoder, but the corpus has the features"
            f" of {described.encoder.name}: prepare it with encoder: {uri}"
        )
    if described.fps != face_set.fps:
        raise ConfigError(
            f"init_from {uri}: its set {other.default_set} moves at {face_set.fps:g} fps, this"
            f" network at {described.fps:g}: set network.fps"
        )


def _check_shapes(uri: str, model: FaceModel, state: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not the network's; a residual may be missing."""
    needed = {
        key: tuple(value.shape)
        for key, value in model.state_dict().items()
        if key in state or not key.startswith("expression.")
    }
    problem = differences(needed, state)
    if problem:
        raise ConfigError(f"init_from {uri} has another network: {problem}")
