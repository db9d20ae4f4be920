"""How large the networks of IndexTTS2 are: read from the published ``config.yaml``.

The dataclasses hold what the networks need under our names; ``read_*`` maps the published names
onto them, and ``PUBLISHED_*`` are the sizes of version 2.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPEECH_FEATURE_DIM = 1024
"""Width of the speech features that every conditioning network reads."""

EMOTION_LATENT_DIM = 1024
"""Width of the emotion perceiver, whatever the width of the GPT."""

NUM_SPEAKER_LATENTS = 32


@dataclass(frozen=True, slots=True)
class ConditioningSizes:
    """One conformer and the perceiver behind it."""

    width: int
    feed_forward: int
    heads: int
    layers: int
    perceiver_mult: float


@dataclass(frozen=True, slots=True)
class GptSizes:
    """The GPT with both of its conditioning branches."""

    layers: int
    width: int
    heads: int
    max_text_ids: int
    max_codes: int
    num_text_ids: int
    num_codes: int
    """Size of the code vocabulary, start and stop included."""
    start_code: int
    stop_code: int
    start_text: int
    stop_text: int
    speaker: ConditioningSizes
    emotion: ConditioningSizes


@dataclass(frozen=True, slots=True)
class CodecSizes:
    """The semantic codec: encoder and codebook."""

    width: int
    feed_forward: int
    layers: int
    num_codes: int
    code_dim: int


@dataclass(frozen=True, slots=True)
class SpeechEncoderSizes:
    """The part of w2v-BERT 2.0 that is used."""

    width: int
    feed_forward: int
    heads: int
    layers: int


@dataclass(frozen=True, slots=True)
class StyleSizes:
    """The style encoder CAM++."""

    num_bins: int
    style_dim: int
    growth: int
    bottleneck: int
    width: int


@dataclass(frozen=True, slots=True)
class S2MelSizes:
    """Length regulator, flow estimator and its WaveNet."""

    latent_dim: int
    """Width of the GPT."""
    content_dim: int
    num_mels: int
    style_dim: int
    width: int
    heads: int
    layers: int
    wavenet_layers: int
    wavenet_kernel: int


@dataclass(frozen=True, slots=True)
class VocoderSizes:
    """BigVGAN."""

    num_mels: int
    width: int
    """Channels before the first stage; each halves them."""
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    block_kernels: tuple[int, ...]
    block_dilations: tuple[tuple[int, ...], ...]


PUBLISHED_GPT = GptSizes(
    layers=24,
    width=1280,
    heads=20,
    max_text_ids=600,
    max_codes=1815,
    num_text_ids=12000,
    num_codes=8194,
    start_code=8192,
    stop_code=8193,
    start_text=0,
    stop_text=1,
    speaker=ConditioningSizes(512, 2048, 8, 6, 2.0),
    emotion=ConditioningSizes(512, 1024, 4, 4, 2.0),
)
PUBLISHED_CODEC = CodecSizes(width=384, feed_forward=2048, layers=12, num_codes=8192, code_dim=8)
PUBLISHED_SPEECH_ENCODER = SpeechEncoderSizes(width=1024, feed_forward=4096, heads=16, layers=17)
PUBLISHED_STYLE = StyleSizes(num_bins=80, style_dim=192, growth=32, bottleneck=4, width=128)

PUBLISHED_S2MEL = S2MelSizes(
    latent_dim=1280,
    content_dim=512,
    num_mels=80,
    style_dim=192,
    width=512,
    heads=8,
    layers=13,
    wavenet_layers=8,
    wavenet_kernel=5,
)

PUBLISHED_VOCODER = VocoderSizes(
    num_mels=80,
    width=1536,
    rates=(4, 4, 2, 2, 2, 2),
    kernels=(8, 8, 4, 4, 4, 4),
    block_kernels=(3, 7, 11),
    block_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
)


def read_gpt_sizes(config: Mapping[str, Any]) -> GptSizes:
    """Read the ``gpt`` block of the published configuration."""
    return GptSizes(
        layers=config["layers"],
        width=config["model_dim"],
        heads=config["heads"],
        max_text_ids=config["max_text_tokens"],
        max_codes=config["max_mel_tokens"],
        num_text_ids=config["number_text_tokens"],
        num_codes=config["number_mel_codes"],
        start_code=config["start_mel_token"],
        stop_code=config["stop_mel_token"],
        start_text=config["start_text_token"],
        stop_text=config["stop_text_token"],
        speaker=_read_conditioning_sizes(config["condition_module"]),
        emotion=_read_conditioning_sizes(config["emo_condition_module"]),
    )


def read_codec_sizes(config: Mapping[str, Any]) -> CodecSizes:
    """Read the ``semantic_codec`` block of the published configuration."""
    return CodecSizes(
        width=config["vocos_dim"],
        feed_forward=config["vocos_intermediate_dim"],
        layers=config["vocos_num_layers"],
        num_codes=config["codebook_size"],
        code_dim=config["codebook_dim"],
    )


def read_s2mel_sizes(config: Mapping[str, Any], latent_dim: int) -> S2MelSizes:
    """Read the ``s2mel`` block of the published configuration.

    Args:
        config: The block.
        latent_dim: Width of the GPT, which stands in another block.
    """
    estimator = config["DiT"]
    return S2MelSizes(
        latent_dim=latent_dim,
        content_dim=config["length_regulator"]["channels"],
        num_mels=estimator["in_channels"],
        style_dim=config["style_encoder"]["dim"],
        width=estimator["hidden_dim"],
        heads=estimator["num_heads"],
        layers=estimator["depth"],
        wavenet_layers=config["wavenet"]["num_layers"],
        wavenet_kernel=config["wavenet"]["kernel_size"],
    )


def read_speech_encoder_sizes(config: Mapping[str, Any]) -> SpeechEncoderSizes:
    """Read the published ``config.json`` of w2v-BERT 2.0; of its layers 17 are used."""
    return SpeechEncoderSizes(
        width=config["hidden_size"],
        feed_forward=config["intermediate_size"],
        heads=config["num_attention_heads"],
        layers=min(config["num_hidden_layers"], PUBLISHED_SPEECH_ENCODER.layers),
    )


def read_vocoder_sizes(config: Mapping[str, Any]) -> VocoderSizes:
    """Read the published ``config.json`` of the vocoder."""
    return VocoderSizes(
        num_mels=config["num_mels"],
        width=config["upsample_initial_channel"],
        rates=tuple(config["upsample_rates"]),
        kernels=tuple(config["upsample_kernel_sizes"]),
        block_kernels=tuple(config["resblock_kernel_sizes"]),
        block_dilations=tuple(tuple(each) for each in config["resblock_dilation_sizes"]),
    )


def _read_conditioning_sizes(config: Mapping[str, Any]) -> ConditioningSizes:
    return ConditioningSizes(
        width=config["output_size"],
        feed_forward=config["linear_units"],
        heads=config["attention_heads"],
        layers=config["num_blocks"],
        perceiver_mult=float(config["perceiver_mult"]),
    )
