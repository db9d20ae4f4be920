"""A corpus teaches IndexTTS2 to sound like it: recordings in, a model to speak with out.

This is no stage of `unitaf train`. The stages there read the features of a frozen engine, which are
kept with the corpus; a taught engine has others. So an engine is taught first, and the corpus is
prepared with the result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from unitaf.build import build_indextts2
from unitaf.config import AdaptConfig
from unitaf.data.clip_reader import ClipReader
from unitaf.data.clips import Clip
from unitaf.data.corpus import Corpus, open_corpus
from unitaf.errors import ConfigError, InputError

if TYPE_CHECKING:
    from unitaf.tts.indextts2.adaptation import Lesson
    from unitaf.tts.indextts2.engine import IndexTts2

_MOST_JUDGED = 64


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """How a teaching went."""

    clips: int
    """That were taught."""
    rejects: tuple[str, ...]
    """Clips that could not be, each with the reason."""
    judged_on: str
    """``val`` clips, which were not taught, if the corpus has any; else ``train`` clips."""
    loss_before: float
    loss_after: float


def adapt(config: AdaptConfig, on_step: Callable[[int, float], None]) -> AdaptReport:
    """Teach the engine of a job with the training clips of a corpus, and write the result.

    Args:
        config: The job.
        on_step: Told the number of every step, from 1, and its loss.

    Raises:
        ConfigError: If a setting, the corpus or the model cannot be used; nothing has been made.
    """
    if Path(config.out).exists():
        raise ConfigError(f"out: {config.out} exists already: give the name of a new folder")
    if find_spec("peft") is None:
        raise ConfigError("peft is not installed; run pip install 'unitaf[indextts2]'")
    engine = build_indextts2(config.tts)
    corpus = open_corpus(config.corpus)
    # Brings torch, which a wrong setting need not wait for.
    from unitaf.tts.indextts2 import adaptation

    rejects: list[str] = []
    taught = _lessons(engine, _clips(corpus, "train"), rejects)
    held_out = _lessons(engine, _clips(corpus, "val", _MOST_JUDGED), rejects)
    if not taught:
        raise ConfigError(f"corpus {config.corpus} has no training clip that can be taught")
    judged, name = (held_out, "val") if held_out else (taught[:_MOST_JUDGED], "train")
    gpt = engine.networks.gpt
    before = adaptation.mean_loss(gpt, judged)
    teaching = adaptation.Teaching(
        config.steps, config.clips, config.learning_rate, config.rank, seed=config.seed
    )
    adaptation.adapt(gpt, taught, teaching, on_step)
    adaptation.write_adapted(Path(config.tts.path), Path(config.out), gpt)
    after = adaptation.mean_loss(gpt, judged)
    return AdaptReport(len(taught), tuple(rejects), name, before, after)


def _clips(corpus: Corpus, split: str, most: int | None = None) -> Iterator[Clip]:
    rows = corpus.clips(split).slice(0, most).select(["file", "file_row"]).to_pylist()
    return map(ClipReader(corpus).clip, rows)


def _lessons(engine: "IndexTts2", clips: Iterator[Clip], rejects: list[str]) -> "Sequence[Lesson]":
    """Return clips as the GPT is taught them; add those that cannot be to the rejects."""
    from unitaf.tts.indextts2.adaptation import Lesson

    lessons: list[Lesson] = []
    while batch := list(islice(clips, engine.batch_size)):
        recordings = []
        for clip in batch:
            try:
                recordings.append(
                    engine.recording(clip.recorded, clip.waveform(), clip.sample_rate)
                )
            except InputError as error:
                rejects.append(f"clip {clip.id}: {error.reason}")
        for said, heard in zip(recordings, engine.hear(recordings), strict=True):
            codes = heard.codes[: heard.num_whole]
            lessons.append(Lesson(said.text_ids, codes, said.voice.speaker_latents, heard.emotion))
    return lessons
