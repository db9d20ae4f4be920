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
from unitaf.tts.indextts2.decoding import SKIPPED_POSITION, decode, make_search
from unitaf.tts.indextts2.graphs import StepMaker, make_step
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
class Written:
    """A segment as codes."""

    codes: tuple[int, ...]
    is_stopped: bool
    """False if the segment was cut at its limit."""
    latents: Float[Tensor, "codes dim"] | None
    """None if the states of decoding are not the latents."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A segment as codes and what they mean, before it is sound."""

    codes: tuple[int, ...]
    is_stopped: bool
    latents: Float[Tensor, "codes dim"]
    features: Float[Tensor, "codes feature"]
    """What drives the face: 1024 numbers for each code."""


@torch.no_grad()
def write_codes(
    networks: Networks,
    segments: Sequence[Segment],
    noise: Noise,
    rules: Rules,
    second_position: int = SKIPPED_POSITION,
    new_step: StepMaker = make_step,
) -> list[Written]:
    """Decode segments, best of similar length.

    Args:
        networks: All networks.
        segments: One batch.
        noise: Decides the draws, by number of the segment.
        rules: How codes are chosen.
        second_position: See `decoding`.
        new_step: How a step is run.
    """
    gpt = networks.gpt
    limits = torch.tensor([segment.max_codes for segment in segments], device=networks.device)
    texts = [segment.text_ids for segment in segments]
    prompts = generation_prompts(gpt, _conditions(networks, segments), texts)
    search = make_search(gpt.sizes, rules, limits, noise)
    decoded = decode(gpt, prompts, search, second_position, new_step)
    states = [None] * len(segments) if decoded.states is None else decoded.states
    return [
        Written(path.codes, path.is_stopped, None if state is None else state[: len(path.codes)])
        for path, state in zip(decoded.paths, states, strict=True)
    ]


@torch.no_grad()
def read_codes(
    networks: Networks, segments: Sequence[Segment], written: Sequence[Written]
) -> list[Spoken]:
    """Compute what the codes of segments mean, by a second pass of the GPT if need be.

    Args:
        networks: All networks.
        segments: One batch, best of similar length with their codes.
        written: As from `write_codes`, all of them with latents or none.
    """
    known = [each.latents for each in written if each.latents is not None]
    if not known:
        texts, codes = [each.text_ids for each in segments], [each.codes for each in written]
        states = code_latents(networks.gpt, _conditions(networks, segments), texts, codes)
        known = [row[: len(each.codes)] for row, each in zip(states, written, strict=True)]
    return [
        Spoken(
            each.codes,
            each.is_stopped,
            latents,
            networks.s2mel.gpt_layer(in_type_of(latents, networks.s2mel)),
        )
        for each, latents in zip(written, known, strict=True)
    ]


def _conditions(
    networks: Networks, segments: Sequence[Segment]
) -> Float[Tensor, "segments conditions dim"]:
    gpt = networks.gpt
    latents = torch.stack([segment.voice.speaker_latents for segment in segments])
    emotions = torch.stack([segment.emotion for segment in segments])
    return join_conditions(gpt, in_type_of(latents, gpt), in_type_of(emotions, gpt))


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
