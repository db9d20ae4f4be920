"""All networks of one IndexTTS2, on one device."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unitaf.tts.indextts2.bigvgan import Vocoder
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.conditioning import Conditioner, EmotionTable
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.s2mel import SemanticToMel
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """What the published files hold, loaded and in evaluation mode."""

    speech_encoder: SpeechEncoder
    codec: SemanticCodec
    style_encoder: StyleEncoder
    conditioner: Conditioner
    emotions: EmotionTable
    gpt: SpeechGpt
    s2mel: SemanticToMel
    vocoder: Vocoder

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """All of them."""
        return (
            self.speech_encoder,
            self.codec,
            self.style_encoder,
            self.conditioner,
            self.emotions,
            self.gpt,
            self.s2mel,
            self.vocoder,
        )

    @property
    def device(self) -> torch.device:
        """Where all of them are."""
        return self.emotions.styles.device


def in_type_of(value: Tensor, module: nn.Module) -> Tensor:
    """Return a tensor in the type of a network's weights: each network may have its own."""
    return value.to(next(module.parameters()).dtype)
