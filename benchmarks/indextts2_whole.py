"""IndexTTS2 of the published sizes from end to end, through the engine as it is used.

    python -m benchmarks.indextts2_whole                      # 7 GB of disk, 9 GB of memory
    python -m benchmarks.indextts2_whole --width reduced

A folder is written as published, with random weights that end every line after so many codes. It is
held against the published layout and loaded; then it says two lines, and the same again without
sound, as a face needs them. Times are of the processor, of one core.
"""

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.indextts2_files import write_model
from benchmarks.indextts2_model import WIDTHS
from unitaf.audio import encode_audio
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.frontend import MEL_RATE
from unitaf.tts.indextts2.inspection import inspect_model
from unitaf.tts.indextts2.loading import ModelSizes
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.types import Utterance

LINES = (
    Utterance("short", "Stop.", speaker="ann", seed=1),
    Utterance("longer", "The ship sails at dawn.", speaker="ann", seed=2),
)


class StageClock:
    """Adds up the seconds that networks are at work.

    Args:
        networks: All networks.

    Attributes:
        spent_s: Seconds by stage.
    """

    def __init__(self, networks: Networks) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self._started_s = 0.0
        conditioner, s2mel = networks.conditioner, networks.s2mel
        stages: dict[str, tuple[nn.Module, ...]] = {
            "speech encoder": (networks.speech_encoder,),
            "semantic codec": (networks.codec,),
            "style encoder": (networks.style_encoder,),
            "conformers": (conditioner.conditioning_encoder, conditioner.emo_conditioning_encoder),
            "GPT": (networks.gpt,),
            "length regulator": (s2mel.length_regulator,),
            "flow": (s2mel.cfm,),
            "vocoder": (networks.vocoder,),
        }
        for stage, modules in stages.items():
            for module in modules:
                self._watch(module, stage)

    def _watch(self, module: nn.Module, stage: str) -> None:
        def begin(*_: object) -> None:
            self._started_s = time.process_time()

        def end(*_: object) -> None:
            self.spent_s[stage] += time.process_time() - self._started_s

        module.register_forward_pre_hook(begin)
        module.register_forward_hook(end)


def measure(sizes: ModelSizes, num_codes: int, prompt_s: float, console: Console) -> None:
    """Write a model, say the lines with it, and print where the time went."""
    with TemporaryDirectory(prefix="unitaf-") as scratch:
        folder, clip = Path(scratch), Path(scratch) / "voice.wav"
        noise = np.random.default_rng(0).standard_normal(round(prompt_s * MEL_RATE), np.float32)
        clip.write_bytes(encode_audio(0.1 * noise, MEL_RATE, "wav"))
        spent_s: dict[str, float] = {}
        with _timed(spent_s, "write files"):
            write_model(folder, sizes, num_codes)
        with _timed(spent_s, "hold keys and shapes against the layout"):
            checks = inspect_model(folder)
        assert all(check.is_good and not check.unused for check in checks)
        keys, total = sum(len(c.keys) for c in checks), sum(c.size_bytes or 0 for c in checks)
        console.print(
            f"{keys:,} keys in {total / 1e9:.2f} GB, none missing, of a wrong shape or extra"
        )
        engine = make_engine(folder, clip)
        with _timed(spent_s, "hash files"):
            _ = engine.fingerprint
        with _timed(spent_s, "load"):
            engine.load()
        clock = StageClock(engine.networks)
        with _timed(spent_s, "two lines"):
            speeches = engine.synthesize(LINES)
        face = make_engine(folder, clip, has_sound=False)
        face.networks, face.cast = engine.networks, engine.cast
        for stage, seconds in clock.spent_s.items():
            spent_s[f"  {stage}"] = seconds
        with _timed(spent_s, "the same again, for the face only"):
            face.synthesize(LINES)
    assert engine.cast.num_runs == 1
    print_figures(console, spent_s, [speech.duration_s for speech in speeches])


def make_engine(folder: Path, clip: Path, *, has_sound: bool = True) -> IndexTts2:
    """Return the engine with one voice."""
    settings = SpeechSettings(has_sound=has_sound)
    return IndexTts2(folder, {"*": VoiceSource(str(clip))}, settings, Hardware(batch_size=2))


def print_figures(console: Console, spent_s: dict[str, float], durations_s: list[float]) -> None:
    """Print seconds and the peak of memory."""
    table = Table("stage", "seconds")
    for stage, seconds in spent_s.items():
        table.add_row(stage, f"{seconds:.2f}")
    console.print(table)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = " and ".join(f"{duration:.2f} s" for duration in durations_s)
    console.print(f"lines of {told}; at most {peak / 1e9:.1f} GB, mapped files included")


@contextmanager
def _timed(spent_s: dict[str, float], stage: str) -> Iterator[None]:
    started_s = time.process_time()
    yield
    spent_s[stage] = time.process_time() - started_s


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", choices=WIDTHS, default="full")
    parser.add_argument("--codes", type=int, default=30, help="of each line, 20 ms each")
    parser.add_argument("--prompt-s", type=float, default=1.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    width = WIDTHS[given.width]
    sizes = ModelSizes(width.gpt, width.codec, width.s2mel, width.encoder, width.vocoder)
    measure(sizes, given.codes, given.prompt_s, Console())


if __name__ == "__main__":
    main()
