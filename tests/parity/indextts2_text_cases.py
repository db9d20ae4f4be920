"""Runs the IndexTTS2 cases of the text front: normalised text, pieces, ids, segments."""

from tests.parity.golden import Case
from unitaf.tts.indextts2.normaliser import Term, normalise_text, uses_chinese_rules
from unitaf.tts.indextts2.segments import split_segments
from unitaf.tts.indextts2.text import TextFront, tokeniser_input


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


RUNNERS = {("indextts2", "text_front"): run_text_front}
