"""Segments to sound, stage by stage, each in batches that fit it.

Decoding wants texts of like length; the second pass counts the codes too, and the flow the frames
of the voice's prompt; the vocoder is bound by memory. So each stage makes batches of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unitaf.tts.indextts2.batches import BatchLimits, map_batches
from unitaf.tts.indextts2.decoding import SKIPPED_POSITION, TRAINED_POSITION
from unitaf.tts.indextts2.graphs import StepMaker, make_step
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.random import SeededNoise, normal_noise
from unitaf.tts.indextts2.s2mel import target_frames
from unitaf.tts.indextts2.search import Rules
from unitaf.tts.indextts2.segments import MAX_TOKENS
from unitaf.tts.indextts2.synthesis import (
    FlowSettings,
    Segment,
    Spoken,
    Written,
    make_content,
    make_mels,
    make_waveforms,
    read_codes,
    write_codes,
)

_MOST_LATENT_STEPS = 65_536
_MOST_FLOW_FRAMES = 65_536
_MOST_VOCODER_FRAMES = 16_384
_MOST_PADDING = 1.15


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """How lines are made; the defaults are the published ones."""

    rules: Rules = field(default_factory=Rules)
    flow: FlowSettings = field(default_factory=FlowSettings)
    max_text_tokens: int = MAX_TOKENS
    reproduces_upstream: bool = True
    """False: positions as in training, so that latents need no second pass; see `decoding`."""
    has_sound: bool = True
    """False: silence as long as the sound would be; the face is the same."""


@dataclass(frozen=True, slots=True)
class StageLimits:
    """How large batches may be behind decoding."""

    latents: BatchLimits
    flow: BatchLimits
    vocoder: BatchLimits


def stage_limits(device: torch.device, batch_size: int) -> StageLimits:
    """Return how large batches of each stage may be.

    A core is as busy with one segment as with many, and every padded step costs. So on a processor
    segments are made alone; then a segment with the same codes has the same bytes, whatever the
    others are.
    """
    rows = 1 if device.type == "cpu" else batch_size
    return StageLimits(
        BatchLimits(rows, _MOST_LATENT_STEPS, _MOST_PADDING),
        BatchLimits(rows, _MOST_FLOW_FRAMES, _MOST_PADDING),
        BatchLimits(rows, _MOST_VOCODER_FRAMES, _MOST_PADDING),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A segment with its randomness."""

    segment: Segment
    seed: int


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes segments.

    Args:
        networks: All networks.
        settings: How.
        batch_size: Most segments at once, in any stage.
        new_step: How a decoding step is run.
    """

    networks: Networks
    settings: SpeechSettings
    batch_size: int
    new_step: StepMaker = make_step

    def speak(self, pieces: Sequence[Piece]) -> list[Spoken]:
        """Decode segments and compute what their codes mean."""
        texts = [len(piece.segment.text_ids) for piece in pieces]
        written = map_batches(self.write, pieces, texts, BatchLimits(self.batch_size))
        pairs = list(zip(pieces, written, strict=True))
        steps = [count + len(each.codes) for count, each in zip(texts, written, strict=True)]
        limits = stage_limits(self.networks.device, self.batch_size)
        return map_batches(self.read, pairs, steps, limits.latents)

    def sound(self, pieces: Sequence[Piece], spoken: Sequence[Spoken]) -> list[Float[Tensor, " _"]]:
        """Make the waveforms of decoded segments, on the processor."""
        frames = [target_frames(len(each.codes)) for each in spoken]
        hop = self.networks.vocoder.hop
        if not self.settings.has_sound:
            return [torch.zeros(hop * count) for count in frames]
        pairs = list(zip(pieces, spoken, strict=True))
        prompted = [
            count + len(piece.segment.voice.content)
            for count, piece in zip(frames, pieces, strict=True)
        ]
        limits = stage_limits(self.networks.device, self.batch_size)
        mels = map_batches(self.mels, pairs, prompted, limits.flow)
        return map_batches(self.waveforms, mels, frames, limits.vocoder)

    def write(self, batch: list[Piece]) -> list[Written]:
        """Decode the segments of one batch."""
        is_skipped = self.settings.reproduces_upstream
        return write_codes(
            self.networks,
            [piece.segment for piece in batch],
            SeededNoise([piece.seed for piece in batch], self.networks.device),
            self.settings.rules,
            SKIPPED_POSITION if is_skipped else TRAINED_POSITION,
            self.new_step,
        )

    def read(self, batch: list[tuple[Piece, Written]]) -> list[Spoken]:
        """Compute what the codes of one batch mean."""
        segments = [piece.segment for piece, _ in batch]
        return read_codes(self.networks, segments, [written for _, written in batch])

    def mels(self, batch: list[tuple[Piece, Spoken]]) -> list[Float[Tensor, "mels _"]]:
        """Make the log mels of one batch."""
        contents = make_content(self.networks, [spoken for _, spoken in batch])
        pieces = [piece for piece, _ in batch]
        noises = [self.noise(*pair) for pair in zip(pieces, contents, strict=True)]
        voices = [piece.segment.voice for piece in pieces]
        return make_mels(self.networks, voices, contents, noises, self.settings.flow)

    def noise(
        self, piece: Piece, content: Float[Tensor, "line_frames content"]
    ) -> Float[Tensor, "mels frames"]:
        """Return what a segment's mel begins from; nothing where the voice's prompt stands."""
        voice = piece.segment.voice
        noise = normal_noise(piece.seed, (len(voice.mel), len(content))).to(content.device)
        return functional.pad(noise, (len(voice.content), 0))

    def waveforms(self, batch: list[Float[Tensor, "mels _"]]) -> list[Float[Tensor, " _"]]:
        """Make the waveforms of one batch, on the processor."""
        return [waveform.float().cpu() for waveform in make_waveforms(self.networks, batch)]
