"""How parts become one speech on one clock."""

import numpy as np

from unitaf.tts.joining import Part, cut_silence, join
from unitaf.tts.timeline import Span

HOP = 300


def part(head: int, phone: int, tail: int, word: str = "word") -> Part:
    """A part whose samples, features and pitch all say which step they belong to."""
    steps = head + phone + tail
    index = np.arange(steps, dtype=np.float32)
    return Part(
        waveform=np.repeat(index, HOP),
        features=np.stack([index, -index], axis=1),
        f0=index,
        spans=(
            Span("", 0, head),
            Span("m", head, head + phone, 0, 0),
            Span("", head + phone, steps),
        ),
        words=(word,),
    )


def assert_on_one_clock(joined: Part) -> None:
    steps = len(joined.features)
    assert len(joined.f0) == steps
    assert len(joined.waveform) == steps * HOP
    np.testing.assert_array_equal(joined.features[:, 0], joined.f0)
    np.testing.assert_array_equal(joined.waveform[HOP // 2 :: HOP], joined.f0)


def test_silence_is_cut_at_whole_steps() -> None:
    cut = cut_silence(part(20, 10, 40), head=8, tail=5)
    assert cut.spans == (Span("", 0, 8), Span("m", 8, 18, 0, 0), Span("", 18, 23))
    assert (cut.f0[0], cut.f0[-1]) == (12, 34)
    assert_on_one_clock(cut)


def test_silence_that_is_not_there_is_not_made() -> None:
    whole = part(4, 10, 6)
    cut = cut_silence(whole, head=8, tail=9)
    assert cut.spans == whole.spans
    np.testing.assert_array_equal(cut.waveform, whole.waveform)


def test_cut_ends_are_faded() -> None:
    cut = cut_silence(part(20, 10, 40), head=8, tail=5)
    assert cut.waveform[0] == cut.waveform[-1] == 0
    assert np.abs(np.diff(cut.waveform[:HOP])).max() < 0.2


def test_joined_parts_share_the_pause_between_them() -> None:
    joined = join([part(4, 3, 5, "one"), part(6, 2, 7, "two")])
    assert joined.words == ("one", "two")
    assert joined.spans == (
        Span("", 0, 4),
        Span("m", 4, 7, 0, 0),
        Span("", 7, 18),
        Span("m", 18, 20, 0, 1),
        Span("", 20, 27),
    )
    assert_on_one_clock(joined)


def test_a_single_part_stays_as_it_is() -> None:
    alone = part(4, 3, 5)
    joined = join([alone])
    assert joined.spans == alone.spans
    np.testing.assert_array_equal(joined.waveform, alone.waveform)
