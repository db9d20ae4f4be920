"""Recordings to what the model would have thought had it said exactly them.

Ground-truth token replacement (UniTAF, arXiv 2602.15651, 3.2.1): the codes of the recording are fed
to the GPT in place of its own, and the latents of that pass give the features. The voice is the one
that the speaker has when lines are made; the emotion is that of the recording.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unitaf.tts.indextts2.frontend import Waveform, recording_audio, style_fbank
from unitaf.tts.indextts2.networks import Networks, in_type_of
from unitaf.tts.indextts2.prompt import join_conditions
from unitaf.tts.indextts2.teaching import code_latents
from unitaf.tts.indextts2.voice import Voice, read_emotion
from unitaf.types import Emotion


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was said, and how."""

    waveform: Waveform
    sample_rate: int
    text_ids: tuple[int, ...]
    voice: Voice
    emotion: Emotion
    """Strengths that are mixed into the emotion of the recording; all 0 leave it as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording as the GPT sees it."""

    codes: tuple[int, ...]
    num_whole: int
    """Codes before a last one that may be of half a frame."""
    emotion: Float[Tensor, " dim"]


@torch.no_grad()
def hear(networks: Networks, recording: Recording) -> Heard:
    """Return the codes and the emotion of a recording."""
    waveform = recording_audio(recording.waveform, recording.sample_rate)
    heard = networks.speech_encoder.read([waveform])
    codes = networks.codec(heard.values, heard.lengths)[0]
    emotion = _emotion(networks, recording, waveform)
    return Heard(tuple(codes.tolist()), int(heard.valid[0]), emotion)


@torch.no_grad()
def recording_features(
    networks: Networks, recording: Recording, heard: Heard
) -> Float[Tensor, "codes feature"]:
    """Return the features of a recording, a row for every code."""
    gpt = networks.gpt
    latents = in_type_of(recording.voice.speaker_latents[None], gpt)
    conditions = join_conditions(gpt, latents, in_type_of(heard.emotion[None], gpt))
    states = code_latents(gpt, conditions, [recording.text_ids], [heard.codes])
    features: Tensor = networks.s2mel.gpt_layer(in_type_of(states, networks.s2mel))
    return features[0]


def _emotion(networks: Networks, recording: Recording, waveform: Waveform) -> Float[Tensor, " dim"]:
    spoken = read_emotion(networks, recording.waveform, recording.sample_rate)
    if not any(recording.emotion):
        return spoken
    fbank = style_fbank(waveform).to(spoken)
    style = networks.style_encoder(fbank[None])[0]
    return networks.emotions.mix(recording.emotion, style, spoken)
