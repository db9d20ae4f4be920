import re

import numpy as np
import pytest

from unitaf.cli import display
from unitaf.pipelines.progress import Progress
from unitaf.pipelines.store import RunStatus, StoreStatus
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import FaceMotion, Phone, Provenance, Speech, Take, Utterance, Word

PHONES = (
    Phone("", 0.0, 0.1),
    Phone("oʊ", 0.1, 0.3),
    Phone("n", 0.3, 0.35),
    Phone("oʊ", 0.35, 0.5),
)
WORDS = (Word("Oh", 0.1, 0.3), Word("no.", 0.3, 0.5))


def take(text: str, line_id: str = "a", words: tuple[Word, ...] = WORDS) -> Take:
    return Take(
        key="0" * 32,
        utterance=Utterance(line_id, text, "en", "[b]Pip[/b]"),
        speech=Speech(
            np.zeros(800, np.float32), 1600, np.zeros((0, 0), np.float32), 0.0, PHONES, words
        ),
        motion=FaceMotion(np.zeros((5, len(CHANNELS)), np.float32), CHANNELS, 10.0),
        provenance=Provenance("stub/1", "visemes/1", "silence", "none", "0"),
    )


@pytest.mark.parametrize("text", ["[/i] closed.", "[sighs] Oh no.", "A :smile: for you.", "[red]x"])
def test_a_take_is_shown_as_it_is_written(text: str, capsys: pytest.CaptureFixture[str]):
    display.print_take(take(text, line_id=text))
    shown = capsys.readouterr().out
    assert f"Line {text}" in shown
    assert shown.count(text) == 2
    assert "[b]Pip[/b]" in shown


def test_a_status_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]):
    report = {"script": "[/i].csv", "lines": 1, "made": 1, "rejects": 0}
    run = RunStatus(":smile:", report)
    display.print_status(StoreStatus(1, 1, 1.0, 1, ("en",), 0, 0, (run,)))
    shown = capsys.readouterr().out
    assert "[/i].csv" in shown
    assert ":smile:" in shown


def sounds(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines() if re.match(r" +\d+\.\d{3} ", line)]


def test_words_and_phones_have_times(capsys: pytest.CaptureFixture[str]):
    phones = [["0.100", "0.300", "oʊ"], ["0.300", "0.350", "n"], ["0.350", "0.500", "oʊ"]]
    display.print_take(take("Oh no."))
    oh, no = ["0.100", "0.300", "Oh"], ["0.300", "0.500", "no."]
    assert sounds(capsys.readouterr().out) == [oh, phones[0], no, *phones[1:]]
    display.print_take(take("Oh no.", words=()))
    assert sounds(capsys.readouterr().out) == phones


def test_a_terminal_of_80_columns_shows_all_of_the_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress("make", 123_456, 1_234_567, 12_345, 5e5, 2_345.0, 47_000.0)
    with display.progress_shown() as on_progress:
        on_progress(progress)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert max(len(line) for line in re.split(r"[\r\n]+", shown)) <= 80
    assert re.search(r" make ━+.* 10% \d:\d\d:\d\d", shown)
    assert display.describe_progress(progress) in " ".join(shown.split())
