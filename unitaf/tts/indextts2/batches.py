"""Work in batches of similar length: little padding, and a bound on memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be."""

    max_rows: int
    max_steps: int = 2**62
    """Steps of a batch, padding included; one row may have more."""
    max_padding: float = math.inf
    """Steps of a batch over those that are not padding."""


def map_batches(
    make: Callable[[list[Item]], Sequence[Result]],
    items: Sequence[Item],
    lengths: Sequence[int],
    limits: BatchLimits,
) -> list[Result]:
    """Apply a function to items in batches of similar length; results are in the items' order.

    Args:
        make: Gives one result for each item of a batch.
        items: What to work on.
        lengths: Of the items, in steps.
        limits: Of a batch.
    """
    results: dict[int, Result] = {}
    for batch in _batches(lengths, limits):
        made = make([items[index] for index in batch])
        results.update(zip(batch, made, strict=True))
    return [results[index] for index in range(len(items))]


def _batches(lengths: Sequence[int], limits: BatchLimits) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        steps = (len(batch) + 1) * lengths[index]
        filled = sum(lengths[row] for row in batch) + lengths[index]
        is_full = len(batch) == limits.max_rows or steps > limits.max_steps
        if batch and (is_full or steps > limits.max_padding * filled):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
