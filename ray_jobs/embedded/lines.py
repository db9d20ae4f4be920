"""Write the scripts that the embedded face model learns from: one CSV for each speaking style.

    python ray_jobs/embedded/lines.py scripts

The lines are made of templates and word lists, by a seed: every English sound, questions, shouts,
whispers, numbers and names, in eight emotions at several strengths. No two are the same.
"""

import csv
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from unitaf.types import EMOTIONS

STYLES = ("plain", "lively", "restrained")
"""Who speaks; each is animated by a job of its own, with other settings of the animator."""
LINES_PER_STYLE = 1200
SEED = 20260115

_STRENGTHS = (0.25, 0.4, 0.6, 0.8, 1.0)
_NEUTRAL_SHARE, _MIXED_SHARE = 0.3, 0.15
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a script."""

    line_id: str
    speaker: str
    emotion: str
    text: str
    seed: int


def make_lines(style: str, count: int = LINES_PER_STYLE, seed: int = SEED) -> list[Line]:
    """Make distinct lines for a style; the same seed gives the same lines.

    Styles share no line as long as they are of `STYLES`.
    """
    texts = _distinct_texts(seed, count * len(STYLES))[STYLES.index(style) :: len(STYLES)]
    source = random.Random(f"{seed} {style}")
    return [
        Line(f"{style}_{number:04d}", style, _emotion(source), text, source.randrange(2**31))
        for number, text in enumerate(texts)
    ]


def write_script(path: Path, lines: list[Line]) -> None:
    """Write lines as a script."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["line_id", "speaker", "emotion", "text", "seed"])
        rows.writerows(
            [line.line_id, line.speaker, line.emotion, line.text, line.seed] for line in lines
        )


def _distinct_texts(seed: int, count: int) -> list[str]:
    words = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    source = random.Random(seed)
    templates: Iterator[str] = iter(())
    texts: dict[str, None] = dict.fromkeys(words["fixed"])
    while len(texts) < count:
        template = next(templates, None)
        if template is None:
            templates = iter(source.sample(words["templates"], len(words["templates"])))
            continue
        texts[_filled(template, words, source)] = None
    shuffled = list(texts)
    source.shuffle(shuffled)
    return shuffled[:count]


def _filled(template: str, words: dict[str, list[str]], source: random.Random) -> str:
    def word(slot: re.Match[str]) -> str:
        if slot[1] == "number":
            return str(int(10 ** source.uniform(0.0, 4.5)))
        if slot[1] == "price":
            return f"${source.randrange(1, 200)}.{source.randrange(100):02d}"
        if slot[1] == "time":
            return f"{source.randrange(1, 13)}:{source.randrange(10, 60)}"
        return str(source.choice(words[slot[1]]))

    text = _SLOT.sub(word, template)
    return text[0].upper() + text[1:]


def _emotion(source: random.Random) -> str:
    kind = source.random()
    if kind < _NEUTRAL_SHARE:
        return ""
    names = source.sample(EMOTIONS, 2 if kind > 1.0 - _MIXED_SHARE else 1)
    return ", ".join(f"{name}:{source.choice(_STRENGTHS)}" for name in names)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for one in STYLES:
        write_script(folder / f"{one}.csv", make_lines(one))
