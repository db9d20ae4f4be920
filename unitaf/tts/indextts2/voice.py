"""What is computed once for a voice: all that depends on its reference clip alone.

The reference computes most of it again for every segment; it is the same each time.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unitaf.tts.indextts2.conditioning import blend_emotion
from unitaf.tts.indextts2.frontend import (
    Waveform,
    emotion_audio,
    log_mel,
    speaker_audio,
    style_fbank,
)
from unitaf.tts.indextts2.networks import Networks, in_type_of
from unitaf.types import Emotion


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A speaker as the networks see them."""

    speaker_latents: Float[Tensor, "latents dim"]
    neutral: Float[Tensor, " dim"]
    """Emotion vector of the clip read as speaker audio: where blends begin."""
    spoken: Float[Tensor, " dim"]
    """Emotion vector of the clip read as emotion audio: used where no emotion clip is given."""
    style: Float[Tensor, " style"]
    mel: Float[Tensor, "mels prompt_frames"]
    content: Float[Tensor, "prompt_frames content"]


@torch.no_grad()
def read_voice(networks: Networks, waveform: Waveform, sample_rate: int) -> Voice:
    """Compute a voice from a reference clip of at least some tenths of a second."""
    clip = speaker_audio(waveform, sample_rate)
    heard = networks.speech_encoder.read([clip.at_speech_rate])
    mel = log_mel(clip.at_mel_rate).to(heard.values)
    codes = networks.codec(heard.values, heard.lengths)
    vectors = in_type_of(networks.codec.vectors(codes), networks.s2mel)
    frames = heard.lengths.new_tensor([mel.shape[1]])
    content = networks.s2mel.length_regulator(vectors, heard.lengths, frames)
    fbank = style_fbank(clip.at_speech_rate).to(heard.values)
    return Voice(
        speaker_latents=networks.conditioner.speaker_latents(heard.values, heard.lengths)[0],
        neutral=networks.conditioner.emotion_vector(heard.values, heard.lengths)[0],
        spoken=read_emotion(networks, waveform, sample_rate),
        style=networks.style_encoder(fbank[None])[0],
        mel=mel,
        content=content[0],
    )


@torch.no_grad()
def read_emotion(networks: Networks, waveform: Waveform, sample_rate: int) -> Float[Tensor, " dim"]:
    """Return the emotion vector of a clip."""
    heard = networks.speech_encoder.read([emotion_audio(waveform, sample_rate)])
    return networks.conditioner.emotion_vector(heard.values, heard.lengths)[0]


def mixed_emotion(networks: Networks, voice: Voice, emotion: Emotion) -> Float[Tensor, " dim"]:
    """Return the emotion vector of eight strengths for a voice."""
    return networks.emotions.mix(emotion, voice.style, voice.spoken)


def blended_emotion(
    voice: Voice, reference: Float[Tensor, " dim"], alpha: float
) -> Float[Tensor, " dim"]:
    """Return the emotion vector between a voice and an emotion clip; alpha 1 is the clip's."""
    return blend_emotion(voice.neutral, reference, alpha)
