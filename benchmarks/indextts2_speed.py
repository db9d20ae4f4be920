"""How fast IndexTTS2 speaks, stage by stage, in batches and one line at a time.

    python -m benchmarks.indextts2_speed                                  # reduced, a processor
    python -m benchmarks.indextts2_speed --width full --device cuda --precision bfloat16 \
        --batches 1 16 64 256 --num-lines 256 --prompt-s 8

Weights are random and every line ends where a seeded table says. Stages are called as the engine
calls them, in batches of lines of similar length. Without a GPU one core is used, and times are of
the processor, so that other work on the machine counts little.
"""

import argparse
import json
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.indextts2_floors import Load, floors_s, measure_machine, now_s
from benchmarks.indextts2_model import PRECISIONS, WIDTHS, make_networks, make_voice
from benchmarks.lines import draw_lengths_s
from unitaf.tts.indextts2.batches import BatchLimits, map_batches
from unitaf.tts.indextts2.decoding import SKIPPED_POSITION, TRAINED_POSITION
from unitaf.tts.indextts2.graphs import GraphedStep, PlainStep, StepMaker
from unitaf.tts.indextts2.maker import line_noise, stage_limits
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.random import SeededNoise
from unitaf.tts.indextts2.s2mel import target_frames
from unitaf.tts.indextts2.search import Rules
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
from unitaf.tts.indextts2.voice import Voice

FACE_STAGES = ("decoding", "latents")
"""All that a face needs."""
STAGES = (*FACE_STAGES, "noise", "mel", "vocoder")

_CODE_RATE, _SAMPLE_RATE = 50, 22050
_CODES_A_TEXT_ID, _FEWEST_TEXT_IDS = 11, 5


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose length is given."""

    text_ids: tuple[int, ...]
    num_codes: int
    seed: int


@dataclass(frozen=True, slots=True)
class Way:
    """How lines are made."""

    rules: Rules
    flow: FlowSettings
    second_position: int
    new_step: StepMaker


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with one size of batches."""

    batch: int
    audio_s: float
    spent_s: dict[str, float]
    floors_s: dict[str, float]
    """The least that stages could take here; empty for a reduced model."""
    peak_bytes: int

    def speed(self, stages: Sequence[str]) -> float:
        """Return seconds of audio a second."""
        return self.audio_s / sum(self.spent_s[stage] for stage in stages)


class Speaker:
    """Makes lines and adds up the seconds of each stage.

    Args:
        networks: All networks.
        voice: Of every line.
        way: How lines are made.

    Attributes:
        spent_s: Seconds by stage.
        loads: The batches that were made.
    """

    def __init__(self, networks: Networks, voice: Voice, way: Way) -> None:
        self._networks, self._voice, self._way = networks, voice, way
        self.spent_s = dict.fromkeys(STAGES, 0.0)
        self.loads: list[Load] = []

    def say(self, lines: list[Line]) -> list[int]:
        """Make one batch and return how many samples each line has."""
        limits = stage_limits(self._networks.device, len(lines))
        with self._timed("decoding"):
            written = self._write(lines)
        pairs = list(zip(lines, written, strict=True))
        steps = [len(line.text_ids) + len(each.codes) for line, each in pairs]
        with self._timed("latents"):
            spoken = map_batches(self._read, pairs, steps, limits.latents)
        frames = [target_frames(len(each.codes)) for each in spoken]
        prompted = [count + len(self._voice.content) for count in frames]
        mels = map_batches(self._mels, list(zip(lines, spoken, strict=True)), prompted, limits.flow)
        with self._timed("vocoder"):
            waveforms = map_batches(self._waveforms, mels, frames, limits.vocoder)
        text_ids, codes = [len(line.text_ids) for line in lines], [len(s.codes) for s in spoken]
        self.loads.append(Load(np.array(text_ids), np.array(codes), len(self._voice.content)))
        return [len(waveform) for waveform in waveforms]

    def _write(self, lines: list[Line]) -> list[Written]:
        networks, way = self._networks, self._way
        noise = SeededNoise([line.seed for line in lines], networks.device)
        segments = self._segments(lines)
        return write_codes(networks, segments, noise, way.rules, way.second_position, way.new_step)

    def _read(self, pairs: list[tuple[Line, Written]]) -> list[Spoken]:
        segments = self._segments([line for line, _ in pairs])
        return read_codes(self._networks, segments, [written for _, written in pairs])

    def _segments(self, lines: list[Line]) -> list[Segment]:
        voice = self._voice
        return [Segment(line.text_ids, voice, voice.spoken, line.num_codes) for line in lines]

    def _mels(self, pairs: list[tuple[Line, Spoken]]) -> list[Tensor]:
        voices = [self._voice] * len(pairs)
        with self._timed("mel"):
            contents = make_content(self._networks, [spoken for _, spoken in pairs])
        with self._timed("noise"):
            rows = zip(pairs, contents, strict=True)
            noises = [line_noise(line.seed, self._voice, content) for (line, _), content in rows]
        with self._timed("mel"):
            return make_mels(self._networks, voices, contents, noises, self._way.flow)

    def _waveforms(self, mels: list[Tensor]) -> list[Tensor]:
        return [waveform.float().cpu() for waveform in make_waveforms(self._networks, mels)]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = now_s(self._networks.device)
        yield
        self.spent_s[stage] += now_s(self._networks.device) - start


def make_lines(lengths_s: Sequence[float], num_text_ids: int) -> list[Line]:
    """Return lines of some lengths, each with as much text as speech of that length has."""
    random = torch.Generator().manual_seed(0)
    lines = []
    for seed, length_s in enumerate(lengths_s):
        num_codes = round(length_s * _CODE_RATE)
        count = max(_FEWEST_TEXT_IDS, num_codes // _CODES_A_TEXT_ID)
        ids = torch.randint(2, num_text_ids, (count,), generator=random)
        lines.append(Line(tuple(ids.tolist()), num_codes, seed))
    return lines


def measure(speaker: Speaker, lines: list[Line], batch: int) -> tuple[float, int]:
    """Make all lines in batches; return seconds of audio and the peak of memory in bytes."""
    is_gpu = torch.cuda.is_available()
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    lengths = [len(line.text_ids) for line in lines]
    samples = map_batches(speaker.say, lines, lengths, BatchLimits(batch))
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = torch.cuda.max_memory_allocated() if is_gpu else resident
    return sum(samples) / _SAMPLE_RATE, peak


def print_figures(figures: Sequence[Figures]) -> None:
    """Print what each stage costs, and what batches gain."""
    first, console = figures[0], Console()
    table = Table("ms for a second of audio", *(f"batch {each.batch}" for each in figures))
    for stage in STAGES:
        table.add_row(stage, *(_cost(each, first, stage) for each in figures))
    for name, stages in (("whole line", STAGES), ("face only", FACE_STAGES)):
        speeds = [each.speed(stages) for each in figures]
        cells = (f"{x:.2f} audio s/s, x{x / speeds[0]:.2f}" for x in speeds)
        table.add_row(name, *cells)
    table.add_row("peak memory", *(f"{each.peak_bytes / 1e9:.2f} GB" for each in figures))
    console.print(table)


def _cost(figures: Figures, first: Figures, stage: str) -> str:
    cost, base = (1000 * f.spent_s[stage] / f.audio_s for f in (figures, first))
    floor = figures.floors_s.get(stage)
    share = f", {floor / figures.spent_s[stage]:.0%} of floor" if floor else ""
    return f"{cost:.1f}, x{base / cost:.2f}{share}"


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", choices=WIDTHS, default="reduced")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--step", choices=("plain", "graphed"), help="graphed needs a GPU")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--num-lines", type=int, default=16)
    parser.add_argument("--lengths-s", type=float, nargs="+", help="instead of the table's")
    parser.add_argument("--prompt-s", type=float, default=3.0)
    parser.add_argument("--beams", type=int, default=Rules().num_beams)
    parser.add_argument("--flow-steps", type=int, default=FlowSettings().num_steps)
    parser.add_argument("--one-pass", action="store_true", help="positions as in training")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure and print a table."""
    given = _read_arguments()
    torch.set_num_threads(1)
    device, sizes = torch.device(given.device), WIDTHS[given.width]
    step = given.step or ("graphed" if device.type == "cuda" else "plain")
    way = Way(
        Rules(num_beams=given.beams),
        FlowSettings(num_steps=given.flow_steps),
        TRAINED_POSITION if given.one_pass else SKIPPED_POSITION,
        GraphedStep if step == "graphed" else PlainStep,
    )
    start = now_s(device)
    networks = make_networks(sizes, given.device, given.precision)
    built = now_s(device)
    voice = make_voice(networks, given.prompt_s)
    voiced = now_s(device)
    print(f"networks {built - start:.1f} s, a voice of {given.prompt_s:g} s {voiced - built:.1f} s")
    machine = measure_machine(device, PRECISIONS[given.precision])
    print(f"matmul {machine.flops / 1e12:.2f} TFLOP/s, copy {machine.bytes / 1e9:.0f} GB/s")
    lengths_s = given.lengths_s or draw_lengths_s(given.num_lines, seed=0)
    lines = make_lines(lengths_s, sizes.gpt.num_text_ids)
    figures = []
    for batch in given.batches:
        speaker = Speaker(networks, voice, way)
        if device.type == "cuda":
            measure(Speaker(networks, voice, way), lines[:batch], batch)
        audio_s, peak = measure(speaker, lines, batch)
        floors = {}
        if given.width == "full":
            floors = floors_s(speaker.loads, machine, given.beams, given.flow_steps)
        figures.append(Figures(batch, audio_s, speaker.spent_s, floors, peak))
    print_figures(figures)
    if given.out:
        told = {"machine": asdict(machine), "figures": [asdict(each) for each in figures]}
        given.out.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
