"""How fast IndexTTS2 speaks, stage by stage, in batches and one line at a time.

    python -m benchmarks.indextts2_speed                                  # reduced, a processor
    python -m benchmarks.indextts2_speed --width full --shorten 5 --flow-steps 3 \
        --num-lines 32 --prompt-s 1                                       # published sizes, 25 min
    python -m benchmarks.indextts2_speed --width full --device cuda --precision bfloat16 \
        --batches 1 16 64 256 --num-lines 1024 --prompt-s 8

Weights are random and every line ends where a seeded table says; `--shorten` divides that. Lines
are cut into shards by the pipeline's own ledger and given in calls of as many as the engine asks
for; its own maker works on them, in its precisions. Texts are normalised, as the engine does first;
their ids are drawn, since there is no tokeniser here, and its work is of microseconds. Without a
GPU one core is used, and times are of the processor, so that other work counts little.
"""

import argparse
import json
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.indextts2_floors import Load, Machine, floors_s, measure_machine, now_s
from benchmarks.indextts2_model import PRECISIONS, WIDTHS, make_networks, make_voice
from benchmarks.lines import draw_lengths_s, draw_text, write_script
from unitaf.pipelines.ledger import Assigned, Ledger
from unitaf.script.lines import ScriptDefaults, ScriptLine
from unitaf.script.script import open_script
from unitaf.tts.indextts2.engine import lines_a_call
from unitaf.tts.indextts2.graphs import GraphedStep, PlainStep
from unitaf.tts.indextts2.maker import Maker, Piece, SpeechSettings
from unitaf.tts.indextts2.normaliser import normalise_text
from unitaf.tts.indextts2.search import Rules
from unitaf.tts.indextts2.synthesis import FlowSettings, Segment, Spoken, Written
from unitaf.tts.indextts2.voice import Voice

FACE_STAGES = ("text", "decoding", "latents")
"""All that a face needs."""
STAGES = (*FACE_STAGES, "noise", "mel", "vocoder")

_CODE_RATE, _SAMPLE_RATE = 50, 22050
_CODES_A_TEXT_ID, _FEWEST_TEXT_IDS = 11, 5


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose length is given."""

    text: str
    text_ids: tuple[int, ...]
    num_codes: int
    seed: int


@dataclass(slots=True)
class Clock:
    """Adds up seconds by stage; a stage inside another is not counted twice.

    Args:
        device: What is waited for.
    """

    device: torch.device
    spent_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _open: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count what is done inside for a stage."""
        self._open.append(stage)
        start = now_s(self.device)
        yield
        spent_s = now_s(self.device) - start
        self._open.pop()
        self.spent_s[stage] += spent_s
        if self._open:
            self.spent_s[self._open[-1]] -= spent_s


@dataclass(frozen=True, kw_only=True)
class TimedMaker(Maker):
    """The engine's maker with a clock at every stage."""

    clock: Clock
    loads: list[Load]
    """The batches that were decoded."""

    def write(self, batch: list[Piece]) -> list[Written]:
        """Decode segments."""
        with self.clock.timed("decoding"):
            written = super().write(batch)
        segments = [piece.segment for piece in batch]
        text_ids = np.array([len(segment.text_ids) for segment in segments])
        codes = np.array([len(each.codes) for each in written])
        self.loads.append(Load(text_ids, codes, len(segments[0].voice.content)))
        return written

    def read(self, batch: list[tuple[Piece, Written]]) -> list[Spoken]:
        """Compute what codes mean."""
        with self.clock.timed("latents"):
            return super().read(batch)

    def mels(self, batch: list[tuple[Piece, Spoken]]) -> list[Float[Tensor, "mels _"]]:
        """Make the mels of segments."""
        with self.clock.timed("mel"):
            return super().mels(batch)

    def noise(
        self, piece: Piece, content: Float[Tensor, "line_frames content"]
    ) -> Float[Tensor, "mels frames"]:
        """Draw the noise of a mel."""
        with self.clock.timed("noise"):
            return super().noise(piece, content)

    def waveforms(self, batch: list[Float[Tensor, "mels _"]]) -> list[Float[Tensor, " _"]]:
        """Make the waveforms of mels."""
        with self.clock.timed("vocoder"):
            return super().waveforms(batch)


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


def make_lines(lengths_s: Sequence[float], num_text_ids: int) -> list[Line]:
    """Return lines of some lengths, each with as much text as speech of that length has."""
    random = torch.Generator().manual_seed(0)
    lines = []
    for seed, length_s in enumerate(lengths_s):
        num_codes = max(1, round(length_s * _CODE_RATE))
        count = max(_FEWEST_TEXT_IDS, num_codes // _CODES_A_TEXT_ID)
        ids = torch.randint(2, num_text_ids, (count,), generator=random)
        lines.append(Line(draw_text(length_s, seed), tuple(ids.tolist()), num_codes, seed))
    return lines


def cut_calls(lines: Sequence[Line], shard_size: int, batch: int) -> Iterator[list[Line]]:
    """Yield lines as a worker gives them to the engine: as many as it asks for, of one shard."""
    with TemporaryDirectory(prefix="unitaf-") as scratch:
        script, ledger = Path(scratch) / "script.csv", Ledger(Path(scratch))
        write_script(script, [line.text for line in lines])
        ledger.load(open_script(script, ScriptDefaults()), _assigned)
        shards = [[lines[said.seed] for said, _ in cut.lines] for cut in ledger.cut(shard_size)]
        ledger.close()
    size = lines_a_call(batch)
    for shard in shards:
        yield from (shard[start : start + size] for start in range(0, len(shard), size))


def _assigned(line: ScriptLine) -> Assigned:
    return Assigned(line.utterance, line.utterance.id, "")


def say(maker: TimedMaker, voice: Voice, lines: Sequence[Line]) -> int:
    """Make the lines of one call and return how many samples they have."""
    with maker.clock.timed("text"):
        for line in lines:
            normalise_text(line.text)
    pieces = [
        Piece(Segment(line.text_ids, voice, voice.spoken, line.num_codes), line.seed)
        for line in lines
    ]
    return sum(map(len, maker.sound(pieces, maker.speak(pieces))))


def measure(
    maker: TimedMaker, voice: Voice, lines: Sequence[Line], shard_size: int
) -> tuple[float, int]:
    """Make all lines; return seconds of audio and the peak of memory in bytes."""
    is_gpu = maker.clock.device.type == "cuda"
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    calls = cut_calls(lines, shard_size, maker.batch_size)
    samples = sum(say(maker, voice, call) for call in calls)
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = torch.cuda.max_memory_allocated() if is_gpu else resident
    return samples / _SAMPLE_RATE, peak


def print_figures(console: Console, figures: Sequence[Figures]) -> None:
    """Print what each stage costs, and what batches gain."""
    first = figures[0]
    table = Table("ms for a second of audio", *(f"batch {each.batch}" for each in figures))
    for stage in STAGES:
        table.add_row(stage, *(_cost(each, first, stage) for each in figures))
    for name, stages in (("whole line", STAGES), ("face only", FACE_STAGES)):
        speeds = [each.speed(stages) for each in figures]
        cells = (f"{x:.3f} audio s/s, x{x / speeds[0]:.2f}" for x in speeds)
        table.add_row(name, *cells)
    table.add_row("peak memory", *(f"{each.peak_bytes / 1e9:.2f} GB" for each in figures))
    console.print(table)


def _cost(figures: Figures, first: Figures, stage: str) -> str:
    cost, base = (1000 * f.spent_s[stage] / f.audio_s for f in (figures, first))
    floor = figures.floors_s.get(stage)
    share = f", {floor / figures.spent_s[stage]:.0%} of floor" if floor else ""
    return f"{cost:.1f}, x{base / cost:.2f}{share}"


def _read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", choices=WIDTHS, default="reduced")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--step", choices=("plain", "graphed"), help="graphed needs a GPU")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--num-lines", type=int, default=16)
    parser.add_argument("--shard-size", type=int, default=256)
    parser.add_argument("--lengths-s", type=float, nargs="+", help="instead of the table's")
    parser.add_argument("--shorten", type=float, default=1.0, help="lengths are divided by it")
    parser.add_argument("--prompt-s", type=float, default=3.0)
    parser.add_argument("--beams", type=int, default=Rules().num_beams)
    parser.add_argument("--flow-steps", type=int, default=FlowSettings().num_steps)
    parser.add_argument("--one-pass", action="store_true", help="positions as in training")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print a table, anew with every size of batches."""
    given, console = _read_arguments(words), Console()
    torch.set_num_threads(1)
    device, sizes = torch.device(given.device), WIDTHS[given.width]
    settings = SpeechSettings(
        Rules(num_beams=given.beams),
        FlowSettings(num_steps=given.flow_steps),
        reproduces_upstream=not given.one_pass,
    )
    step = given.step or ("graphed" if device.type == "cuda" else "plain")
    start = now_s(device)
    networks = make_networks(sizes, given.device, given.precision)
    built = now_s(device)
    voice = make_voice(networks, given.prompt_s)
    voiced = now_s(device)
    told = f"networks {built - start:.1f} s, a voice of {given.prompt_s:g} s {voiced - built:.1f} s"
    console.print(told)
    machine = measure_machine(device, PRECISIONS[given.precision])
    console.print(f"matmul {machine.flops / 1e12:.2f} TFLOP/s, copy {machine.bytes / 1e9:.0f} GB/s")
    lengths_s = given.lengths_s or draw_lengths_s(given.num_lines, seed=0)
    lines = make_lines([each / given.shorten for each in lengths_s], sizes.gpt.num_text_ids)
    normalise_text(lines[0].text)  # Reads its rules at the first call.

    def maker(batch: int) -> TimedMaker:
        new_step = GraphedStep if step == "graphed" else PlainStep
        return TimedMaker(networks, settings, batch, new_step, clock=Clock(device), loads=[])

    figures: list[Figures] = []
    for batch in given.batches:
        few = lines[: batch if device.type == "cuda" else 1]
        measure(maker(batch), voice, few, given.shard_size)  # What is first is slow.
        made = maker(batch)
        audio_s, peak = measure(made, voice, lines, given.shard_size)
        floors = {}
        if given.width == "full":
            floors = floors_s(made.loads, machine, given.beams, given.flow_steps)
        figures.append(Figures(batch, audio_s, made.clock.spent_s, floors, peak))
        print_figures(console, figures)
        if given.out:
            _write(given.out, machine, figures)


def _write(out: Path, machine: Machine, figures: Sequence[Figures]) -> None:
    told = {"machine": asdict(machine), "figures": [asdict(each) for each in figures]}
    out.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
