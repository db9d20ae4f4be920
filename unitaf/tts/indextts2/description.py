"""Emotions in words to eight strengths, by the language model that is published with IndexTTS2.

A fine-tuned Qwen3 with 0.6 B parameters, under transformers' own classes. It is asked once for each
distinct description, many at a time, and answers with strengths by Chinese name.

Conventions: the likeliest answer is taken, so that the same words give the same emotion. The model
was tuned with sad and melancholic swapped for some words; the reference swaps them back.
"""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from unitaf.audio import torchaudio_functional
from unitaf.errors import ConfigError
from unitaf.tts.indextts2.conditioning import as_emotion
from unitaf.types import Emotion

FOLDER = "qwen0.6bemo4-merge"
_TASK = "文本情感分类"
_NAMES = ("高兴", "愤怒", "悲伤", "恐惧", "反感", "低落", "惊讶", "自然")
"""In the order of `types.EMOTIONS`."""
_SAD, _MELANCHOLIC, _CALM = 2, 5, 7
_MELANCHOLIC_WORDS = (
    "低落", "melancholy", "melancholic", "depression", "depressed", "gloomy",
)  # fmt: skip
_STRONGEST = 1.2
_MOST_TOKENS = 256
"""An answer has about 60; one that runs on is none."""
_END_OF_THOUGHT = "</think>"
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, RuntimeError, SafetensorError)
"""What transformers raises at files that are not whole, or not those of a model."""


class EmotionReader:
    """Reads emotions described in words.

    Args:
        folder: The published files, or the folder of the language model in it.
        device: Where the model runs.
        batch_size: Descriptions read at once.

    Attributes:
        num_read: How many descriptions have been read.

    Raises:
        ConfigError: If the model cannot be loaded.
    """

    def __init__(self, folder: Path, device: torch.device, batch_size: int) -> None:
        torchaudio_functional()  # transformers imports torchaudio, which would fail on a CPU.
        from transformers import AutoModelForCausalLM, AutoTokenizer

        place = folder / FOLDER
        try:
            with _Refusing(place):
                self._tokeniser: Any = AutoTokenizer.from_pretrained(
                    place, local_files_only=True, padding_side="left"
                )
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                place,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except _UNREADABLE as error:
            raise _refusal(place, error) from error
        model, found = loaded
        if found["missing_keys"]:  # They would be drawn at random.
            missing = min(found["missing_keys"])
            raise ConfigError(f"{place} holds no whole language model: {missing} is missing")
        if self._tokeniser.chat_template is None:
            raise ConfigError(f"{place} does not say how its model is asked: a chat template")
        self._model: Any = model.train(False).to(device)
        self._device, self._batch_size = device, batch_size
        self.num_read = 0

    def read(self, descriptions: Sequence[str]) -> list[Emotion | None]:
        """Return the emotion of each description, or None where the answer is none."""
        self.num_read += len(descriptions)
        emotions: list[Emotion | None] = []
        for start in range(0, len(descriptions), self._batch_size):
            batch = descriptions[start : start + self._batch_size]
            answers = self._answers(batch)
            emotions += [parse_answer(*pair) for pair in zip(answers, batch, strict=True)]
        return emotions

    @torch.no_grad()
    def _answers(self, descriptions: Sequence[str]) -> list[str]:
        asked = [
            self._tokeniser.apply_chat_template(
                [{"role": "system", "content": _TASK}, {"role": "user", "content": description}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
            for description in descriptions
        ]
        inputs = self._tokeniser(asked, return_tensors="pt", padding=True).to(self._device)
        given = self._model.generate(
            **inputs,
            max_new_tokens=_MOST_TOKENS,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
        )
        new = given[:, inputs["input_ids"].shape[1] :]
        answers: list[str] = self._tokeniser.batch_decode(new, skip_special_tokens=True)
        return answers


class _Refusing:
    """Gives a sentence to what the library of tokenisers raises: `Exception` itself, no kind of it.

    To name it in an ``except`` would catch every kind; here those pass, for they are mistakes, or
    among `_UNREADABLE`.

    Args:
        place: The folder of the language model.
    """

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if error is not None and kind is Exception:
            raise _refusal(self._place, error) from error


def _refusal(place: Path, error: BaseException) -> ConfigError:
    return ConfigError(f"{place} holds no language model: {' '.join(str(error).split())}")


def parse_answer(answer: str, description: str) -> Emotion | None:
    """Return the strengths that an answer names, 0 to 1.2, or None if it names none.

    Args:
        answer: JSON by Chinese name; thoughts may come before it.
        description: What was asked about.
    """
    answer = answer.rpartition(_END_OF_THOUGHT)[2]
    given = _parse_json(answer) or _parse_pairs(answer)
    if not given:
        return None
    strengths = [min(max(given.get(name, 0.0), 0.0), _STRONGEST) for name in _NAMES]
    if any(word in description.lower() for word in _MELANCHOLIC_WORDS):
        swapped = strengths[_MELANCHOLIC], strengths[_SAD]
        strengths[_SAD], strengths[_MELANCHOLIC] = swapped
    if not any(strengths):
        strengths[_CALM] = 1.0
    return as_emotion(strengths)


def _parse_json(answer: str) -> dict[str, float]:
    try:
        values = json.loads(answer, parse_int=float)
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {
        name: value
        for name, value in values.items()
        if name in _NAMES and isinstance(value, float) and math.isfinite(value)
    }


def _parse_pairs(answer: str) -> dict[str, float]:
    """Find names with numbers in an answer that is no JSON."""
    found = re.findall(rf"({'|'.join(_NAMES)})\W{{1,4}}?\s*(\d+(?:\.\d+)?)", answer)
    return {name: float(value) for name, value in found}
