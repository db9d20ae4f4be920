"""An IndexTTS2 with random weights, of the published sizes or reduced, and a voice for it.

Speed depends on shapes alone. With random weights a line never ends by itself, or at any moment;
here the code that ends it is made impossible, so that every line ends at its limit. The check for
it is still made at every step.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from unitaf.tts.indextts2.bigvgan import Vocoder
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.conditioning import EMOTION_ROWS, Conditioner, EmotionTable
from unitaf.tts.indextts2.frontend import MEL_RATE
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.s2mel import SemanticToMel
from unitaf.tts.indextts2.sizes import (
    PUBLISHED_CODEC,
    PUBLISHED_GPT,
    PUBLISHED_S2MEL,
    PUBLISHED_SPEECH_ENCODER,
    PUBLISHED_STYLE,
    PUBLISHED_VOCODER,
    CodecSizes,
    ConditioningSizes,
    GptSizes,
    S2MelSizes,
    SpeechEncoderSizes,
    VocoderSizes,
)
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder
from unitaf.tts.indextts2.voice import Voice, read_voice

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the networks that may be reduced."""

    encoder: SpeechEncoderSizes
    codec: CodecSizes
    gpt: GptSizes
    s2mel: S2MelSizes
    vocoder: VocoderSizes


WIDTHS = {
    "full": Sizes(
        PUBLISHED_SPEECH_ENCODER,
        PUBLISHED_CODEC,
        PUBLISHED_GPT,
        PUBLISHED_S2MEL,
        PUBLISHED_VOCODER,
    ),
    "reduced": Sizes(
        replace(PUBLISHED_SPEECH_ENCODER, feed_forward=512, layers=1),
        replace(PUBLISHED_CODEC, width=96, feed_forward=192, layers=2),
        replace(
            PUBLISHED_GPT,
            layers=6,
            width=320,
            heads=5,
            speaker=ConditioningSizes(128, 512, 4, 2, 2.0),
            emotion=ConditioningSizes(128, 256, 4, 2, 2.0),
        ),
        replace(
            PUBLISHED_S2MEL,
            latent_dim=320,
            content_dim=128,
            width=128,
            heads=2,
            layers=5,
            wavenet_layers=4,
        ),
        replace(PUBLISHED_VOCODER, width=192),
    ),
}


def make_networks(sizes: Sizes, device: str, precision: str) -> Networks:
    """Return all networks with random weights.

    Args:
        sizes: One of `WIDTHS`.
        device: Where they are.
        precision: Of the GPT and the mel networks; the others are in single precision, as the
            engine loads them.
    """
    torch.manual_seed(0)
    kind, rows = PRECISIONS[precision], sum(EMOTION_ROWS)
    with torch.device(device):
        styles = torch.randn(rows, sizes.s2mel.style_dim)
        vectors = torch.randn(rows, sizes.gpt.width)
        networks = Networks(
            SpeechEncoder(sizes.encoder),
            SemanticCodec(sizes.codec),
            StyleEncoder(PUBLISHED_STYLE),
            Conditioner(sizes.gpt),
            EmotionTable(styles, vectors),
            _endless(SpeechGpt(sizes.gpt)).to(kind),
            SemanticToMel(sizes.s2mel).to(kind),
            Vocoder(sizes.vocoder),
        )
    for network in networks.modules:
        network.eval().requires_grad_(False)
    return networks


def make_voice(networks: Networks, duration_s: float) -> Voice:
    """Return the voice of a clip of noise."""
    samples = round(duration_s * MEL_RATE)
    clip = 0.1 * np.random.default_rng(0).standard_normal(samples, np.float32)
    return read_voice(networks, clip, MEL_RATE)


def _endless(gpt: SpeechGpt) -> SpeechGpt:
    with torch.no_grad():
        gpt.mel_head.bias[gpt.sizes.stop_code] = _NEVER
    return gpt
