"""UniTalker's networks as checkpoints; `convert_unitalker` makes one of a published file.

    checkpoint.json       the network, data sets, style rows, channels, rates and terms
    weights.safetensors   the network, its PCA bases (``bases.*``) and templates (``templates.*``)

A checkpoint is a folder of this machine, written whole or not at all.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unitaf.checkpoint.files import DESCRIPTION_FILE, WEIGHTS_FILE, Described, first_problem
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
from unitaf.face.recordings import RecordingAnimator, Target
from unitaf.face.unitalker import (
    Network,
    UniTalker,
    build_unitalker,
    differences,
    from_published,
)

PIVOT = "pivot"
DEFAULT_SETS = ("D6", "D7", "D3", "D4")
"""The first of these that a network has is meant where no set is named: D6 is speech, D7 songs."""
LICENCE = "UniTalker's published weights state no licence: research only until cleared"


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
        if name not in self.templates or _lacks_basis(self.description, face_set):
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
    """
    described, state = _from_published_file(source, release, set_order)
    return write_checkpoint(out, described, state)


def load_unitalker(path: Path, device: str = "cpu") -> UniTalkerCheckpoint:
    """Load a checkpoint of ours, or a published file as `convert_unitalker` would make it one.

    Args:
        path: Our folder, or the published file.
        device: Where the network is put.

    Returns:
        The network, in evaluation mode.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    if path.is_file():
        described, tensors = _from_published_file(path, None, None)
        described = described.model_copy(update={"weights_sha256": described.source_sha256})
    else:
        described, tensors = read_description(path), _read_weights(path / WEIGHTS_FILE)
    templates = {
        key.removeprefix("templates."): tensors.pop(key)
        for key in list(tensors)
        if key.startswith("templates.")
    }
    bases = {
        head: PcaBasis(tensors[f"bases.{head}.basis"], tensors[f"bases.{head}.mean"])
        for head in described.bases
    }
    with torch.device("meta"):
        model = build_unitalker(described.network, bases)
    problem = differences({k: tuple(v.shape) for k, v in model.state_dict().items()}, tensors)
    if problem:
        raise ConfigError(f"{path} does not hold the network that it describes: {problem}")
    model.load_state_dict(tensors, assign=True)
    return UniTalkerCheckpoint(described, model.eval().to(device), templates)


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
    """
    if out.exists():
        raise ConfigError(f"{out} exists already: give the name of a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        save_file({k: v.contiguous() for k, v in state.items()}, folder / WEIGHTS_FILE)
        digest = _sha256(folder / WEIGHTS_FILE)
        complete = described.model_copy(update={"weights_sha256": digest})
        (folder / DESCRIPTION_FILE).write_text(complete.model_dump_json(indent=2) + "\n")
        folder.rename(out)
    return complete


def read_description(folder: Path) -> Description:
    """Read what a checkpoint says about itself, and nothing else of it.

    Raises:
        ConfigError: Saying in one sentence what is wrong.
    """
    file = folder / DESCRIPTION_FILE
    if not file.is_file():
        raise ConfigError(f"{folder} is not a checkpoint: it has no {DESCRIPTION_FILE}")
    try:
        description = Description.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ConfigError(f"{file}: {first_problem(error)}") from error
    if description.sample_rate != SAMPLE_RATE:
        raise ConfigError(
            f"{file}: the checkpoint reads audio at {description.sample_rate} Hz, but its encoder "
            f"{description.network.encoder} exists only at {SAMPLE_RATE} Hz"
        )
    return description


def describe_unitalker(folder: Path) -> str:
    """Return what a checkpoint says about itself as lines for a person to read.

    Raises:
        ConfigError: If it is not a checkpoint.
    """
    described = read_description(folder)
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
        basis = "; its PCA basis is missing" if _lacks_basis(described, face_set) else ""
        default = "; the default" if name == described.default_set else ""
        lines.append(
            f"{name}: {face_set.head}, {kind}, {face_set.fps:g} fps, {rows}, "
            f"template: {face_set.template or 'missing'}{basis}{default}"
        )
    return "\n".join(lines)


def _from_published_file(
    source: Path, release: Path | None, set_order: Sequence[str] | None
) -> tuple[Description, dict[str, Tensor]]:
    """Return what our checkpoint of a published file says and holds."""
    published = read_published(source)
    network = published_network(published)
    order = sets_of(network) if set_order is None else list(set_order)
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
        source_sha256=_sha256(source),
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


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error


def _describe_sets(
    source: Path, network: Network, order: Sequence[str], release: Path | None
) -> dict[str, FaceSet]:
    """Return the description of each data set of a published network."""
    unknown = [name for name in order if name not in sets_of(network)]
    if unknown:
        raise ConfigError(f"{source} has no head for the data set {unknown[0]!r}")
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


def _lacks_basis(description: Description, face_set: FaceSet) -> bool:
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


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
