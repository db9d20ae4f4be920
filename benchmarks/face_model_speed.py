"""How fast adapter and decoder turn features into curves on one core, at the embedded size.

python -m benchmarks.face_model_speed
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from unitaf.face.adapter import FeatureAdapter
from unitaf.face.decoder import TcnDecoder, make_head
from unitaf.face.expression import EmotionResidual, emotion_channels
from unitaf.face.model import FaceModel
from unitaf.rigs.arkit import CHANNELS

_FEATURE_DIM, _FEATURE_RATE, _ENCODER_DIM = 256, 80.0, 384
_DURATIONS_S = (1, 3, 10)


def make_model(fps: float, expressive: bool) -> FaceModel:
    """Return an untrained model of the embedded size: hibari's features to Whisper tiny's width."""
    expression = EmotionResidual(_FEATURE_DIM, emotion_channels(CHANNELS)) if expressive else None
    adapter = FeatureAdapter(_FEATURE_DIM, _FEATURE_RATE, _ENCODER_DIM, fps)
    decoder = TcnDecoder(_ENCODER_DIM, num_styles=10)
    return FaceModel(adapter, decoder, make_head(256, len(CHANNELS)), expression).eval()


def one_clip(model: FaceModel, duration_s: int) -> Callable[[], object]:
    """Return a call that decodes one clip."""
    steps, frames = round(duration_s * _FEATURE_RATE), round(duration_s * model.fps)
    features = torch.randn(1, steps, _FEATURE_DIM)
    step_mask, frame_mask = torch.ones(1, steps).bool(), torch.ones(1, frames).bool()
    style_ids, emotion = torch.tensor([0]), torch.zeros(1, 8)
    return lambda: model(features, step_mask, frame_mask, style_ids, emotion)


def times_real_time(
    call: Callable[[], object], duration_s: int, repeats: int
) -> tuple[float, float]:
    """Return seconds of speech a second: of CPU time in the median, and of wall time at best."""
    cpu_s, wall_s = [], []
    with torch.inference_mode():
        for _ in range(repeats):
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            cpu_s.append(time.process_time() - cpu)
            wall_s.append(time.perf_counter() - wall)
    return duration_s / statistics.median(cpu_s), duration_s / min(wall_s)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    table = Table("model", "fps", "clip (s)", "x real time, CPU median", "x real time, wall best")
    for name, expressive in (("adapter + decoder", False), ("with expression", True)):
        for fps in (30.0, 60.0):
            model = make_model(fps, expressive)
            for duration_s in _DURATIONS_S:
                figures = times_real_time(one_clip(model, duration_s), duration_s, repeats)
                table.add_row(name, f"{fps:g}", str(duration_s), *(f"{x:.0f}" for x in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
