"""The GPT taught by recordings, for when what it says drifts from the data it is to sound like.

Low-rank updates of every linear layer of its blocks (LoRA, Hu et al. 2022), merged at the end, so
that the result is a model like the published one. The loss is UniTAF's (arXiv 2602.15651): cross
entropy of the text with weight 0.2 and of the recording's codes with 0.8.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from jaxtyping import Float
from torch import Tensor

from unitaf.audio import torchaudio_functional
from unitaf.errors import ConfigError, StorageError
from unitaf.tts.indextts2.digests import KEPT
from unitaf.tts.indextts2.files import GPT, find_files, read_weights
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.prompt import join_conditions
from unitaf.tts.indextts2.teaching import teach, teaching_losses
from unitaf.tts.voices import INDEXTTS2_TERMS

_TEXT_WEIGHT, _CODE_WEIGHT = 0.2, 0.8
_TARGETS = ("c_attn", "c_proj", "c_fc")
_GRADIENT_CLIP = 1.0
_NOTICE = "NOTICE.txt"
_CHANGED = (
    "gpt.pth was changed: it was taught by recordings. Whoever passes this model on adds a copy of"
    " the agreement that came with the published files, and the disclaimer of its section 4.1."
)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A recorded line as the GPT is taught it."""

    text_ids: tuple[int, ...]
    codes: tuple[int, ...]
    speaker_latents: Float[Tensor, "latents dim"]
    emotion: Float[Tensor, " dim"]


@dataclass(frozen=True, slots=True)
class Teaching:
    """How the GPT is taught; the defaults are UniTAF's."""

    steps: int
    lines: int = 2
    """Of a step."""
    learning_rate: float = 5e-7
    rank: int = 128
    """Of the updates; their alpha is the same."""
    warmup_steps: int = 50
    seed: int = 0


def adapt(
    gpt: SpeechGpt,
    lessons: Sequence[Lesson],
    teaching: Teaching,
    on_step: Callable[[int, float], None],
) -> None:
    """Teach a GPT in place.

    Args:
        gpt: In single precision.
        lessons: All of them; each is taught once before any is again.
        teaching: How.
        on_step: Told the number of every step, from 1, and its loss.
    """
    torchaudio_functional()  # peft imports transformers, which imports torchaudio.
    from peft import LoraConfig, LoraModel

    updates = LoraConfig(
        r=teaching.rank,
        lora_alpha=teaching.rank,
        target_modules=list(_TARGETS),
        fan_in_fan_out=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(teaching.seed)
        wrapped = LoraModel(gpt, {"default": updates}, "default")
    learnt = [parameter for parameter in gpt.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=teaching.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, teaching))
    batches = _batches(lessons, teaching)
    for step in range(1, teaching.steps + 1):
        loss = lesson_loss(gpt, next(batches))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learnt, _GRADIENT_CLIP)
        optimiser.step()
        schedule.step()
        on_step(step, float(loss.detach()))
    wrapped.merge_and_unload()


def lesson_loss(gpt: SpeechGpt, lessons: Sequence[Lesson]) -> Float[Tensor, ""]:
    """Return how badly a GPT expects lines: 0.2 of the loss of texts and 0.8 of that of codes."""
    latents = torch.stack([lesson.speaker_latents for lesson in lessons])
    emotions = torch.stack([lesson.emotion for lesson in lessons])
    texts = [lesson.text_ids for lesson in lessons]
    codes = [lesson.codes for lesson in lessons]
    fed = [[gpt.sizes.start_code, *line] for line in codes]
    taught = teach(gpt, join_conditions(gpt, latents, emotions), texts, fed)
    losses = teaching_losses(gpt, taught, texts, codes)
    return _TEXT_WEIGHT * losses.text + _CODE_WEIGHT * losses.codes


@torch.no_grad()
def mean_loss(gpt: SpeechGpt, lessons: Sequence[Lesson]) -> float:
    """Return the mean loss of lines, each alone."""
    return sum(float(lesson_loss(gpt, [lesson])) for lesson in lessons) / len(lessons)


def write_adapted(folder: Path, out: Path, gpt: SpeechGpt) -> None:
    """Make a folder like a published one with another GPT; the other files are links to it.

    It is written beside its place and moved there, so that there is never a part of it.

    Args:
        folder: The published files.
        out: Must not exist.
        gpt: Takes the place of the published one.

    Raises:
        ConfigError: If a file is missing, or the folder exists.
        StorageError: If it cannot be written.
    """
    find_files(folder, [GPT])
    if out.exists():
        raise ConfigError(f"{out} exists already: give the name of a new folder")
    weights = read_weights(folder, GPT) | {k: v.cpu() for k, v in gpt.state_dict().items()}
    others = [path for path in folder.iterdir() if path.name not in (GPT.name, _NOTICE, KEPT)]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            part = Path(scratch) / out.name
            part.mkdir()
            torch.save({"model": weights}, part / GPT.name)
            for path in others:
                (part / path.name).symlink_to(path.resolve())
            (part / _NOTICE).write_text(f"{_CHANGED} {INDEXTTS2_TERMS}\n", encoding="utf-8")
            part.rename(out)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}") from error
    except RuntimeError as error:
        raise StorageError(f"cannot write {out}: the disk is full, or fails") from error


def _rate(step: int, teaching: Teaching) -> float:
    """Return the share of the learning rate: warmed up, then along half a cosine."""
    warmup = min(teaching.warmup_steps, teaching.steps // 10)
    if step < warmup:
        return (step + 1) / warmup
    passed = (step - warmup) / max(1, teaching.steps - warmup)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, passed)))


def _batches(lessons: Sequence[Lesson], teaching: Teaching) -> Iterator[list[Lesson]]:
    """Yield lines without end: in each round every one once, in an order of the seed."""
    random = torch.Generator().manual_seed(teaching.seed)
    waiting: list[int] = []
    while True:
        while len(waiting) < teaching.lines:
            waiting += torch.randperm(len(lessons), generator=random).tolist()
        yield [lessons[index] for index in waiting[: teaching.lines]]
        waiting = waiting[teaching.lines :]
