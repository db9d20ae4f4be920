"""Runs the IndexTTS2 cases of the text front: normalised text, pieces, ids, segments."""

import re
from typing import Any

from tests.parity.golden import Case
from unitaf.tts.indextts2.normaliser import (
    Term,
    normalise_text,
    plain_marks,
    uses_chinese_rules,
)
from unitaf.tts.indextts2.segments import split_segments
from unitaf.tts.indextts2.text import TextFront, tokeniser_input
from unitaf.tts.indextts2.text_25 import (
    language_index,
    language_prefix,
    read_text,
    space_japanese,
    split_text,
)


def run_text_front(case: Case) -> None:
    front = TextFront(case.file.with_name(case.json["files"]["bpe"]))
    for row in case.json["rows"]:
        label, text = f"row {row['id']}", row["text"]
        pieces = front.pieces(text)
        case.check_equal(f"{label} pieces", pieces, row["pieces"])
        case.check_equal(f"{label} ids", front.ids(pieces), row["ids"])
        if not row["one_char"]:
            normalised = normalise_text(text)
            case.check_equal(f"{label} language", uses_chinese_rules(text), row["chinese_rules"])
            case.check_equal(f"{label} normalised", normalised, row["normalised"])
            spaced = tokeniser_input(normalised)
            case.check_equal(f"{label} tokeniser input", spaced, row["tokeniser_input"])
        _check_segments(case, row, pieces)
    glossary = {
        term: Term(
            *((reading,) * 2 if isinstance(reading, str) else (reading["zh"], reading["en"]))
        )
        for term, reading in case.json["glossary"]["terms"].items()
    }
    for row in case.json["glossary"]["rows"]:
        case.check_equal(row["text"], normalise_text(row["text"], glossary), row["normalised"])


def _check_segments(case: Case, row: dict[str, dict[str, list[int]]], pieces: list[str]) -> None:
    for key, lengths in row["segments"].items():
        limit, _, quick = key.partition(",quick=")
        segments = split_segments(pieces, int(limit), int(quick or 0))
        label = f"row {row['id']} segments {key}"
        case.check_equal(label, [len(segment) for segment in segments], lengths)
        repeated = row.get("segments_with_repeats")
        expected = repeated[key] if repeated else pieces
        found = segments if repeated else [piece for segment in segments for piece in segment]
        case.check_equal(f"{label}, pieces", found, expected)


def run_text_front_25(case: Case) -> None:
    for row in case.json["rows"]:
        language, text = row["lang"], row["text"]
        case.check_equal(f"{text} index", language_index(language), row["language_index"])
        case.check_equal(f"{text} prefix", language_prefix(language), row["prefix"])
        cleaned = plain_marks(text)
        case.check_equal(f"{text} cleaned", cleaned, row["cleaned"])
        if language in ("zh", "zhen", "en"):
            cleaned = normalise_text(cleaned)
        case.check_equal(f"{text} normalised", cleaned, row["normalised"])
        if "final" in row:
            case.check_equal(text, read_text(text, language), row["final"])
        if "ja_tokens" in row:
            _check_japanese(case, row)
    _check_splitting(case, case.json["splitting"])


def _check_japanese(case: Case, row: dict[str, Any]) -> None:
    """The words and readings are those of a dictionary, which the case names and stores."""
    words = {"".join(word for word, _ in part): part for part in row["ja_tokens"]}
    read = read_text(row["text"], "ja")
    for key, is_read in (("final_without_readings", False), ("final_all_readings", True)):
        spaced = space_japanese(read, words.__getitem__, is_read=is_read)
        case.check_equal(f"{row['text']} {key}", spaced, row[key])


def _check_splitting(case: Case, splitting: dict[str, Any]) -> None:
    """A stand-in for the tokeniser, as the case says: one for each character and each tag."""

    def count(text: str) -> int:
        return len(re.sub(r"<\|.*?\|>", "#", text))

    final = read_text(splitting["text"], splitting["lang"])
    case.check_equal("splitting final", final, splitting["final"])
    for result in splitting["results"]:
        limit = result["max_tokens"]
        segments = split_text(final, limit - count(splitting["prefix"]), count)
        case.check_equal(f"splitting at {limit}", segments, result["segments"])


RUNNERS = {
    ("indextts2", "text_front"): run_text_front,
    ("indextts2", "text_front_25"): run_text_front_25,
}
