"""What the GPT is told about the voice: speaker latents and an emotion vector.

Both come from speech features of a reference clip and depend on the voice alone, so they are
computed once for each voice. Emotions given as numbers are mixed from two tables of prototypes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from unitaf.tts.indextts2.conformer import Conformer, frame_mask, halved
from unitaf.tts.indextts2.perceiver import Perceiver
from unitaf.tts.indextts2.sizes import (
    EMOTION_LATENT_DIM,
    NUM_SPEAKER_LATENTS,
    ConditioningSizes,
    GptSizes,
)
from unitaf.types import Emotion

EMOTION_ROWS = (3, 17, 2, 8, 4, 5, 10, 24)
"""How many prototypes each of the eight emotions has in the tables."""

_CALMING = (0.9375, 0.875, 1.0, 1.0, 0.9375, 0.9375, 0.6875, 0.5625)
_LARGEST_SUM = 0.8


class Conditioner(nn.Module):
    """The conditioning networks of the GPT's checkpoint, under their published names.

    Args:
        sizes: Sizes of the GPT and of both branches.
    """

    def __init__(self, sizes: GptSizes) -> None:
        super().__init__()
        self.conditioning_encoder = Conformer(sizes.speaker)
        self.perceiver_encoder = _perceiver(NUM_SPEAKER_LATENTS, sizes.width, sizes.speaker)
        self.emo_conditioning_encoder = Conformer(sizes.emotion)
        self.emo_perceiver_encoder = _perceiver(1, EMOTION_LATENT_DIM, sizes.emotion)
        self.emovec_layer = nn.Linear(EMOTION_LATENT_DIM, sizes.width)
        self.emo_layer = nn.Linear(sizes.width, sizes.width)

    def speaker_latents(
        self,
        features: Float[Tensor, "batch steps feature"],
        lengths: Int[Tensor, " batch"],
        valid: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch latents dim"]:
        """Return the 32 vectors that describe each voice.

        Args:
            features: Normalised speech features of reference clips, padded at the right.
            lengths: Frames of each clip.
            valid: Frames that the training mask keeps; all, as in inference, if not given.
        """
        valid = lengths if valid is None else valid
        hidden = self.conditioning_encoder(features, lengths, valid)
        keys = frame_mask(halved(valid), hidden.shape[1])
        latents: Tensor = self.perceiver_encoder(hidden, keys)
        return latents

    def emotion_vector(
        self,
        features: Float[Tensor, "batch steps feature"],
        lengths: Int[Tensor, " batch"],
        valid: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch dim"]:
        """Return the emotion that each clip is spoken with; arguments as in `speaker_latents`."""
        valid = lengths if valid is None else valid
        hidden = self.emo_conditioning_encoder(features, lengths, valid)
        keys = frame_mask(halved(valid), hidden.shape[1])
        latent = self.emo_perceiver_encoder(hidden, keys)[:, 0]
        vector: Tensor = self.emo_layer(self.emovec_layer(latent))
        return vector


class EmotionTable(nn.Module):
    """The published prototypes: how 73 clips sound, and the emotion vector of each.

    Args:
        styles: Style vectors of the prototypes (``feat1.pt``).
        vectors: Emotion vectors of the same prototypes (``feat2.pt``).
    """

    styles: Tensor
    vectors: Tensor

    def __init__(
        self, styles: Float[Tensor, "rows style"], vectors: Float[Tensor, "rows dim"]
    ) -> None:
        super().__init__()
        self.register_buffer("styles", styles)
        self.register_buffer("vectors", vectors)

    def nearest_rows(self, style: Float[Tensor, " style"]) -> list[int]:
        """Return for each emotion the prototype that sounds most like a voice, within its group."""
        return [
            int(functional.cosine_similarity(group, style[None]).argmax())
            for group in torch.split(self.styles, list(EMOTION_ROWS))
        ]

    def prototypes(self, style: Float[Tensor, " style"]) -> Float[Tensor, "emotions dim"]:
        """Return the emotion vector of each emotion for one voice: of what sounds most like it."""
        rows = self.nearest_rows(style)
        groups = torch.split(self.vectors, list(EMOTION_ROWS))
        return torch.stack([group[row] for group, row in zip(groups, rows, strict=True)])

    def mix(
        self,
        emotion: Emotion,
        style: Float[Tensor, " style"],
        spoken: Float[Tensor, " dim"],
    ) -> Float[Tensor, " dim"]:
        """Return the emotion vector of eight strengths for one voice.

        Args:
            emotion: Strengths in the order of `types.EMOTIONS`.
            style: Style vector of the voice.
            spoken: Emotion vector of the voice's clip; it gets what is missing to a sum of 1.
        """
        chosen = self.prototypes(style)
        strengths = chosen.new_tensor(emotion)
        return strengths @ chosen + (1.0 - strengths.sum()) * spoken


def scale_emotion(emotion: Sequence[float], alpha: float) -> Emotion:
    """Scale strengths by alpha (clamped to 0 to 1), and cut off after four decimals.

    The reference does so with those of a line; ours stand as the script has them, which is alpha 1.
    """
    scale = min(max(alpha, 0.0), 1.0)
    if scale != 1.0:
        emotion = [int(value * scale * 10000) / 10000 for value in emotion]
    return as_emotion(emotion)


def limit_emotion(emotion: Sequence[float], *, calming: bool) -> Emotion:
    """Scale strengths so that they sum to at most 0.8, as the reference's own interface does.

    Its engine does not, nor does ours: for those who choose the strengths of a script.

    Args:
        emotion: Strengths in the order of `types.EMOTIONS`.
        calming: First weaken those that sound overdone.
    """
    weights = _CALMING if calming else (1.0,) * len(_CALMING)
    values = [value * weight for value, weight in zip(emotion, weights, strict=True)]
    total = sum(values)
    if total > _LARGEST_SUM:
        values = [value * (_LARGEST_SUM / total) for value in values]
    return as_emotion(values)


def blend_emotion(
    spoken: Float[Tensor, "*batch dim"], reference: Float[Tensor, "*batch dim"], alpha: float
) -> Float[Tensor, "*batch dim"]:
    """Move a voice's emotion vector towards that of an emotion clip; alpha 1 takes the clip's."""
    return spoken + alpha * (reference - spoken)


def _perceiver(num_latents: int, width: int, sizes: ConditioningSizes) -> Perceiver:
    return Perceiver(num_latents, width, sizes.width, sizes.heads, sizes.perceiver_mult)


def as_emotion(values: Sequence[float]) -> Emotion:
    """Return eight strengths in the order of `types.EMOTIONS`."""
    happy, angry, sad, afraid, disgusted, melancholic, surprised, calm = values
    return (happy, angry, sad, afraid, disgusted, melancholic, surprised, calm)
