"""What a Triton server costs over the same engine and face in this process, on the same machine.

    make .venv-triton/installed
    .venv-triton/bin/python -m benchmarks.triton_overhead [--lines 100]

Both sides have the Python of the server, so the same numpy computes. Line by line, the embedded
voice and face make a take here and then there; the order changes with every line, so other work on
the machine slows both. Processor time is of this process here, and of it and the server there.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchmarks.lines import write_dialogue
from tests.serving.triton_server import TritonServer
from unitaf.build import build_face, build_tts
from unitaf.config import load_config
from unitaf.serving.repository import export_repository
from unitaf.types import FaceAnimator, FaceMotion, Speech, TextToSpeech, Utterance

FPS = 60.0
SEED = 1


@dataclass
class Side:
    """An engine and a face, and the time that they took."""

    tts: TextToSpeech
    face: FaceAnimator
    spent_s: Callable[[], float]
    """Processor time so far."""
    speech_s: float = 0.0
    face_s: float = 0.0
    processor_s: float = 0.0
    made: list[tuple[Speech, FaceMotion]] = field(default_factory=list)

    def make(self, lines: list[Utterance]) -> None:
        """Make takes and note the time."""
        spent_s, started_s = self.spent_s(), time.perf_counter()
        speeches = self.tts.synthesize(lines)
        said_s = time.perf_counter()
        motions = self.face.animate(lines, speeches, FPS)
        self.face_s += time.perf_counter() - said_s
        self.speech_s += said_s - started_s
        self.processor_s += self.spent_s() - spent_s
        self.made += zip(speeches, motions, strict=True)

    def forget(self) -> None:
        """Begin anew."""
        self.speech_s = self.face_s = self.processor_s = 0.0
        self.made.clear()


def read_lines(count: int) -> list[Utterance]:
    """Return lines as long as game dialogue is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lines.csv")
        write_dialogue(path, count, SEED)
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
    return [Utterance(row["line_id"], row["text"], seed=int(row["seed"])) for row in rows]


def local_side() -> Side:
    """Return the engine and the face in this process."""
    job = load_config(None)
    tts = build_tts(job.tts)
    return Side(tts, build_face(job.face, tts), time.process_time)


def remote_side(server: TritonServer, in_flight: int) -> Side:
    """Return the engine and the face on a server."""
    where = f"{{kind: triton, url: '{server.url}', max_in_flight: {in_flight}}}"
    job = load_config(None, [f"tts={where}", f"face={where}"])
    tts = build_tts(job.tts)

    models = server.processes()
    watched = [process for process in (*models, models[0].parent()) if process]

    def spent_s() -> float:
        times = [process.cpu_times() for process in watched]
        return time.process_time() + sum(each.user + each.system for each in times)

    return Side(tts, build_face(job.face, tts), spent_s)


def compare(here: Side, there: Side, lines: list[Utterance], at_once: int) -> None:
    """Make lines on both sides in turns and print how they compare."""
    for side in (here, there):
        side.make(lines[:at_once])
        side.forget()
    for number, start in enumerate(range(0, len(lines), at_once)):
        sides = (here, there) if number % 2 else (there, here)
        for side in sides:
            side.make(lines[start : start + at_once])
    for (speech, motion), (other, moved) in zip(here.made, there.made, strict=True):
        if speech.waveform.tobytes() != other.waveform.tobytes():
            raise RuntimeError("the server made another sound")
        if motion.curves.tobytes() != moved.curves.tobytes():
            raise RuntimeError("the server made another motion")
    audio_s = sum(speech.duration_s for speech, _ in here.made)
    rows = [
        ("speech", here.speech_s, there.speech_s),
        ("face", here.face_s, there.face_s),
        ("take", here.speech_s + here.face_s, there.speech_s + there.face_s),
        ("processor", here.processor_s, there.processor_s),
    ]
    print(f"{len(lines)} lines, {audio_s:.0f} s of audio, {at_once} in flight")
    print(f"{'':12}here, s  there, s  ratio  more ms a line")
    for name, mine, its in rows:
        more_ms = 1000 * (its - mine) / len(lines)
        print(f"{name:12}{mine:7.2f}{its:10.2f}{its / mine:7.3f}{more_ms:16.1f}", flush=True)


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100)
    lines = read_lines(parser.parse_args().lines)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        export_repository(Path(folder, "repository"), load_config(None))
        server = TritonServer(Path(folder, "server"), Path(folder, "repository"))
        try:
            server.start()
            for at_once in (1, 8):
                compare(local_side(), remote_side(server, at_once), lines, at_once)
        finally:
            server.close()


if __name__ == "__main__":
    main()
