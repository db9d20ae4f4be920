"""From codes and latents to content at the mel rate, and the networks of the file that does it.

`FeatureLayer` gives what the face is driven by. Conventions: codes come at 50 a second, mel frames
at 22050 / 256; a batch is padded at the right, and what lies behind a line changes nothing.
"""

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from unitaf.tts.indextts2.cfm import Flow
from unitaf.tts.indextts2.conformer import frame_mask
from unitaf.tts.indextts2.sizes import SPEECH_FEATURE_DIM, S2MelSizes

MEL_FRAMES_A_CODE = 1.72
"""The reference's ratio; the exact one is 22050 / 256 / 50 = 1.7227."""

_FEATURE_WIDTHS = (256, 128)
_NUM_CONVOLUTIONS = 4
_EPS = 1e-5


class SemanticToMel(nn.Module):
    """The networks of the published ``s2mel.pth``, under its keys with weight norm folded.

    Args:
        sizes: Published or reduced sizes.
    """

    def __init__(self, sizes: S2MelSizes) -> None:
        super().__init__()
        self.gpt_layer = FeatureLayer(sizes.latent_dim)
        self.length_regulator = LengthRegulator(sizes.content_dim)
        self.cfm = Flow(sizes)


class FeatureLayer(nn.Sequential):
    """Latents of the GPT to the features that s2mel and the face read: three linear layers.

    There is nothing between the layers, so the features hold no more than the 128 numbers of the
    middle.

    Args:
        latent_dim: Width of the GPT.
    """

    def __init__(self, latent_dim: int) -> None:
        first, second = _FEATURE_WIDTHS
        super().__init__(
            nn.Linear(latent_dim, first),
            nn.Linear(first, second),
            nn.Linear(second, SPEECH_FEATURE_DIM),
        )


class LengthRegulator(nn.Module):
    """Vectors at the code rate to content at the mel rate: nearest neighbour, then convolutions.

    Args:
        width: Of the content.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.content_in_proj = nn.Linear(SPEECH_FEATURE_DIM, width)
        layers: list[nn.Module] = []
        for _ in range(_NUM_CONVOLUTIONS):
            layers += [nn.Conv1d(width, width, 3, padding=1), LineNorm(width), nn.Mish()]
        self.model = nn.ModuleList([*layers, nn.Conv1d(width, width, 1)])

    def forward(
        self,
        vectors: Float[Tensor, "batch steps feature"],
        lengths: Int[Tensor, " batch"],
        frames: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch frames content"]:
        """Stretch every line from its steps to its frames; zero behind the end."""
        index = nearest_index(lengths, frames)[..., None]
        content: Tensor = self.content_in_proj(vectors)
        content = content.gather(1, index.expand(-1, -1, content.shape[-1])).transpose(1, 2)
        mask = frame_mask(frames, index.shape[1])[:, None]
        for start in range(0, len(self.model) - 1, 3):
            convolution, norm, activation = self.model[start : start + 3]
            content = activation(norm(convolution(content * mask), mask))
        content = self.model[-1](content) * mask
        return content.transpose(1, 2)


class LineNorm(nn.Module):
    """Group norm with one group: over all channels and frames of a line (Wu and He 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(
        self, signal: Float[Tensor, "batch dim frames"], mask: Bool[Tensor, "batch 1 frames"]
    ) -> Float[Tensor, "batch dim frames"]:
        """Normalise by the statistics, in single precision, of the frames that the mask holds."""
        exact = signal.float()
        count = mask.sum(dim=2, keepdim=True) * signal.shape[1]
        centred = (exact - (exact * mask).sum(dim=(1, 2), keepdim=True) / count) * mask
        variance = centred.square().sum(dim=(1, 2), keepdim=True) / count
        normed = (centred * torch.rsqrt(variance + _EPS)).to(signal.dtype)
        return normed * self.weight[:, None] + self.bias[:, None]


def target_frames(num_codes: int) -> int:
    """Return how many mel frames some codes become."""
    return int(MEL_FRAMES_A_CODE * num_codes)


def nearest_index(
    lengths: Int[Tensor, " batch"], frames: Int[Tensor, " batch"]
) -> Int64[Tensor, "batch longest"]:
    """Return from which step each frame of a line is taken; 0 behind the end.

    Computed in float32 as the reference does: exact arithmetic gives another step now and then.
    """
    longest = torch.arange(int(frames.max()), device=frames.device)
    ratio = lengths.float() / frames.float()
    index = (longest.float() * ratio[:, None]).floor().long()
    index = index.minimum(lengths[:, None] - 1)
    return index * (longest < frames[:, None])
