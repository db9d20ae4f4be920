import re
from collections.abc import Callable
from functools import cache
from itertools import product
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

from unitaf.tts.indextts2.bigvgan import Vocoder
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.codec import SemanticCodec
from unitaf.tts.indextts2.conditioning import Conditioner
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.loading import WEIGHTS
from unitaf.tts.indextts2.s2mel import SemanticToMel
from unitaf.tts.indextts2.sizes import (
    PUBLISHED_CODEC,
    PUBLISHED_GPT,
    PUBLISHED_S2MEL,
    PUBLISHED_STYLE,
    PUBLISHED_VOCODER,
)
from unitaf.tts.indextts2.weight_norm import fold_weight_norm

FILES = {Path(file.name).name if "bigvgan" in file.name else file.name: file for file in WEIGHTS}

Shapes = dict[str, tuple[int, ...]]


@cache
def published(file: str) -> Shapes:
    text = (Path(__file__).parent / "published_keys.txt").read_text()
    section = text.split(f"[{file}]\n")[1].split("\n\n")[0]
    shapes: Shapes = {}
    for line in section.strip().splitlines():
        key, shape = re.match(r"(\S+) \[([\d,]*)\]", line).groups()
        for name in expanded(key):
            shapes[name] = tuple(int(size) for size in shape.split(",") if size)
    return shapes


def expanded(key: str) -> list[str]:
    parts = re.split(r"\{([^}]*)\}", key)
    choices = [choice(part) if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(each) for each in product(*choices)]


def choice(braces: str) -> list[str]:
    if ".." in braces:
        first, last = braces.split("..")
        return [str(number) for number in range(int(first), int(last) + 1)]
    return braces.split(",")


def built(*makers: Callable[[], nn.Module]) -> Shapes:
    with torch.device("meta"):
        modules = [make() for make in makers]
    return {k: tuple(v.shape) for module in modules for k, v in module.state_dict().items()}


@pytest.mark.parametrize(
    ("file", "makers"),
    [
        ("gpt.pth", (lambda: SpeechGpt(PUBLISHED_GPT), lambda: Conditioner(PUBLISHED_GPT))),
        ("s2mel.pth", (lambda: SemanticToMel(PUBLISHED_S2MEL),)),
        ("semantic_codec/model.safetensors", (lambda: SemanticCodec(PUBLISHED_CODEC),)),
        ("campplus_cn_common.bin", (lambda: StyleEncoder(PUBLISHED_STYLE),)),
        ("bigvgan_generator.pt", (lambda: Vocoder(PUBLISHED_VOCODER),)),
    ],
)
def test_keys_and_shapes_are_the_published_ones(
    file: str, makers: tuple[Callable[[], nn.Module], ...]
) -> None:
    needed = {
        key: torch.empty(shape, device="meta")
        for key, shape in published(file).items()
        if not re.fullmatch(FILES[file].unused, key)
    }
    folded = {key: tuple(value.shape) for key, value in fold_weight_norm(needed).items()}
    assert built(*makers) == folded


@pytest.mark.parametrize(
    ("file", "tensors", "elements"),
    [
        ("gpt.pth", 665, 871_100_639),
        ("s2mel.pth", 284, 103_685_328),
        ("semantic_codec/model.safetensors", 239, 44_289_808),
        ("campplus_cn_common.bin", 937, 6_930_842),
        ("bigvgan_generator.pt", 783, 112_233_865),
    ],
)
def test_the_list_is_whole(file: str, tensors: int, elements: int) -> None:
    shapes = published(file)
    assert (len(shapes), sum(prod(shape) for shape in shapes.values())) == (tensors, elements)
