"""Recordings to what the model would have thought had it said exactly them.

Ground-truth token replacement (UniTAF, arXiv 2602.15651, 3.2.1): the codes of the recording are fed
to the GPT in place of its own, and the latents of that pass give the features. The voice is the one
that the speaker has when lines are made; the emotion is that of the recording.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unitaf.tts.indextts2.frontend import (
    Waveform,
    emotion_audio,
    recording_audio,
    style_fbank,
)
from unitaf.tts.indextts2.networks import Networks, in_type_of
from unitaf.tts.indextts2.prompt import join_conditions
from unitaf.tts.indextts2.teaching import code_latents
from unitaf.tts.indextts2.voice import Voice
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
def hear(networks: Networks, recordings: Sequence[Recording]) -> list[Heard]:
    """Return the codes and the emotion of recordings, best of similar length."""
    waveforms = [recording_audio(each.waveform, each.sample_rate) for each in recordings]
    heard = networks.speech_encoder.read(waveforms)
    codes = networks.codec(heard.values, heard.lengths)
    emotions = _emotions(networks, recordings, waveforms)
    return [
        Heard(tuple(row[:length].tolist()), int(valid), emotion)
        for row, length, valid, emotion in zip(
            codes, heard.lengths, heard.valid, emotions, strict=True
        )
    ]


@torch.no_grad()
def recording_features(
    networks: Networks, recordings: Sequence[Recording], heard: Sequence[Heard]
) -> list[Float[Tensor, "_ feature"]]:
    """Return the features of recordings, best of similar length: a row for every code."""
    gpt = networks.gpt
    latents = torch.stack([each.voice.speaker_latents for each in recordings])
    emotions = torch.stack([each.emotion for each in heard])
    conditions = join_conditions(gpt, in_type_of(latents, gpt), in_type_of(emotions, gpt))
    texts, codes = [each.text_ids for each in recordings], [each.codes for each in heard]
    states = in_type_of(code_latents(gpt, conditions, texts, codes), networks.s2mel)
    return [
        networks.s2mel.gpt_layer(row[: len(line)]) for row, line in zip(states, codes, strict=True)
    ]


def _emotions(
    networks: Networks, recordings: Sequence[Recording], waveforms: Sequence[Waveform]
) -> Iterator[Float[Tensor, " dim"]]:
    clips = [emotion_audio(each.waveform, each.sample_rate) for each in recordings]
    heard = networks.speech_encoder.read(clips)
    spoken = networks.conditioner.emotion_vector(heard.values, heard.lengths)
    for recording, waveform, own in zip(recordings, waveforms, spoken, strict=True):
        if not any(recording.emotion):
            yield own
            continue
        fbank = style_fbank(waveform).to(own)
        style = networks.style_encoder(fbank[None])[0]
        yield networks.emotions.mix(recording.emotion, style, own)
