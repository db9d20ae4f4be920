"""Write the scripts that an embedded face model learns from: one CSV for each speaking style.

    python ray_jobs/embedded/lines.py scripts hibari

The lines are made of templates and word lists (`words/`), by a seed: every sound of the languages
of the engine, questions, shouts, whispers, numbers and names, in eight emotions at several
strengths. No two are the same.
"""

import csv
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import yaml

from unitaf.types import EMOTIONS

STYLES = ("plain", "lively", "restrained")
"""Who speaks; each is animated by a job of its own, with other settings of the animator."""
LINES = {
    "hibari": {"en": (1200, 1200, 1200)},
    "kokoro": {"en": (180, 60, 60)}
    | dict.fromkeys(("es", "fr", "it", "ja", "pt", "zh"), (90, 30, 30)),
}
"""By engine and language, for each of `STYLES`. Kokoro's face begins with the decoder of hibari's,
which knows the styles already."""
SEED = 20260115

_STRENGTHS = (0.25, 0.4, 0.6, 0.8, 1.0)
_NEUTRAL_SHARE, _MIXED_SHARE = 0.3, 0.15
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a script."""

    line_id: str
    speaker: str
    language: str
    emotion: str
    text: str
    seed: int


def make_lines(engine: str, style: str, seed: int = SEED) -> list[Line]:
    """Make the distinct lines of a style; the same seed gives the same lines.

    Styles share no line.
    """
    source = random.Random(f"{seed} {style}")
    return [
        Line(
            line_id=f"{style}_{language}_{number:04d}",
            speaker=style,
            language=language,
            emotion=_emotion(source),
            text=text,
            seed=source.randrange(2**31),
        )
        for language, counts in LINES[engine].items()
        for number, text in enumerate(_texts_in(language, style, counts, seed))
    ]


def write_script(path: Path, lines: list[Line]) -> None:
    """Write lines as a script."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([field.name for field in fields(Line)])
        rows.writerows(astuple(line) for line in lines)


def _texts_in(language: str, style: str, counts: tuple[int, ...], seed: int) -> list[str]:
    number = STYLES.index(style)
    texts = _distinct_texts(language, seed, max(counts) * len(STYLES))
    return texts[number :: len(STYLES)][: counts[number]]


def _distinct_texts(language: str, seed: int, count: int) -> list[str]:
    path = Path(__file__).with_name("words") / f"{language}.yaml"
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
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
        write_script(folder / f"{one}.csv", make_lines(sys.argv[2], one))
