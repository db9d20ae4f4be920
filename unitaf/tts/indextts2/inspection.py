"""What is in a folder of published files, and what is wrong with it: all of it, not the first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from unitaf.errors import ConfigError
from unitaf.tts.indextts2 import files, glossary
from unitaf.tts.indextts2.description import EmotionReader
from unitaf.tts.indextts2.files import PublishedFile, read_weights
from unitaf.tts.indextts2.loading import (
    KeyCheck,
    ModelSizes,
    check_keys,
    needed_shapes,
    read_sizes,
    settings_problems,
)

_SETTINGS = (files.CONFIG, files.SPEECH_ENCODER_CONFIG, files.VOCODER_CONFIG)


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of a model."""

    file: PublishedFile
    is_needed: bool
    """Of a file that only describing emotions in words needs: false."""
    size_bytes: int | None
    """None: it is missing."""
    keys: tuple[KeyCheck, ...] = ()
    """Of a file of weights: every key that is needed or that nobody knows."""
    problems: tuple[str, ...] = ()
    """What is wrong with what is there."""

    @property
    def unused(self) -> tuple[str, ...]:
        """Keys that no network needs, of those that nobody knows."""
        return tuple(key.key for key in self.keys if key.needed is None)

    @property
    def is_missing(self) -> bool:
        """Whether it is not there."""
        return self.size_bytes is None

    @property
    def is_good(self) -> bool:
        """Whether the model can be used as far as this file goes."""
        return not self.problems and not (self.is_missing and self.is_needed)


def inspect_model(folder: Path) -> list[FileCheck]:
    """Hold every file, key and shape of a folder against the published layout.

    Raises:
        ConfigError: If it is no folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder with the published files of IndexTTS2")
    problems = settings_problems(folder)
    sizes = None if problems else read_sizes(folder)
    return [
        *(_inspect(folder, file, sizes, problems) for file in files.FILES),
        *_glossary(folder),
        *_emotion_reader(folder),
    ]


def _inspect(
    folder: Path,
    file: PublishedFile,
    sizes: ModelSizes | None,
    settings: Mapping[PublishedFile, str],
) -> FileCheck:
    present = _present(folder, file, is_needed=True)
    if present.is_missing:
        return present
    if file in settings:
        return _with(present, [settings[file]])
    if file in _SETTINGS:
        return present
    if sizes is None:
        return _with(present, ["not compared: the sizes in the configurations cannot be read"])
    if file is files.TOKENISER:
        return _with(present, _tokeniser_problems(folder, sizes))
    try:
        found = read_weights(folder, file)
    except ConfigError as error:
        return _with(present, [str(error)])
    return _with_keys(present, sizes, found)


def _glossary(folder: Path) -> list[FileCheck]:
    """Return what is wrong with the glossary, if there is one."""
    path, own = folder / glossary.NAME, PublishedFile(glossary.NAME, "")
    if not path.is_file():
        return []
    try:
        glossary.read_glossary(folder)
    except ConfigError as error:
        return [FileCheck(own, False, path.stat().st_size, problems=(str(error),))]
    return [FileCheck(own, False, path.stat().st_size)]


def _emotion_reader(folder: Path) -> list[FileCheck]:
    """Return the files of the emotion model; what is wrong with it stands at its weights."""
    checks = [_present(folder, file, is_needed=False) for file in files.EMOTION_READER]
    if any(check.is_missing for check in checks):
        return checks
    try:
        EmotionReader(folder, torch.device("cpu"), 1)
    except ConfigError as error:
        problems = (str(error),)
        return [
            replace(check, problems=problems) if check.file.name.endswith(".safetensors") else check
            for check in checks
        ]
    return checks


def _present(folder: Path, file: PublishedFile, *, is_needed: bool) -> FileCheck:
    path = folder / file.name
    return FileCheck(file, is_needed, path.stat().st_size if path.is_file() else None)


def _with(present: FileCheck, problems: list[str]) -> FileCheck:
    return FileCheck(present.file, True, present.size_bytes, problems=tuple(problems))


def _with_keys(present: FileCheck, sizes: ModelSizes, found: Mapping[str, Tensor]) -> FileCheck:
    keys = tuple(check_keys(present.file, needed_shapes(present.file, sizes), found))
    problems = tuple(key.problem for key in keys if key.problem)
    return FileCheck(present.file, True, present.size_bytes, keys, problems)


def _tokeniser_problems(folder: Path, sizes: ModelSizes) -> list[str]:
    try:
        pieces = SentencePieceProcessor(model_file=str(folder / files.TOKENISER.name))
    except (OSError, RuntimeError):
        return ["not a SentencePiece model, or not a whole one"]
    if len(pieces) != sizes.gpt.num_text_ids:
        return [f"has {len(pieces)} pieces instead of {sizes.gpt.num_text_ids}"]
    return []
