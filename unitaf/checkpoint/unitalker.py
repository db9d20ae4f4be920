"""UniTalker's networks as checkpoints; `checkpoint.conversion` makes one of a published file.

    checkpoint.json       the network, data sets, style rows, channels, rates and terms
    weights.safetensors   the network, its PCA bases (``bases.*``) and templates (``templates.*``)

A checkpoint is a folder of this machine, written whole or not at all.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unitaf.checkpoint.description import FeatureSpace
from unitaf.checkpoint.devices import check_device
from unitaf.checkpoint.files import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    Described,
    parse_description,
)
from unitaf.errors import ConfigError, StorageError
from unitaf.face.decoder import PcaBasis
from unitaf.face.encoders import SAMPLE_RATE, STEP_RATE
from unitaf.face.recordings import RecordingAnimator, Target
from unitaf.face.unitalker import Network, UniTalker, build_unitalker, differences

PIVOT = "pivot"


class FaceSet(Described):
    """A data set that a checkpoint was trained on: a head and the speakers who use it."""

    head: str
    raw_size: int = Field(ge=1, description="Numbers of a frame of motion.")
    fps: float = Field(gt=0, description="The rate that the head was trained at.")
    scale: float = Field(description="What the set's own unit was multiplied by in training.")
    channels: tuple[str, ...] = Field(description="Names of the numbers; empty: not curves.")
    num_styles: int = Field(ge=1, description="Its speakers.")
    first_style: int | None = Field(description="The row of the first; null: not known.")
    default_style: int = Field(ge=0, description="The speaker of the set who stands for it.")
    template: str | None = Field(description="Whose face at rest is stored; null: none is.")


class Description(Described):
    """What a UniTalker checkpoint says about itself."""

    format: Literal[1] = 1
    kind: Literal["unitalker"] = "unitalker"
    source: str = Field(description="The file that it was converted from.")
    source_sha256: str
    weights_sha256: str
    licence: str
    sample_rate: int = Field(description="Hz of the audio that goes in.")
    network: Network
    sets: dict[str, FaceSet]
    default_set: str | None = Field(description="The set that is meant where none is named.")
    style_rows: str = Field(description="How it is known which row is whose.")
    bases: dict[str, str] = Field(description="Where the PCA basis of a head came from.")

    @property
    def pivot_style(self) -> int:
        """The row that is nobody's own style: the last."""
        return self.network.num_styles - 1


@dataclass(frozen=True, eq=False)
class UniTalkerCheckpoint:
    """A UniTalker network and what it knows about faces."""

    description: Description
    model: UniTalker
    templates: Mapping[str, Tensor]
    """By the name of the set."""

    def target(self, style: str = PIVOT) -> tuple[FaceSet, Target]:
        """Return the set and the speaker that a style names.

        Args:
            style: ``pivot``, with the default set; a set (``D6``) for the speaker who stands for
                it; a set and one of its speakers (``D6/3``) or the pivot (``D6/pivot``); or a row
                of the style table, with the default set.

        Raises:
            ConfigError: If there is no such style, or its set lacks the data release.
        """
        name, row = _parse_style(self.description, style)
        face_set = self.description.sets[name]
        if name not in self.templates or lacks_basis(self.description, face_set):
            raise ConfigError(
                f"set {name} needs its template and PCA basis: convert with the data release"
            )
        template = self.templates[name].numpy()
        return face_set, Target(face_set.head, row, face_set.fps, template)

    def animator(self, style: str = PIVOT) -> RecordingAnimator:
        """Return the animator of recordings in a style; see `target`.

        Raises:
            ConfigError: If there is no such style or its set has no blendshape curves.
        """
        face_set, target = self.target(style)
        if not face_set.channels:
            raise ConfigError(f"the head {face_set.head} does not predict blendshape curves")
        fingerprint = f"unitalker {self.description.weights_sha256[:16]}"
        return RecordingAnimator(
            self.model, target, face_set.channels, fingerprint, self.description.licence
        )


def load_checkpoint(folder: Path, device: str = "cpu") -> UniTalkerCheckpoint:
    """Load a checkpoint of ours, in evaluation mode.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    described, file = read_description(folder), folder / WEIGHTS_FILE
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if file_sha256(file) != described.weights_sha256:
        raise ConfigError(f"{file} is damaged: it has another hash than described")
    return assemble(described, tensors, device, folder)


def assemble(
    described: Description, tensors: Mapping[str, Tensor], device: str, source: Path
) -> UniTalkerCheckpoint:
    """Return a checkpoint, in evaluation mode.

    Args:
        described: What it says about itself.
        tensors: What it holds.
        device: Where the network is put.
        source: What an error calls it.

    Raises:
        ConfigError: If the tensors are not those of the network, or there is no such device.
    """
    check_device(device)
    weights = dict(tensors)
    templates = {
        key.removeprefix("templates."): weights.pop(key)
        for key in tensors
        if key.startswith("templates.")
    }
    for head in described.bases:
        if not {f"bases.{head}.basis", f"bases.{head}.mean"} <= weights.keys():
            raise ConfigError(f"{source} lacks the PCA basis of {head} that it describes")
    bases = {
        head: PcaBasis(weights[f"bases.{head}.basis"], weights[f"bases.{head}.mean"])
        for head in described.bases
    }
    with torch.device("meta"):
        model = build_unitalker(described.network, bases)
    problem = differences({k: tuple(v.shape) for k, v in model.state_dict().items()}, weights)
    if problem:
        raise ConfigError(f"{source} does not hold the network that it describes: {problem}")
    model.load_state_dict(weights, assign=True)
    return UniTalkerCheckpoint(described, model.eval().to(device), templates)


def encoder_space(described: Description) -> FeatureSpace:
    """Say which features a checkpoint's audio encoder gives."""
    name = f"unitalker/{described.network.encoder} weights={described.weights_sha256[:16]}"
    return FeatureSpace(name=name, dim=described.network.sizes.dim, rate=STEP_RATE)


def write_checkpoint(out: Path, described: Description, state: Mapping[str, Tensor]) -> Description:
    """Write a checkpoint beside its place and move it there.

    Args:
        out: The folder to make.
        described: Without the weights' hash.
        state: The network's tensors, with ``templates.*`` of the sets that have one.

    Returns:
        The description as written.

    Raises:
        ConfigError: If the folder exists.
        StorageError: If it cannot be written.
    """
    try:
        if out.exists():
            raise ConfigError(f"{out} exists already: give the name of a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            folder = Path(scratch) / out.name
            folder.mkdir()
            save_file({k: v.contiguous() for k, v in state.items()}, folder / WEIGHTS_FILE)
            digest = file_sha256(folder / WEIGHTS_FILE)
            complete = described.model_copy(update={"weights_sha256": digest})
            (folder / DESCRIPTION_FILE).write_text(complete.model_dump_json(indent=2) + "\n")
            folder.rename(out)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}") from error
    except SafetensorError as error:
        raise StorageError(f"cannot write {out}: {error}") from error
    return complete


def read_description(folder: Path) -> Description:
    """Read what a checkpoint says about itself, and nothing else of it.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    file = folder / DESCRIPTION_FILE
    if not file.is_file():
        raise ConfigError(f"{folder} is not a checkpoint: it has no {DESCRIPTION_FILE}")
    return parse_unitalker(file.read_bytes(), str(file))


def parse_unitalker(data: bytes, file: str) -> Description:
    """Return what a description file says; an error calls the file by its name.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    description = parse_description(Description, data, file)
    if description.sample_rate != SAMPLE_RATE:
        raise ConfigError(
            f"{file}: the checkpoint reads audio at {description.sample_rate} Hz, but its encoder "
            f"{description.network.encoder} exists only at {SAMPLE_RATE} Hz"
        )
    return description


def describe_unitalker(described: Description) -> str:
    """Return what a checkpoint says about itself as lines for a person to read."""
    network = described.network
    lines = [
        f"{described.kind}, from {described.source} (sha256 {described.source_sha256[:16]})",
        f"encoder {network.encoder}, {network.sizes.num_layers} layers of {network.sizes.dim}; "
        f"decoder {network.decoder} of {network.decoder_dim}; audio at {described.sample_rate} Hz",
        f"{network.num_styles} style rows, the pivot is {described.pivot_style}; whose row is "
        f"whose: {described.style_rows}",
        f"licence: {described.licence}",
    ]
    for name, face_set in described.sets.items():
        rows = "rows not known"
        if face_set.first_style is not None:
            last = face_set.first_style + face_set.num_styles - 1
            rows = f"rows {face_set.first_style} to {last}"
        kind = f"{len(face_set.channels)} curves" if face_set.channels else "no curves"
        basis = "; its PCA basis is missing" if lacks_basis(described, face_set) else ""
        default = "; the default" if name == described.default_set else ""
        lines.append(
            f"{name}: {face_set.head}, {kind}, {face_set.fps:g} fps, {rows}, "
            f"template: {face_set.template or 'missing'}{basis}{default}"
        )
    return "\n".join(lines)


def lacks_basis(description: Description, face_set: FaceSet) -> bool:
    """Say whether a set's head predicts in a PCA basis that the checkpoint does not hold."""
    size = description.network.head_sizes[face_set.head]
    return size != face_set.raw_size and face_set.head not in description.bases


def _parse_style(description: Description, style: str) -> tuple[str, int]:
    """Return the set and the row that a style names."""
    name, _, speaker = style.partition("/")
    if name in description.sets:
        row = _speaker_row(description, name, speaker)
    else:
        name = description.default_set or ""
        row = description.pivot_style if style == PIVOT else _number(style)
    if name not in description.sets or not 0 <= row <= description.pivot_style:
        raise ConfigError(
            f"there is no style {style!r}: use {PIVOT}, a row from 0 to {description.pivot_style}, "
            f"a set ({', '.join(description.sets)}), or a set and a speaker of it such as D6/3"
        )
    return name, row


def _speaker_row(description: Description, name: str, speaker: str) -> int:
    """Return the row of a speaker of a set; -1 if there is none."""
    face_set = description.sets[name]
    if speaker == PIVOT:
        return description.pivot_style
    if face_set.first_style is None:
        raise ConfigError(f"which rows are those of set {name} is not known: use a row's number")
    within = _number(speaker or str(face_set.default_style))
    return face_set.first_style + within if 0 <= within < face_set.num_styles else -1


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def file_sha256(file: Path) -> str:
    """Return the hash of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
