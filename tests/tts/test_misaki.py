"""The phoneme alphabet against the dictionaries and voices that use it."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hibari.tts import ASSETS

from unitaf.tts.misaki import (
    CONSONANT_LABELS,
    LENGTH_MARK,
    PAUSE_MARKS,
    PHONES,
    SOFT_MARKS,
    STRESS_MARKS,
    VOWEL_LABELS,
)

SOUNDS = {*VOWEL_LABELS, *CONSONANT_LABELS}


def pronunciations(entry: Any) -> Iterator[str]:
    if isinstance(entry, dict):
        for value in entry.values():
            yield from pronunciations(value)
    elif entry:
        yield entry


@pytest.mark.parametrize("accent", ["us", "gb"])
@pytest.mark.parametrize("quality", ["gold", "silver"])
def test_every_symbol_of_the_dictionaries_has_a_label(accent: str, quality: str) -> None:
    path = Path(ASSETS, f"lexicon_{accent}_{quality}.json.gz")
    entries = json.loads(gzip.decompress(path.read_bytes()))
    symbols = {symbol for spoken in pronunciations(entries) for symbol in spoken}
    # The reader writes the tap as T and the glottal stop as t.
    assert symbols - SOUNDS - {*STRESS_MARKS, LENGTH_MARK, "ɾ", "ʔ"} == set()


def test_the_voice_knows_every_symbol() -> None:
    known = json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8"))
    symbols = SOUNDS | {*STRESS_MARKS, *PAUSE_MARKS, *SOFT_MARKS, LENGTH_MARK, " "}
    assert symbols - set(known) == set()


def test_labels_are_plain_ipa() -> None:
    assert len(set(PHONES)) == len(PHONES)
    for label in PHONES:
        assert label
        assert not set(label) & {*STRESS_MARKS, LENGTH_MARK, *"AIOQWYTʧʤᵊᵻ"}


def test_a_symbol_is_either_a_vowel_or_a_consonant() -> None:
    assert not set(VOWEL_LABELS) & set(CONSONANT_LABELS)
    assert not set(VOWEL_LABELS.values()) & set(CONSONANT_LABELS.values())
