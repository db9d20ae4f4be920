"""What a face costs on one core: the models that ship, the rules, and a model's network alone.

    python -m benchmarks.face_model_speed [hibari|kokoro] [--checkpoint FOLDER]

The lines of the demo are said once (Kokoro says those of the languages script that it can); then
every face moves all of them, in turns. Times are of the processor, so that other work on the
machine counts little. What a worker pays once, a process of its own measures: seconds and memory
from the speech to the first face.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

import torch
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from unitaf.build import build_face, build_tts, embedded_face
from unitaf.checkpoint.animator import CheckpointAnimator
from unitaf.checkpoint.face_model import load_face_model
from unitaf.config import AutoFaceConfig, FaceModelConfig, TtsConfig
from unitaf.face.visemes import VisemeAnimator
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script
from unitaf.types import FaceAnimator, Speech, TextToSpeech, Utterance

SCRIPTS = {"hibari": "ray_jobs/scripts/demo.csv", "kokoro": "ray_jobs/scripts/languages.csv"}
STYLE = "plain"

_FIRST_FACE = """
import time
import psutil
from unitaf.build import build_face, build_tts
from unitaf.config import load_config
from unitaf.types import Utterance

config = load_config(None, ["tts.kind={engine}", "face.kind={face}"])
said, engine = [Utterance("a", "Hello.")], build_tts(config.tts)
speeches = engine.synthesize(said)
memory = psutil.Process().memory_info
begun, before = time.perf_counter(), memory().rss
build_face(config.face, engine).animate(said, speeches, 60.0)
print(time.perf_counter() - begun, (memory().rss - before) / 2**20)
"""


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engine", nargs="?", choices=SCRIPTS, default="hibari")
    parser.add_argument("--checkpoint", help="a model instead of the one that ships")
    parser.add_argument("--repeats", type=int, default=15)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    engine = build_tts(TypeAdapter(TtsConfig).validate_python({"kind": asked.engine}))
    lines = _lines(SCRIPTS[asked.engine], engine)
    speeches = [engine.synthesize([line])[0] for line in lines]
    duration_s = sum(speech.duration_s for speech in speeches)
    Console().print(f"{len(lines)} lines, {duration_s:.0f} s of speech")
    table = Table("face", "fps", "x real time, median", "x real time, best", "over rules, median")
    for fps in (30.0, 60.0):
        taken = _times(_faces(engine, asked.checkpoint), lines, speeches, fps, asked.repeats)
        rules_s = statistics.median(taken["rules"])
        for name, seconds in taken.items():
            median_s, best_s = statistics.median(seconds), min(seconds)
            speeds = (duration_s / median_s, duration_s / best_s)
            ratio = f"{rules_s / median_s:.2f}"
            table.add_row(name, f"{fps:g}", *(f"{speed:.0f}" for speed in speeds), ratio)
    Console().print(table)
    once = Table("face", "first face (s)", "memory (MB)")
    for kind in ("visemes", "auto"):
        code = _FIRST_FACE.format(engine=asked.engine, face=kind)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        seconds, megabytes = map(float, done.stdout.split())
        once.add_row(kind, f"{seconds:.2f}", f"{megabytes:.0f}")
    Console().print(once)


def _lines(script: str, engine: TextToSpeech) -> list[Utterance]:
    read = open_script(script, ScriptDefaults()).batches()
    said = [line.utterance for batch in read for line in batch.lines]
    spoken = {language.split("-")[0] for language in engine.languages}
    return [line for line in said if line.language.split("-")[0] in spoken]


def _faces(engine: TextToSpeech, checkpoint: str | None) -> dict[str, FaceAnimator]:
    folder = checkpoint or str(embedded_face(engine))
    whole = build_face(
        FaceModelConfig(kind="model", checkpoint=checkpoint, style=STYLE)
        if checkpoint
        else AutoFaceConfig(style=STYLE),
        engine,
    )
    return {
        "rules": VisemeAnimator(),
        "model, completed by rules": whole,
        "its network alone": CheckpointAnimator(folder, STYLE),
        "its network in torch": load_face_model(folder).animator(STYLE),
    }


def _times(
    faces: dict[str, FaceAnimator],
    lines: Sequence[Utterance],
    speeches: Sequence[Speech],
    fps: float,
    repeats: int,
) -> dict[str, list[float]]:
    """Return the seconds that each face took for all lines, each time; in turns."""
    taken: dict[str, list[float]] = {name: [] for name in faces}
    for face in faces.values():
        face.animate(lines[:1], speeches[:1], fps)
    for _ in range(repeats):
        for name, face in faces.items():
            begun = time.process_time()
            face.animate(lines, speeches, fps)
            taken[name].append(time.process_time() - begun)
    return taken


if __name__ == "__main__":
    main()
