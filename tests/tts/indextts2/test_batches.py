import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.tts.indextts2.batches import BatchLimits, map_batches


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (BatchLimits(9), [[1, 1, 10, 10, 11, 40]]),
        (BatchLimits(2), [[1, 1], [10, 10], [11, 40]]),
        (BatchLimits(9, max_steps=30), [[1, 1, 10], [10, 11], [40]]),
        (BatchLimits(9, max_padding=1.15), [[1, 1], [10, 10, 11], [40]]),
    ],
)
def test_limits_close_a_batch(limits: BatchLimits, expected: list[list[int]]) -> None:
    lengths, made = [10, 1, 40, 10, 1, 11], []

    def make(batch: list[int]) -> list[int]:
        made.append(batch)
        return batch

    assert map_batches(make, lengths, lengths, limits) == lengths
    assert made == expected


@given(
    st.lists(st.integers(1, 2000), max_size=40),
    st.integers(1, 8),
    st.sampled_from([50, 5000, 2**62]),
    st.sampled_from([1.0, 1.15, math.inf]),
)
def test_every_item_is_made_once_within_the_limits(
    lengths: list[int], rows: int, steps: int, padding: float
) -> None:
    limits = BatchLimits(rows, steps, padding)

    def make(batch: list[tuple[int, int]]) -> list[tuple[int, int]]:
        sizes = [length for _, length in batch]
        padded = len(sizes) * max(sizes)
        assert len(sizes) <= rows
        assert len(sizes) == 1 or padded <= min(steps, padding * sum(sizes))
        return batch

    items = list(enumerate(lengths))
    assert map_batches(make, items, lengths, limits) == items
