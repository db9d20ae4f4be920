"""UniTalker: waveforms to the motion of any data set that it was trained on.

Conventions: audio is mono at 16 kHz, as fed to the network (`encoders.normalize` comes first where
the encoder wants it). The numbers of a head are those of its data set, blendshape weights or FLAME
parameters or vertex coordinates, less a speaker's template. This module knows no files.

Source: UniTalker, arXiv 2408.00762.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from unitaf.face.decoder import (
    FrameGrid,
    PcaBasis,
    TcnDecoder,
    TransformerDecoder,
    length_mask,
    make_head,
)
from unitaf.face.encoders import SpeechEncoder, num_steps, wav2vec2, wavlm

ENCODERS = {"wavlm": wavlm, "wav2vec2": wav2vec2}


@dataclass(frozen=True)
class EncoderSizes:
    """The sizes of a speech encoder."""

    dim: int
    num_layers: int
    num_heads: int
    feedforward_dim: int
    conv_dim: int


BASE = EncoderSizes(768, 12, 12, 3072, 512)
"""WavLM-base-plus, in UniTalker-B."""
LARGE = EncoderSizes(1024, 24, 16, 4096, 512)
"""wav2vec 2.0 XLSR-53, in UniTalker-L."""


@dataclass(frozen=True)
class Network:
    """Everything that decides the shape of a UniTalker network."""

    encoder: Literal["wavlm", "wav2vec2"]
    sizes: EncoderSizes
    num_styles: int
    """Rows of the style table, the pivot included."""
    head_sizes: Mapping[str, int]
    """Numbers of a frame by the name of the head, in the order of the file."""
    head_layers: int = 1
    decoder: Literal["tcn", "transformer"] = "tcn"
    decoder_dim: int = 256
    style_dim: int = 64
    """Of the convolutional decoder; the other's styles are as wide as itself."""
    period: int = 30
    """Frames after which the sinusoid of the transformer decoder repeats."""
    convert_at: Literal[0, 1, 2] = 1
    """Where steps become frames: 0 before the encoder's transformer, 1 after, 2 before the head."""


class UniTalker(nn.Module):
    """Waveforms and styles in, the numbers of one head out, at any frame grid.

    Args:
        encoder: Waveform to features at 50 steps a second.
        decoder: Features and style to motion features.
        heads: Motion features to numbers, by name.
        bases: The linear space of the heads that predict in one, by the head's name.
        convert_at: Where steps become frames: 0 after the encoder's convolutions, 1 after its
            transformer, 2 after the decoder. The published models have 1.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        decoder: TcnDecoder | TransformerDecoder,
        heads: Mapping[str, nn.Module],
        bases: Mapping[str, PcaBasis],
        convert_at: Literal[0, 1, 2] = 1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.heads = nn.ModuleDict(heads)
        self.bases = nn.ModuleDict(bases)
        self.convert_at = convert_at

    @property
    def num_styles(self) -> int:
        """Rows of the style table; the last is the pivot."""
        return self.decoder.styles.num_embeddings

    def forward(
        self,
        waveforms: Float[Tensor, "batch samples"],
        num_samples: Sequence[int],
        grid: FrameGrid,
        style_ids: Int[Tensor, " batch"],
        head: str,
    ) -> Float[Tensor, "batch frames size"]:
        """Return the head's numbers; padded frames come out as anything."""
        device = waveforms.device
        hidden = self.encoder.convolve(waveforms, num_samples)
        steps = [num_steps(length) for length in num_samples]
        mask, frame_mask = length_mask(steps, max(steps)).to(device), grid.mask.to(device)
        if self.convert_at == 0:
            hidden, mask = grid.read(hidden), frame_mask
        hidden = self.encoder.transform(hidden, mask)
        if self.convert_at == 1:
            hidden, mask = grid.read(hidden), frame_mask
        hidden = self.decoder(hidden, mask, style_ids)
        if self.convert_at == 2:
            hidden = grid.read(hidden)
        numbers: Tensor = self.heads[head](hidden)
        return numbers

    def displacements(
        self, head: str, numbers: Float[Tensor, "batch frames size"]
    ) -> Float[Tensor, "batch frames raw"]:
        """Return what is added to the template: the head's numbers, decoded where they are PCA."""
        if head not in self.bases:
            return numbers
        basis = self.bases[head]
        assert isinstance(basis, PcaBasis)
        return basis.decode(numbers)


def build_unitalker(network: Network, bases: Mapping[str, PcaBasis] | None = None) -> UniTalker:
    """Return a UniTalker network with random weights."""
    sizes = network.sizes
    encoder = ENCODERS[network.encoder](
        sizes.dim, sizes.num_layers, sizes.num_heads, sizes.feedforward_dim, sizes.conv_dim
    )
    decoder = (
        TcnDecoder(sizes.dim, network.num_styles, network.decoder_dim, network.style_dim)
        if network.decoder == "tcn"
        else TransformerDecoder(sizes.dim, network.num_styles, network.decoder_dim, network.period)
    )
    heads = {
        name: make_head(network.decoder_dim, size, network.head_layers)
        for name, size in network.head_sizes.items()
    }
    return UniTalker(encoder, decoder, heads, bases or {}, network.convert_at)


_PUBLISHED_PARTS = (
    ("encoder.", "audio_encoder."),
    ("decoder.styles.", "decoder.learnable_style_emb."),
    ("decoder.project.", "decoder.audio_feature_map."),
    ("decoder.blocks.", "decoder.tcn.first_net.conv_layers."),
    ("decoder.layer.", "decoder.transformer_decoder.layers.0."),
    ("heads.", "out_head_dict."),
)


def published_key(key: str) -> str:
    """Return the name that a parameter of ours has in a published checkpoint."""
    for ours, theirs in _PUBLISHED_PARTS:
        if key.startswith(ours):
            key = theirs + key.removeprefix(ours)
            break
    if key.startswith("out_head_dict."):
        prefix, head, *layer, kind = key.split(".")
        return ".".join([prefix, head, *(["head_layer", *layer] if layer else []), kind])
    return key.replace(".shortcut.", ".residual_layer.0.")


def published_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the keys and shapes of the published checkpoint that would fit a network.

    PCA is not part of a published file.
    """
    return {
        published_key(key): tuple(value.shape)
        for key, value in model.state_dict().items()
        if not key.startswith("bases.")
    }


def from_published(model: nn.Module, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a network from tensors under their published names.

    Raises:
        ValueError: Saying which keys are missing, unexpected or of the wrong shape.
    """
    found = {_parametrized(key): value for key, value in published.items() if _is_weight(key)}
    problem = differences(published_shapes(model), found)
    if problem:
        raise ValueError(problem)
    kept = {key: value for key, value in model.state_dict().items() if key.startswith("bases.")}
    ours = {key: published_key(key) for key in model.state_dict() if key not in kept}
    return {**kept, **{key: found[name].float() for key, name in ours.items()}}


def differences(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, Tensor]) -> str:
    """Return what keeps tensors from being the expected ones, as a phrase; empty if nothing."""
    wrong = [
        f"{key} {list(found[key].shape)} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key].shape) != shape
    ]
    problems = [
        _some("missing", sorted(expected.keys() - found.keys())),
        _some("unexpected", sorted(found.keys() - expected.keys())),
        _some("of the wrong shape", wrong),
    ]
    return "; ".join(problem for problem in problems if problem)


def _parametrized(key: str) -> str:
    """Return a key with weight norm in the spelling of newer torch."""
    head, _, last = key.rpartition(".")
    spelling = {"weight_g": "original0", "weight_v": "original1"}
    return f"{head}.parametrizations.weight.{spelling[last]}" if last in spelling else key


def _is_weight(key: str) -> bool:
    """Tell weights from what is computed or comes from elsewhere: a sinusoid table, and PCA."""
    return key != "decoder.PPE.pe" and not key.startswith("pca_layer_dict.")


def _some(what: str, names: Sequence[str]) -> str:
    """Return a phrase that names the first few of a kind of problem."""
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {what} ({', '.join(names[:3])}{more})"
