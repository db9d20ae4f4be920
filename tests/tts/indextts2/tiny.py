"""A tiny IndexTTS2 with random weights, for tests that need one."""

from functools import cache

import torch
from torch import nn

from unitaf.tts.indextts2.bigvgan import Vocoder
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.conditioning import Conditioner, EmotionTable
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.loading import ModelSizes
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.s2mel import SemanticToMel
from unitaf.tts.indextts2.sizes import (
    CodecSizes,
    ConditioningSizes,
    GptSizes,
    S2MelSizes,
    SpeechEncoderSizes,
    StyleSizes,
    VocoderSizes,
)
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder

GPT = GptSizes(
    layers=2,
    width=32,
    heads=2,
    max_text_ids=130,
    max_codes=420,
    num_text_ids=60,
    num_codes=50,
    start_code=48,
    stop_code=49,
    start_text=0,
    stop_text=1,
    speaker=ConditioningSizes(16, 24, 2, 2, 2.0),
    emotion=ConditioningSizes(16, 24, 2, 1, 0.125),
)
STOP_BIAS = 1.5
"""How likely the code is that ends a line."""

CODEC = CodecSizes(width=16, feed_forward=24, layers=2, num_codes=48, code_dim=8)
SPEECH_ENCODER = SpeechEncoderSizes(width=1024, feed_forward=32, heads=16, layers=1)
STYLE = StyleSizes(num_bins=80, style_dim=192, growth=2, bottleneck=2, width=8)
S2MEL = S2MelSizes(
    latent_dim=32,
    content_dim=16,
    num_mels=80,
    style_dim=192,
    width=16,
    heads=2,
    layers=3,
    wavenet_layers=2,
    wavenet_kernel=5,
)
VOCODER = VocoderSizes(
    num_mels=80,
    width=64,
    rates=(4, 4, 2, 2, 2, 2),
    kernels=(8, 8, 4, 4, 4, 4),
    block_kernels=(3, 7),
    block_dilations=((1, 3, 5), (1, 3, 5)),
)
SIZES = ModelSizes(GPT, CODEC, S2MEL, SPEECH_ENCODER, VOCODER)


def randomised(module: nn.Module, scale: float = 1.0) -> nn.Module:
    """Give every weight a random value, as large as lets signals pass, and stop training."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            spread = 0.1 if parameter.dim() < 2 else scale * parameter[0].numel() ** -0.5
            noise = torch.randn(parameter.shape, generator=random)
            is_gain = parameter.dim() == 1 and name.endswith(("weight", "gamma"))
            parameter.copy_(spread * noise + (1.0 if is_gain else 0.0))
    return module.eval()


def gpt() -> SpeechGpt:
    """A GPT whose codes vary and that stops now and then."""
    network = SpeechGpt(GPT)
    randomised(network)
    with torch.no_grad():
        for table in (network.mel_embedding, network.mel_pos_embedding.emb, network.text_embedding):
            table.weight.mul_(6.0)
        network.mel_head.weight.mul_(3.0)
        network.mel_head.bias.zero_()
        network.mel_head.bias[GPT.stop_code] = STOP_BIAS
    return network


@cache
def networks() -> Networks:
    """All networks."""
    random = torch.Generator().manual_seed(1)
    styles = torch.randn(73, 192, generator=random)
    vectors = torch.randn(73, GPT.width, generator=random)
    parts = [SpeechEncoder(SPEECH_ENCODER), SemanticCodec(CODEC), StyleEncoder(STYLE)]
    encoder, codec, style = (randomised(part) for part in parts)
    return Networks(
        encoder,
        codec,
        style,
        randomised(Conditioner(GPT)),
        EmotionTable(styles, vectors),
        gpt(),
        randomised(SemanticToMel(S2MEL)),
        randomised(Vocoder(VOCODER), scale=0.3),
    )
