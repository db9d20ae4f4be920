"""Scripts to measure with: the same seed gives the same lines on every machine.

Every line has a seed of its own, so no two lines are one take, however short they are.
"""

import csv
import math
import random
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat
from pathlib import Path

_MEDIAN_S, _SIGMA = 2.6, 0.75
_SHORTEST_S, _LONGEST_S = 0.4, 20.0
_CHARACTERS_A_SECOND, _SILENCE_S = 17.0, 0.25
"""How fast the embedded voice speaks, and the silence around a line."""
_WORDS_A_CLAUSE = 9


def write_dialogue(path: Path, num_lines: int, seed: int) -> None:
    """Write a script whose lines, spoken, are as long as game dialogue is.

    Lengths are log-normal: median 2.6 s, mean 3.4 s, 0.4 s to 20 s. The words are common English
    ones without meaning, in clauses and sentences.
    """
    source, words = random.Random(seed), _words()
    lengths_s = (_length_s(source) for _ in range(num_lines))
    write_script(path, (_text(source, words, length_s) for length_s in lengths_s))


def draw_lengths_s(num_lines: int, seed: int) -> list[float]:
    """Return how long lines are, in seconds; log-normal as in `write_dialogue`."""
    source = random.Random(seed)
    return [_length_s(source) for _ in range(num_lines)]


def draw_text(length_s: float, seed: int) -> str:
    """Return a text as `write_dialogue` writes it, for a line of some length in seconds."""
    return _text(random.Random(seed), _words(), length_s)


def write_barks(path: Path, num_lines: int) -> None:
    """Write a script of one-word lines, which cost a silent engine next to nothing."""
    write_script(path, repeat("Run!", num_lines))


def write_script(path: Path, texts: Iterable[str]) -> None:
    """Write a script with some texts; a line's seed is its number, from 0."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["line_id", "speaker", "text", "seed"])
        for index, text in enumerate(texts):
            rows.writerow([f"line_{index:07d}", f"speaker_{index % 12}", text, index])


def _length_s(source: random.Random) -> float:
    drawn_s = source.lognormvariate(math.log(_MEDIAN_S), _SIGMA)
    return min(max(drawn_s, _SHORTEST_S), _LONGEST_S)


@cache
def _words() -> Sequence[str]:
    return Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()


def _text(source: random.Random, words: Sequence[str], length_s: float) -> str:
    """Return words for some seconds, a comma or a full stop after every few."""
    num_characters = round((length_s - _SILENCE_S) * _CHARACTERS_A_SECOND)
    text: list[str] = []
    is_first = True
    while not text or sum(map(len, text)) + len(text) < num_characters:
        word = source.choice(words)
        text.append(word.capitalize() if is_first else word)
        is_first = False
        if len(text) % _WORDS_A_CLAUSE == 0:
            is_first = source.random() < 0.5
            text[-1] += "." if is_first else ","
    return " ".join(text).rstrip(".,") + "."
