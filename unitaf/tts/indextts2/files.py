"""The published files of IndexTTS2 2.0: which there must be, where they come from, what they hold.

A model is one folder with the files as they are downloaded. Nothing in a file is ever run: weights
are read as tensors or refused.

Conventions: weights come out under the names of our networks, views and wrappers of the published
ones removed, weight norm folded, floats in single precision.
"""

import hashlib
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unitaf.errors import ConfigError
from unitaf.tts.indextts2.digests import digest_files
from unitaf.tts.indextts2.weight_norm import fold_weight_norm

_UNREADABLE = (
    SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, TypeError,
    LookupError, AssertionError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What is raised at a file that is not one of tensors, or no longer whole."""

_VIEW = re.compile(r"(?:^|(?<=\.))(?:module|_fsdp_wrapped_module)\.")
"""What training wraps a network in; it shows in names."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a model."""

    name: str
    """Where it lies in the folder."""
    repository: str
    """Where it is published, on huggingface.co."""
    wrapper: str = ""
    """The key below which a file may hold its weights."""
    unused: str = "(?!)"
    """Pattern of keys that no network may need: constants, heads of training, decoders."""

    @property
    def origin(self) -> str:
        """Where it is meant to come from."""
        return f"huggingface.co/{self.repository}"


_INDEXTTS = "IndexTeam/IndexTTS-2"
_W2V_BERT = "facebook/w2v-bert-2.0"
_BIGVGAN = "nvidia/bigvgan_v2_22khz_80band_256x"

CONFIG = PublishedFile("config.yaml", _INDEXTTS)
GPT = PublishedFile(
    "gpt.pth",
    _INDEXTTS,
    "model",
    r".*\.pos_enc\.pe|inference_model\..*|gpt\.w[tp]e\..*|.*\.attn\.(masked_)?bias",
)
S2MEL = PublishedFile(
    "s2mel.pth",
    _INDEXTTS,
    "net",
    r"cfm\.estimator\.(x_embedder|cond_embedder|content_mask_embedder)\..*"
    r"|cfm\.estimator\.(input_pos|t_embedder2?\.freqs)"
    r"|cfm\.estimator\.transformer\.layers\.[0-6]\.skip_in_linear\..*"
    r"|length_regulator\.(embedding\.weight|mask_token)",
)
TOKENISER = PublishedFile("bpe.model", _INDEXTTS)
SPEECH_STATISTICS = PublishedFile("wav2vec2bert_stats.pt", _INDEXTTS)
EMOTION_STYLES = PublishedFile("feat1.pt", _INDEXTTS)
EMOTION_VECTORS = PublishedFile("feat2.pt", _INDEXTTS)
SPEECH_ENCODER_CONFIG = PublishedFile("w2v-bert-2.0/config.json", _W2V_BERT)
SPEECH_ENCODER = PublishedFile(
    "w2v-bert-2.0/model.safetensors",
    _W2V_BERT,
    unused=r"masked_spec_embed|encoder\.layers\.(1[7-9]|2[0-3])\..*",
)
CODEC = PublishedFile("semantic_codec/model.safetensors", "amphion/MaskGCT", unused=r"decoder\..*")
STYLE_ENCODER = PublishedFile("campplus_cn_common.bin", "funasr/campplus")
VOCODER_CONFIG = PublishedFile("bigvgan_v2_22khz_80band_256x/config.json", _BIGVGAN)
VOCODER = PublishedFile(
    "bigvgan_v2_22khz_80band_256x/bigvgan_generator.pt",
    _BIGVGAN,
    "generator",
    r".*\.filter",
)

FILES = (
    CONFIG, GPT, S2MEL, TOKENISER, SPEECH_STATISTICS, EMOTION_STYLES, EMOTION_VECTORS,
    SPEECH_ENCODER_CONFIG, SPEECH_ENCODER, CODEC, STYLE_ENCODER, VOCODER_CONFIG, VOCODER,
)  # fmt: skip
"""What every model needs."""

_READER = "qwen0.6bemo4-merge"
EMOTION_READER = tuple(
    PublishedFile(f"{_READER}/{name}", _INDEXTTS)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
)
"""What describing emotions in words needs besides."""


def find_file(folder: Path, file: PublishedFile) -> Path:
    """Return where a file lies.

    Raises:
        ConfigError: If it does not.
    """
    path = folder / file.name
    if not path.is_file():
        raise ConfigError(f"{path} is missing: it comes from {file.origin}")
    return path


def find_files(folder: Path, files: Iterable[PublishedFile]) -> list[Path]:
    """Return where files lie.

    Raises:
        ConfigError: Naming the first that is missing.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder with the published files of IndexTTS2")
    return [find_file(folder, file) for file in files]


def hash_files(folder: Path, files: Iterable[PublishedFile]) -> str:
    """Return 16 hex digits that change with the content of any of some files.

    Raises:
        ConfigError: Naming the first that is missing.
    """
    wanted = list(files)
    find_files(folder, wanted)
    digests = digest_files(folder, [file.name for file in wanted])
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def read_weights(folder: Path, file: PublishedFile) -> dict[str, Tensor]:
    """Return the tensors of a file under the names of our networks.

    Raises:
        ConfigError: If the file is missing, damaged, or holds something that could run.
    """
    path = find_file(folder, file)
    try:
        loaded = _load(path)
    except _UNREADABLE as error:
        raise ConfigError(
            f"{path} was refused: it is no file of tensors alone, or not a whole one; download it"
            f" again from {file.origin}"
        ) from error
    if isinstance(loaded, Mapping) and file.wrapper in loaded:
        loaded = loaded[file.wrapper]
    named = {_VIEW.sub("", key): value for key, value in _flat(loaded)}
    _check_weight_norm(named, path)
    return {key: _single(value) for key, value in fold_weight_norm(named).items()}


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _flat(loaded: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dictionaries; a file of one bare tensor calls it ``tensor``."""
    if isinstance(loaded, Tensor):
        yield prefix.removesuffix(".") or "tensor", loaded
    elif isinstance(loaded, Mapping):
        for key, value in loaded.items():
            yield from _flat(value, f"{prefix}{key}.")


def _check_weight_norm(weights: Mapping[str, Tensor], path: Path) -> None:
    stems = [key[:-2] for key in weights if key.endswith((".weight_g", ".weight_v"))]
    for stem in stems:
        size, direction = weights.get(f"{stem}_g"), weights.get(f"{stem}_v")
        if size is None or direction is None or not _is_norm(size, direction):
            raise ConfigError(
                f"{path}: {stem}_g and {stem}_v do not fit together; download the file again"
            )


def _is_norm(size: Tensor, direction: Tensor) -> bool:
    return size.shape == (len(direction), *[1] * (direction.ndim - 1))


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
