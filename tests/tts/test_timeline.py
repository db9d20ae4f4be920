"""From symbol durations to phones and pauses."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unitaf.tts.misaki import PHONES
from unitaf.tts.reading import SpokenWord
from unitaf.tts.timeline import Span, fit_to_sound, lay_out, spell

LEAD = 4


def laid_out(*words: str, durations: list[int]) -> list[Span]:
    return lay_out([SpokenWord(word, word) for word in words], durations, LEAD)


def test_sounds_are_heard_before_their_symbols() -> None:
    spans = laid_out("nO", durations=[20, 6, 10, 30])
    assert spans == [
        Span("", 0, 16),
        Span("n", 16, 22, 0, 0),
        Span("oʊ", 22, 32, 0, 0),
        Span("", 32, 66),
    ]


def test_stress_is_on_the_vowel_and_its_time_too() -> None:
    spans = laid_out("ʧˌApˈi", durations=[10, 2, 3, 4, 5, 6, 7, 10])
    assert [(span.label, span.end - span.start, span.stress) for span in spans[1:-1]] == [
        ("tʃ", 2, 0),
        ("eɪ", 7, 2),
        ("p", 5, 0),
        ("i", 13, 1),
    ]


def test_a_length_mark_lengthens_the_sound_before_it() -> None:
    spans = laid_out("ɑːt", durations=[10, 4, 3, 2, 10])
    assert [(span.label, span.end - span.start) for span in spans[1:-1]] == [("ɑ", 7), ("t", 2)]


def test_a_space_is_shared_by_the_sounds_around_it() -> None:
    spans = laid_out("m", "b", durations=[10, 4, 5, 6, 10])
    assert spans[1:-1] == [Span("m", 6, 12, 0, 0), Span("b", 12, 21, 0, 1)]


def test_punctuation_is_a_pause_with_the_space_after_it() -> None:
    spans = laid_out("m,", "b", durations=[10, 4, 3, 5, 6, 10])
    assert [(span.label, span.start, span.end) for span in spans] == [
        ("", 0, 6),
        ("m", 6, 10),
        ("", 10, 18),
        ("b", 18, 24),
        ("", 24, 38),
    ]


def test_quotes_and_very_short_pauses_are_none() -> None:
    quoted = laid_out('m"', "b", durations=[10, 4, 6, 6, 6, 10])
    assert [span.label for span in quoted] == ["", "m", "b", ""]
    hurried = laid_out("m,", "b", durations=[10, 4, 2, 2, 6, 10])
    assert [span.label for span in hurried] == ["", "m", "b", ""]


SYMBOLS = st.sampled_from('mbpAOiəʌ,.!"ˈˌː')


@given(
    data=st.data(),
    symbols=st.lists(st.text(SYMBOLS, min_size=1, max_size=5), min_size=1, max_size=6),
)
def test_spans_cover_everything_without_gaps(data: st.DataObject, symbols: list[str]) -> None:
    words = [SpokenWord(word, word) for word in symbols]
    count = len(spell(words)) + 2
    durations = data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    spans = lay_out(words, durations, LEAD)
    assert spans[0].start == 0
    assert spans[-1].end == sum(durations)
    assert all(span.start < span.end for span in spans)
    for span, following in pairwise(spans):
        assert span.end == following.start
        assert span.label or following.label
    assert {span.label for span in spans} <= {"", *PHONES}
    assert spans[0].label == spans[-1].label == ""


def audible(steps: int, first: int, last: int) -> np.ndarray:
    return (np.arange(steps) >= first) & (np.arange(steps) < last)


def test_the_last_phone_ends_when_it_dies_away() -> None:
    spans = [Span("", 0, 10), Span("ɑ", 10, 20), Span("b", 20, 50), Span("", 50, 60)]
    fitted = fit_to_sound(spans, audible(60, 10, 30))
    assert fitted == [Span("", 0, 10), Span("ɑ", 10, 20), Span("b", 20, 30), Span("", 30, 60)]


def test_a_silent_last_phone_keeps_a_little_time() -> None:
    spans = [Span("", 0, 10), Span("p", 10, 40), Span("", 40, 60)]
    assert fit_to_sound(spans, audible(60, 0, 0))[1] == Span("p", 10, 14)


def test_the_last_phone_lasts_as_long_as_it_is_heard() -> None:
    spans = [Span("", 0, 10), Span("s", 10, 20), Span("", 20, 40)]
    assert fit_to_sound(spans, audible(40, 10, 23))[1] == Span("s", 10, 23)
    assert fit_to_sound(spans, audible(40, 10, 40))[1] == Span("s", 10, 26)


def test_a_phone_starts_when_it_is_heard_early() -> None:
    spans = [Span("", 0, 20), Span("ʃ", 20, 30), Span("", 30, 40)]
    assert fit_to_sound(spans, audible(40, 17, 30))[1] == Span("ʃ", 17, 30)
    assert fit_to_sound(spans, audible(40, 0, 30))[1] == Span("ʃ", 14, 30)


def test_a_phone_that_starts_in_silence_stays() -> None:
    spans = [Span("", 0, 20), Span("p", 20, 30), Span("", 30, 40)]
    assert fit_to_sound(spans, audible(40, 24, 30))[1] == Span("p", 20, 30)
