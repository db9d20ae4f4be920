"""Segments to speech: codes, features for the face, mel, waveform; many segments at once.

The face needs features only, so that the steps behind them can be left out. Randomness comes in as
an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unitaf.tts.indextts2.cfm import PUBLISHED_GUIDANCE, PUBLISHED_STEPS, FlowInput
from unitaf.tts.indextts2.decoding import (
    SKIPPED_POSITION,
    decode,
    make_search,
)
from unitaf.tts.indextts2.networks import Networks, in_type_of
from unitaf.tts.indextts2.prompt import generation_prompts, join_conditions
from unitaf.tts.indextts2.s2mel import target_frames
from unitaf.tts.indextts2.search import Noise, Rules
from unitaf.tts.indextts2.teaching import code_latents
from unitaf.tts.indextts2.voice import Voice


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What to say in one go."""

    text_ids: tuple[int, ...]
    voice: Voice
    emotion: Float[Tensor, " dim"]
    max_codes: int


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A segment as codes, before it is sound."""

    codes: tuple[int, ...]
    latents: Float[Tensor, "codes dim"]
    features: Float[Tensor, "codes feature"]
    """What drives the face: 1024 numbers for each code."""
    is_stopped: bool
    """False if the segment was cut at its limit."""


@torch.no_grad()
def speak(
    networks: Networks,
    segments: Sequence[Segment],
    noise: Noise,
    rules: Rules,
    second_position: int = SKIPPED_POSITION,
) -> list[Spoken]:
    """Decode segments, best of similar length, and compute what the codes mean.

    Args:
        networks: All networks.
        segments: One batch.
        noise: Decides the draws, by number of the segment.
        rules: How codes are chosen.
        second_position: See `decoding`.
    """
    gpt = networks.gpt
    latents = torch.stack([segment.voice.speaker_latents for segment in segments])
    emotions = torch.stack([segment.emotion for segment in segments])
    conditions = join_conditions(gpt, in_type_of(latents, gpt), in_type_of(emotions, gpt))
    texts = [segment.text_ids for segment in segments]
    limits = torch.tensor([segment.max_codes for segment in segments], device=networks.device)
    search = make_search(gpt.sizes, rules, limits, noise)
    decoded = decode(gpt, generation_prompts(gpt, conditions, texts), search, second_position)
    codes = [path.codes for path in decoded.paths]
    states = decoded.states
    if states is None:
        states = code_latents(gpt, conditions, texts, codes)
    features = networks.s2mel.gpt_layer(in_type_of(states, networks.s2mel))
    return [
        Spoken(path.codes, state[: len(path.codes)], feature[: len(path.codes)], path.is_stopped)
        for path, state, feature in zip(decoded.paths, states, features, strict=True)
    ]


@torch.no_grad()
def make_content(networks: Networks, spoken: Sequence[Spoken]) -> list[Float[Tensor, "_ content"]]:
    """Stretch segments to the mel rate."""
    lengths = torch.tensor([len(each.codes) for each in spoken], device=networks.device)
    frames = torch.tensor([target_frames(len(each.codes)) for each in spoken]).to(lengths)
    vectors = [
        networks.codec.vectors(lengths.new_tensor(each.codes)) + each.features for each in spoken
    ]
    padded = in_type_of(pad_sequence(vectors, batch_first=True), networks.s2mel)
    content = networks.s2mel.length_regulator(padded, lengths, frames)
    return [row[: int(count)] for row, count in zip(content, frames, strict=True)]


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """How the mel is made; the defaults are the published ones."""

    num_steps: int = PUBLISHED_STEPS
    guidance: float = PUBLISHED_GUIDANCE


@torch.no_grad()
def make_mels(
    networks: Networks,
    voices: Sequence[Voice],
    contents: Sequence[Float[Tensor, "_ content"]],
    noises: Sequence[Float[Tensor, "mels _"]],
    settings: FlowSettings,
) -> list[Float[Tensor, "mels _"]]:
    """Make the log mel of segments, best of similar length with their voices.

    Args:
        networks: All networks.
        voices: The voice of each segment.
        contents: As from `make_content`.
        noises: Standard normal, for the frames of the voice and the segment.
        settings: Steps and guidance.
    """
    inputs = [
        FlowInput(torch.cat([voice.content, content]), voice.mel, voice.style, noise)
        for voice, content, noise in zip(voices, contents, noises, strict=True)
    ]
    mels: list[Tensor] = networks.s2mel.cfm(inputs, settings.num_steps, settings.guidance)
    return mels


@torch.no_grad()
def make_waveforms(
    networks: Networks, mels: Sequence[Float[Tensor, "mels _"]]
) -> list[Float[Tensor, " _"]]:
    """Make the waveforms of segments at 22.05 kHz, 256 samples a mel frame."""
    lengths = torch.tensor([mel.shape[1] for mel in mels], device=networks.device)
    padded = pad_sequence([mel.T for mel in mels], batch_first=True).transpose(1, 2)
    waveforms = networks.vocoder(in_type_of(padded, networks.vocoder), lengths)
    hop = networks.vocoder.hop
    return [wave[: hop * int(count)] for wave, count in zip(waveforms, lengths, strict=True)]
