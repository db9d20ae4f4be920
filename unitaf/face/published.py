"""UniTalker's published checkpoints and data release: what is in them and how it is read safely.

A published file is a plain dict of tensors without a word about itself: the encoder, the data sets
and whose row of the style table is whose must be worked out from names, shapes and order.
"""

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from unitaf.errors import ConfigError
from unitaf.face.decoder import PcaBasis
from unitaf.face.unitalker import BASE, LARGE, Network
from unitaf.rigs.arkit import UNITALKER_51, UNITALKER_52

STYLES_KEY = "decoder.learnable_style_emb.weight"
HEADS_PREFIX = "out_head_dict."
MAX_PCA_DIM = 512

_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, LookupError,
    AssertionError, UserWarning, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What torch raises at a file that is not one of tensors, or no longer whole."""
_NO_ARRAYS = (OSError, ValueError, TypeError, LookupError, EOFError, zipfile.BadZipFile)
"""What numpy raises at a file that does not hold what is looked for in it."""


@dataclass(frozen=True)
class DataSet:
    """One set of A2F-Bench, on which the published models were trained."""

    head: str
    num_styles: int
    """Its speakers; each has a row in the style table."""
    default_style: int
    """The speaker who stands for the set: published demos use this template and style."""
    fps: float
    scale: float
    """What the set's own unit was multiplied by in training."""
    folder: str
    """Where it lies in the data release."""
    raw_size: int
    """Numbers of a frame; a vertex head predicts fewer, in its PCA basis."""
    channels: tuple[str, ...] = ()
    """Names of the head's numbers, where they are blendshape curves."""


DATA_SETS = {
    "D0": DataSet("BIWI_23370_vertices", 6, 3, 25.0, 0.2, "D0_BIWI", 70110),
    "D1": DataSet("FLAME_5023_vertices", 12, 3, 30.0, 1.0, "D1_vocaset", 15069),
    "D2": DataSet("meshtalk_6172_vertices", 13, 0, 30.0, 0.001, "D2_meshtalk", 18516),
    "D3": DataSet(
        "3DETF_blendshape_weight", 141, 0, 30.0, 1.0, "D3D4_3DETF/D3_HDTF", 52, UNITALKER_52
    ),
    "D4": DataSet(
        "3DETF_blendshape_weight", 24, 0, 30.0, 1.0, "D3D4_3DETF/D4_RAVDESS", 52, UNITALKER_52
    ),
    "D5": DataSet(
        "flame_params_from_dadhead", 719, 0, 30.0, 1.0, "D5_unitalker_faceforensics++", 413
    ),
    "D6": DataSet(
        "inhouse_blendshape_weight",
        8,
        4,
        30.0,
        1.0,
        "D6_unitalker_Chinese_speech",
        51,
        UNITALKER_51,
    ),
    "D7": DataSet(
        "inhouse_blendshape_weight", 11, 0, 30.0, 1.0, "D7_unitalker_song", 51, UNITALKER_51
    ),
}


def read_published(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint; nothing in the file is ever run.

    Raises:
        ConfigError: If the file is missing or holds anything but tensors by name.
    """
    if file.is_dir():
        raise ConfigError(f"{file} is a folder: name the published file in it")
    if not file.is_file():
        raise ConfigError(f"{file} does not exist")
    try:
        with warnings.catch_warnings(action="error"):  # It warns of what torch never writes.
            tensors = torch.load(
                file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file)
            )
    except _UNREADABLE as error:
        raise ConfigError(
            f"{file} was refused: it is not a PyTorch file that holds tensors alone, or not a "
            "whole one, and anything else could run code when it is read"
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in tensors.items()
    ):
        raise ConfigError(f"{file} is not a UniTalker checkpoint: not a plain dict of tensors")
    return tensors


def published_network(tensors: Mapping[str, Tensor]) -> Network:
    """Return the network that a published checkpoint was saved from, base or large.

    Parts that a broken file lacks are taken to be as published, so that `from_published` can name
    what is missing.
    """
    is_base = any(key.endswith(".gru_rel_pos_const") for key in tensors)
    is_tcn = not any(key.startswith("decoder.transformer_decoder.") for key in tensors)
    styles = tensors.get(STYLES_KEY, torch.empty(935, 64 if is_tcn else 256))
    num_styles, style_dim = styles.shape if styles.ndim == 2 else (935, 64)
    head_sizes: dict[str, int] = {}
    head_layers = 1
    for key, value in tensors.items():
        if key.startswith(HEADS_PREFIX) and key.endswith(".bias"):
            _, head, *layer = key.split(".")
            head_sizes[head] = value.shape[0]
            if layer[0] == "head_layer":
                head_layers = max(head_layers, int(layer[1]) // 2 + 1)
    return Network(
        encoder="wavlm" if is_base else "wav2vec2",
        sizes=BASE if is_base else LARGE,
        num_styles=num_styles,
        head_sizes=head_sizes,
        head_layers=head_layers,
        decoder="tcn" if is_tcn else "transformer",
        style_dim=style_dim,
    )


def sets_of(network: Network) -> list[str]:
    """Return the data sets of a network, in the order in which its heads were made."""
    return [
        name
        for head in network.head_sizes
        for name, data_set in DATA_SETS.items()
        if data_set.head == head
    ]


def first_styles(set_order: Sequence[str], num_styles: int) -> dict[str, int]:
    """Return the first row of each set in the style table, or nothing if the counts do not fit.

    Rows follow the configured order of the data sets, and so do the heads in the file. The base
    file has D0 to D7; the large one, by its heads, D3, D4, D1, D0, D5, D6, D7, D2, although the
    published demo reads its rows as D0 to D7. The last row, the pivot, belongs to none.
    """
    counts = [DATA_SETS[name].num_styles for name in set_order]
    if sum(counts) + 1 != num_styles:
        return {}
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    return dict(zip(set_order, starts, strict=True))


def read_template(release: Path, name: str) -> Float32[np.ndarray, " raw"]:
    """Return the template of a set's default speaker from the data release, in training's unit.

    Raises:
        ConfigError: If the file is missing or not an array of speakers of the set's size.
    """
    data_set = DATA_SETS[name]
    file = release / data_set.folder / "id_template.npy"
    try:
        with file.open("rb") as stream:
            templates = np.load(stream, allow_pickle=False)
            template = templates[data_set.default_style].ravel() * data_set.scale
    except _NO_ARRAYS as error:
        raise ConfigError(f"{file} cannot be read as templates by speaker: {error}") from error
    if template.size != data_set.raw_size:
        raise ConfigError(
            f"{file} holds {template.size} numbers a speaker; {name} has {data_set.raw_size}"
        )
    return np.asarray(template, np.float32)


def read_basis(release: Path, name: str) -> PcaBasis:
    """Return the linear space of a vertex set from the data release.

    Raises:
        ConfigError: If the file is missing or lacks one of its arrays.
    """
    file = release / DATA_SETS[name].folder / "pca.npz"
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            basis, mean = arrays["components_to_data"], arrays["original_data_mean"]
    except _NO_ARRAYS as error:
        raise ConfigError(f"{file} cannot be read as a PCA basis: {error}") from error
    tensors = [torch.from_numpy(np.asarray(array, np.float32)) for array in (basis, mean.ravel())]
    return PcaBasis(tensors[0], tensors[1], MAX_PCA_DIM)
