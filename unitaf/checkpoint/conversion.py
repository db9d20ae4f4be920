"""UniTalker's published files as checkpoints of ours: checked, converted, or used as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from unitaf.checkpoint.files import DESCRIPTION_FILE
from unitaf.checkpoint.unitalker import (
    Description,
    FaceSet,
    UniTalkerCheckpoint,
    assemble,
    file_sha256,
    load_checkpoint,
    write_checkpoint,
)
from unitaf.errors import ConfigError
from unitaf.face.decoder import PcaBasis
from unitaf.face.encoders import SAMPLE_RATE
from unitaf.face.published import (
    DATA_SETS,
    first_styles,
    published_network,
    read_basis,
    read_published,
    read_template,
    sets_of,
)
from unitaf.face.unitalker import Network, build_unitalker, from_published

DEFAULT_SETS = ("D6", "D7", "D3", "D4")
"""The first of these that a network has is meant where no set is named: D6 is speech, D7 songs."""
LICENCE = "UniTalker's published weights state no licence: research only until cleared"


def convert_unitalker(
    source: Path,
    out: Path,
    release: Path | None = None,
    set_order: Sequence[str] | None = None,
) -> Description:
    """Convert a published UniTalker checkpoint to ours.

    Args:
        source: The published file.
        out: The folder to make.
        release: The unpacked data release, for templates and PCA bases. Without it the face at
            rest is zero for sets of curves, and the other sets cannot be used.
        set_order: The data sets in the order of their rows in the style table, where that is known
            better than from the order of the heads.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
        StorageError: If the folder cannot be written.
    """
    described, state = _from_published_file(source, release, set_order)
    return write_checkpoint(out, described, state)


def load_unitalker(path: Path, device: str = "cpu") -> UniTalkerCheckpoint:
    """Load a checkpoint of ours, or a published file as `convert_unitalker` would make it one.

    Args:
        path: Our folder, or the published file.
        device: Where the network is put: ``cpu``, ``cuda`` or ``cuda:1``.

    Returns:
        The network, in evaluation mode.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    if not path.is_file():
        return load_checkpoint(path, device)
    if (path.parent / DESCRIPTION_FILE).is_file():
        raise ConfigError(f"{path} is a part of a checkpoint: name the folder {path.parent}")
    described, tensors = _from_published_file(path, None, None)
    described = described.model_copy(update={"weights_sha256": described.source_sha256})
    return assemble(described, tensors, device, path)


def _from_published_file(
    source: Path, release: Path | None, set_order: Sequence[str] | None
) -> tuple[Description, dict[str, Tensor]]:
    """Return what our checkpoint of a published file says and holds."""
    published = read_published(source)
    network = published_network(published)
    order = _order_of_sets(source, network, set_order)
    sets = _describe_sets(source, network, order, release)
    bases = {} if release is None else _read_bases(release, network, sets)
    with torch.device("meta"):
        model = build_unitalker(network, bases)
    try:
        state = from_published(model, published)
    except ValueError as error:
        raise ConfigError(f"{source} is not a UniTalker checkpoint: {error}") from error
    for name, face_set in sets.items():
        if release is not None:
            state[f"templates.{name}"] = torch.from_numpy(read_template(release, name))
        elif face_set.template is not None:
            state[f"templates.{name}"] = torch.zeros(face_set.raw_size)
    rows_known = "given" if set_order is not None else "from the order of the heads in the file"
    described = Description(
        source=source.name,
        source_sha256=file_sha256(source),
        weights_sha256="",
        licence=LICENCE,
        sample_rate=SAMPLE_RATE,
        network=network,
        sets=sets,
        default_set=next((name for name in DEFAULT_SETS if name in sets), None),
        style_rows=rows_known if first_styles(order, network.num_styles) else "not known",
        bases={head: f"pca.npz of the data release, {head}" for head in bases},
    )
    return described, state


def _order_of_sets(
    source: Path, network: Network, set_order: Sequence[str] | None
) -> Sequence[str]:
    """Return the data sets by their rows in the style table, as given or by the heads' order."""
    known = sets_of(network)
    if set_order is None:
        return known
    for name in set_order:
        if name not in known:
            raise ConfigError(f"{source} has no head for the data set {name!r}")
        if set_order.count(name) > 1:
            raise ConfigError(f"the order of the data sets names {name} more than once")
    if not first_styles(set_order, network.num_styles):
        speakers = sum(DATA_SETS[name].num_styles for name in set_order)
        raise ConfigError(
            f"the data sets {','.join(set_order)} have {speakers} speakers, but {source} has"
            f" {network.num_styles - 1} rows of styles besides the pivot"
        )
    return set_order


def _describe_sets(
    source: Path, network: Network, order: Sequence[str], release: Path | None
) -> dict[str, FaceSet]:
    """Return the description of each data set of a published network."""
    first = first_styles(order, network.num_styles)
    sets = {}
    for name in order:
        known = DATA_SETS[name]
        size = network.head_sizes[known.head]
        if known.channels and size != known.raw_size:
            raise ConfigError(
                f"{source}: the head {known.head} has {size} numbers instead of {known.raw_size}"
            )
        template = "zero" if known.channels else None
        sets[name] = FaceSet(
            head=known.head,
            raw_size=known.raw_size,
            fps=known.fps,
            scale=known.scale,
            channels=known.channels,
            num_styles=known.num_styles,
            first_style=first.get(name),
            default_style=known.default_style,
            template=template if release is None else f"speaker {known.default_style}",
        )
    return sets


def _read_bases(
    release: Path, network: Network, sets: Mapping[str, FaceSet]
) -> dict[str, PcaBasis]:
    bases = {}
    for name, face_set in sets.items():
        size = network.head_sizes[face_set.head]
        if size == face_set.raw_size:
            continue
        basis = bases[face_set.head] = read_basis(release, name)
        if basis.basis.shape != (size, face_set.raw_size):
            raise ConfigError(
                f"the PCA basis of {name} has shape {list(basis.basis.shape)} instead of "
                f"{[size, face_set.raw_size]}, which the head needs"
            )
    return bases
