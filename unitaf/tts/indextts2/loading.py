"""A folder of published files to networks, and to a list of what is wrong with it.

What a network needs is asked of the network itself, built for the sizes that stand in the folder's
configurations, without memory for its weights.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from unitaf.errors import ConfigError
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.bigvgan import Vocoder
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.conditioning import EMOTION_ROWS, Conditioner, EmotionTable
from unitaf.tts.indextts2.files import PublishedFile, find_file, read_weights
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.networks import Networks
from unitaf.tts.indextts2.s2mel import SemanticToMel
from unitaf.tts.indextts2.sizes import (
    PUBLISHED_STYLE,
    CodecSizes,
    GptSizes,
    S2MelSizes,
    SpeechEncoderSizes,
    VocoderSizes,
    read_codec_sizes,
    read_gpt_sizes,
    read_s2mel_sizes,
    read_speech_encoder_sizes,
    read_vocoder_sizes,
)
from unitaf.tts.indextts2.speech_encoder import SpeechEncoder

_VERSION = "2.0"

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The sizes that the configurations of a folder give."""

    gpt: GptSizes
    codec: CodecSizes
    s2mel: S2MelSizes
    speech_encoder: SpeechEncoderSizes
    vocoder: VocoderSizes


def read_sizes(folder: Path) -> ModelSizes:
    """Read the sizes of a model.

    Raises:
        ConfigError: If a configuration is missing, damaged, or of another version.
    """
    networks, speech, vocoder = (read(folder) for read in _SETTINGS.values())
    return ModelSizes(*networks, *speech, *vocoder)


def settings_problems(folder: Path) -> dict[PublishedFile, str]:
    """Return what is wrong with each configuration of a model, of those that cannot be used."""
    problems: dict[PublishedFile, str] = {}
    for file, read in _SETTINGS.items():
        try:
            read(folder)
        except ConfigError as error:
            problems[file] = str(error)
    return problems


def _read_networks(folder: Path) -> tuple[Any, ...]:
    config = _read_mapping(folder, files.CONFIG, yaml.safe_load, yaml.YAMLError)
    version = str(config.get("version"))
    if version != _VERSION:
        raise ConfigError(
            f"{folder / files.CONFIG.name} says version {version}: only {_VERSION} is known"
        )

    def read() -> tuple[Any, ...]:
        gpt = read_gpt_sizes(config["gpt"])
        s2mel = read_s2mel_sizes(config["s2mel"], gpt.width)
        return gpt, read_codec_sizes(config["semantic_codec"]), s2mel

    return _sizes(folder, files.CONFIG, read)


def _read_speech_encoder(folder: Path) -> tuple[Any, ...]:
    config = _read_mapping(folder, files.SPEECH_ENCODER_CONFIG, json.loads, ValueError)
    return _sizes(folder, files.SPEECH_ENCODER_CONFIG, lambda: (read_speech_encoder_sizes(config),))


def _read_vocoder(folder: Path) -> tuple[Any, ...]:
    config = _read_mapping(folder, files.VOCODER_CONFIG, json.loads, ValueError)
    return _sizes(folder, files.VOCODER_CONFIG, lambda: (read_vocoder_sizes(config),))


_SETTINGS: Mapping[PublishedFile, Callable[[Path], tuple[Any, ...]]] = {
    files.CONFIG: _read_networks,
    files.SPEECH_ENCODER_CONFIG: _read_speech_encoder,
    files.VOCODER_CONFIG: _read_vocoder,
}


def _sizes(
    folder: Path, file: PublishedFile, read: Callable[[], tuple[Any, ...]]
) -> tuple[Any, ...]:
    try:
        sizes = read()
        for number in _numbers(tuple(map(astuple, sizes))):
            if not isinstance(number, int | float) or number < 0:
                raise ValueError(f"{number!r} is no size")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{folder / file.name} lacks a published setting, or has another kind of value there:"
            f" {error}"
        ) from error
    return sizes


def _numbers(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for each in value:
            yield from _numbers(each)
    else:
        yield value


def _read_mapping(
    folder: Path,
    file: PublishedFile,
    parse: Callable[[str], Any],
    problem: type[Exception],
) -> dict[str, Any]:
    path = find_file(folder, file)
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except (problem, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings")
    return values


Build = Callable[[ModelSizes], nn.Module]

WEIGHTS: Mapping[PublishedFile, tuple[Build, ...]] = {
    files.GPT: (lambda sizes: SpeechGpt(sizes.gpt), lambda sizes: Conditioner(sizes.gpt)),
    files.S2MEL: (lambda sizes: SemanticToMel(sizes.s2mel),),
    files.SPEECH_ENCODER: (lambda sizes: SpeechEncoder(sizes.speech_encoder).model,),
    files.CODEC: (lambda sizes: SemanticCodec(sizes.codec),),
    files.STYLE_ENCODER: (lambda _: StyleEncoder(PUBLISHED_STYLE),),
    files.VOCODER: (lambda sizes: Vocoder(sizes.vocoder),),
}
"""The networks that are in each file."""


def needed_shapes(file: PublishedFile, sizes: ModelSizes) -> Shapes:
    """Return the keys and shapes that a file of weights must hold."""
    num_emotions = sum(EMOTION_ROWS)
    width = (sizes.speech_encoder.width,)
    tables: Mapping[PublishedFile, Shapes] = {
        files.SPEECH_STATISTICS: {"mean": width, "var": width},
        files.EMOTION_STYLES: {"tensor": (num_emotions, sizes.s2mel.style_dim)},
        files.EMOTION_VECTORS: {"tensor": (num_emotions, sizes.gpt.width)},
    }
    if file in tables:
        return tables[file]
    networks = [_on_meta(build, sizes) for build in WEIGHTS[file]]
    return {key: tuple(v.shape) for net in networks for key, v in net.state_dict().items()}


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """One key of a file: the shape that it must have and the one that it has."""

    key: str
    needed: tuple[int, ...] | None
    """None: no network has such a key, and it is not used."""
    found: tuple[int, ...] | None
    """None: the file does not hold it."""

    @property
    def problem(self) -> str:
        """What is wrong with it; empty if nothing is."""
        if self.needed is None:
            return ""
        if self.found is None:
            return f"{self.key} {list(self.needed)} is missing"
        if self.needed != self.found:
            return f"{self.key} has shape {list(self.found)} instead of {list(self.needed)}"
        return ""


def check_keys(file: PublishedFile, needed: Shapes, found: Mapping[str, Tensor]) -> list[KeyCheck]:
    """Hold the keys of a file against those that are needed.

    A file may hold more than that. What the published ones are known to hold besides does not show.
    """
    extra = [key for key in found if key not in needed and not re.fullmatch(file.unused, key)]
    shapes = {key: tuple(value.shape) for key, value in found.items()}
    return [KeyCheck(key, needed.get(key), shapes.get(key)) for key in [*needed, *extra]]


def load_networks(folder: Path, device: str = "cpu", precision: str = "float32") -> Networks:
    """Load all networks of a model, in evaluation mode.

    Args:
        folder: Holds the published files.
        device: Where they are put.
        precision: Of the GPT and the mel networks, ``float32`` or ``bfloat16``; the others stay in
            single precision.

    Raises:
        ConfigError: Saying in one sentence what is wrong with a file or the device.
    """
    place, kind = _device(device), getattr(torch, precision)
    sizes = read_sizes(folder)
    model = _Model(folder, sizes)
    gpt, conditioner = model.networks(files.GPT)
    (s2mel,) = model.networks(files.S2MEL)
    (codec,), (style,) = model.networks(files.CODEC), model.networks(files.STYLE_ENCODER)
    (vocoder,) = model.networks(files.VOCODER)
    statistics = model.weights(files.SPEECH_STATISTICS)
    with torch.device("meta"):
        encoder = SpeechEncoder(sizes.speech_encoder)
    layers = {f"model.{key}": v for key, v in model.weights(files.SPEECH_ENCODER).items()}
    encoder.load_state_dict({**layers, **statistics}, assign=True)
    emotions = EmotionTable(
        model.weights(files.EMOTION_STYLES)["tensor"],
        model.weights(files.EMOTION_VECTORS)["tensor"],
    )
    networks = Networks(
        encoder, codec, style, conditioner, emotions, gpt.to(kind), s2mel.to(kind), vocoder
    )
    for network in networks.modules:
        network.eval().requires_grad_(False).to(place)
    return networks


class _Model:
    """Reads files of a folder and checks them against the networks."""

    def __init__(self, folder: Path, sizes: ModelSizes) -> None:
        self._folder, self._sizes = folder, sizes

    def weights(self, file: PublishedFile) -> dict[str, Tensor]:
        """Return the weights of a file, complete and of the right shapes."""
        weights, needed = read_weights(self._folder, file), needed_shapes(file, self._sizes)
        checks = check_keys(file, needed, weights)
        problems = [check.problem for check in checks if check.problem]
        if problems:
            more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
            raise ConfigError(
                f"{self._folder / file.name} does not hold what the published file does:"
                f" {problems[0]}{more}; `unitaf tts check indextts2` lists all"
            )
        return {key: weights[key] for key in needed}

    def networks(self, file: PublishedFile) -> list[Any]:
        """Return the networks of a file with their weights."""
        weights = self.weights(file)
        return [_filled(build, self._sizes, weights) for build in WEIGHTS[file]]


def _filled(build: Build, sizes: ModelSizes, weights: Mapping[str, Tensor]) -> nn.Module:
    network = _on_meta(build, sizes)
    own = {key: weights[key] for key in network.state_dict()}
    if {name for name, _ in network.named_buffers()} <= own.keys():
        network.load_state_dict(own, assign=True)
        return network
    network = build(sizes)  # It computes constants, which are in no file.
    network.load_state_dict(own)
    return network


def _on_meta(build: Build, sizes: ModelSizes) -> nn.Module:
    with torch.device("meta"):
        return build(sizes)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r} is none: give cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} is not there: {torch.cuda.device_count()} GPUs are")
    return device
