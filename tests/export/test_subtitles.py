"""Subtitles are read back by the parsers `srt` and `webvtt-py`."""

import io
import re
import unicodedata
from datetime import timedelta

import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from tests.export.takes import make_take, spoken_words
from unitaf.export import FORMATS
from unitaf.export.cues import LINE_CELLS, MAX_CUE_S, find_cues
from unitaf.types import Take, Word

SPEECH = (
    "I have always been of the opinion that a man who desires to get married should know either"
    " everything or nothing, and that it is better so. Which do you know?"
)


def read_srt(take: Take) -> list[srt.Subtitle]:
    (data,) = FORMATS["srt"](take, "line").values()
    return list(srt.parse(data.decode()))


def read_vtt(take: Take) -> webvtt.WebVTT:
    (data,) = FORMATS["vtt"](take, "line").values()
    return webvtt.from_buffer(io.BytesIO(data))


def test_cues_have_the_text_and_the_times_of_the_words():
    words = spoken_words(SPEECH)
    take = make_take(text=SPEECH, words=words, duration_s=words[-1].end_s + 0.2)
    cues = read_srt(take)
    assert [cue.content.splitlines() for cue in cues] == [
        [
            "I have always been of the opinion that a",
            "man who desires to get married should know",
        ],
        ["either everything or nothing,", "and that it is better so."],
        ["Which do you know?"],
    ]
    assert " ".join(cue.content.replace("\n", " ") for cue in cues) == SPEECH
    for cue, first in zip(cues, (0, 17, 27), strict=True):
        assert cue.start == timedelta(milliseconds=round(words[first].start_s * 1000))
    assert cues[-1].end == timedelta(milliseconds=round(words[-1].end_s * 1000))


def test_marks_that_say_how_a_line_is_said_are_not_shown():
    plain = "Ask Okafor now. Go!"
    words = spoken_words(plain)
    marked = "[pause 0.5s] Ask [Okafor](/oʊˈkɑːfɔː/) now. [emotion: angry] Go!"
    shown, expected = (
        read_srt(make_take(text=text, words=words, duration_s=words[-1].end_s))
        for text in (marked, plain)
    )
    assert [cue.content for cue in shown] == [cue.content for cue in expected]
    silent = make_take(text=marked, words=(), duration_s=1.0)
    assert [cue.content for cue in read_srt(silent)] == [plain]


def test_a_pause_begins_a_cue_and_a_short_one_stays_for_a_second():
    words = spoken_words("No. Not today.", pauses={0: 2.0})
    cues = read_srt(make_take(text="No. Not today.", words=words, duration_s=3.0))
    assert [cue.content for cue in cues] == ["No.", "Not today."]
    assert [cue.start.total_seconds() for cue in cues] == [0.0, 2.3]
    # The second would be shown until 3.3 s, were there more sound.
    assert [cue.end.total_seconds() for cue in cues] == [1.0, 3.0]


def test_short_sentences_share_a_cue():
    words = spoken_words("No! Stop! Wait. Do not go.")
    cues = read_srt(make_take(text="No! Stop! Wait. Do not go.", words=words, duration_s=2.1))
    assert [cue.content for cue in cues] == ["No! Stop! Wait. Do not go."]


def test_marks_stay_with_the_words_they_belong_to():
    text = "「行く」と言った。（笑）"
    words = (Word("行く", 0.1, 0.4), Word("と", 0.4, 0.5), Word("言った", 0.5, 1.0))
    take = make_take(text=text, words=(*words, Word("笑", 1.6, 1.9)), duration_s=2.0)
    assert [cue.content for cue in read_srt(take)] == ["「行く」と言った。", "（笑）"]


def test_what_is_shown_is_what_the_script_has_not_how_it_was_said():
    words = (
        Word("Headquarters", 0.0, 0.6), Word("owes", 0.7, 1.0), Word("me", 1.0, 1.2),
        Word("five", 1.2, 1.4), Word("dollars", 1.4, 1.8), Word("now.", 1.9, 2.2),
    )  # fmt: skip
    take = make_take(text="HQ owes me $5 now.", words=words, duration_s=2.3)
    assert [cue.content for cue in read_srt(take)] == ["HQ owes me $5 now."]
    (data,) = FORMATS["vtt"](take, "line").values()
    stamped = "HQ <00:00:00.700>owes <00:00:01.000>me <00:00:01.200>$5 <00:00:01.900>now."
    assert data.decode().splitlines()[-1] == f"<v Pip>{stamped}"


def test_a_take_without_words_is_one_cue():
    (cue,) = read_srt(make_take(text=SPEECH))
    assert (cue.start.total_seconds(), cue.end.total_seconds()) == (0.0, 0.5)
    assert cue.content.replace("\n", " ") == SPEECH


def test_vtt_says_who_speaks_and_when_every_word_begins():
    words = (Word("Fish", 0.0, 0.2), Word("&", 0.2, 0.25), Word("<b>chips", 0.25, 0.4))
    take = make_take(text="Fish & <b>chips", words=words, speaker="A & B")
    (data,) = FORMATS["vtt"](take, "line").values()
    assert data.decode().splitlines() == [
        "WEBVTT",
        "",
        "00:00:00.000 --> 00:00:00.500",
        "<v A &amp; B>Fish <00:00:00.200>&amp; <00:00:00.250>&lt;b&gt;chips",
    ]
    (cue,) = read_vtt(take)
    assert (cue.start, cue.end) == ("00:00:00.000", "00:00:00.500")


def test_both_formats_have_the_same_cues():
    words = spoken_words(SPEECH)
    take = make_take(text=SPEECH, words=words, duration_s=words[-1].end_s)
    plain, timed = read_srt(take), list(read_vtt(take))
    assert [cue.content for cue in plain] == [cue.text for cue in timed]
    for cue, other in zip(plain, timed, strict=True):
        assert srt.timedelta_to_srt_timestamp(cue.start).replace(",", ".") == other.start
        assert srt.timedelta_to_srt_timestamp(cue.end).replace(",", ".") == other.end
    stamps = re.findall(r"<([\d:.]+)>", FORMATS["vtt"](take, "a")["a.vtt"].decode())
    assert len(stamps) == len(words) - len(timed)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_hours_are_counted(name: str):
    words = (Word("late", 3725.0004, 3726.0),)
    take = make_take(text="late", words=words, duration_s=3727.0, fps=1.0, rate=10)
    (data,) = FORMATS[name](take, "a").values()
    assert re.search(r"01:02:05[.,]000 --> 01:02:06[.,]000", data.decode())


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("ab,.!?—日"), min_size=1, max_size=50),
            st.floats(0.01, 3.0),
            st.floats(0.0, 1.0),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_cues_keep_their_rules(parts: list[tuple[str, float, float]]):
    words, at = [], 0.0
    for text, length, pause in parts:
        words.append(Word(text, at, at + length))
        at += length + pause
    text = " ".join(word.text for word in words)
    take = make_take(fps=1.0, text=text, words=tuple(words), duration_s=at + 1e-3, rate=1000)
    cues = find_cues(take)
    at = take.speech.duration_s
    shown = [piece for cue in cues for line in cue.lines for piece in line]
    assert "".join(piece.text for piece in shown) == text
    assert [piece.start_s for piece in shown] == [word.start_s for word in words]
    for cue, following in zip(cues, [*cues[1:], None], strict=True):
        pieces = [piece for line in cue.lines for piece in line]
        assert cue.start_s == pieces[0].start_s
        assert pieces[-1].end_s <= cue.end_s <= (following.start_s if following else at) + 1e-9
        assert len(cue.lines) <= 2
        if len(pieces) > 1:
            assert pieces[-1].end_s - cue.start_s <= MAX_CUE_S
            for line in cue.lines:
                shown_text = "".join(piece.text for piece in line).strip()
                wide = sum(unicodedata.east_asian_width(c) in "WF" for c in shown_text)
                assert len(shown_text) + wide <= LINE_CELLS
