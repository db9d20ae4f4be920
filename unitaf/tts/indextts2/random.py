"""Random numbers that depend on a line's seed and a position, and on nothing else.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the seed is the
key, and the counter says which number is wanted. No state, no order: a line's numbers are the same
whatever else is in the batch, on every device, and single numbers can be had without those before
them.

Conventions: 32-bit words are kept in int64 tensors; the counter is (index, step, stream, 0).
"""

from collections.abc import Sequence
from enum import IntEnum

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


class Stream(IntEnum):
    """What the numbers are for; streams of one seed do not overlap."""

    SEGMENT = 0
    CODE = 1
    FLOW = 2


def philox(
    counter: Int64[Tensor, "*batch 4"], key: Int64[Tensor, "*batch 2"]
) -> Int64[Tensor, "*batch 4"]:
    """Return the four random 32-bit words of a counter under a key (Salmon et al., 3.3)."""
    c0, c1, c2, c3 = counter.unbind(-1)
    k0, k1 = key.unbind(-1)
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(c0, _MULTIPLIERS[0])
        high1, low1 = _multiply(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _KEY_STEPS[0]) & _MASK, (k1 + _KEY_STEPS[1]) & _MASK
    return torch.stack([c0, c1, c2, c3], dim=-1)


def segment_seed(seed: int, segment: int) -> int:
    """Return the seed of one segment of a line: 63 bits that differ between seeds and segments."""
    words = _words(torch.tensor([seed]), torch.tensor([segment]), 0, Stream.SEGMENT)[0]
    return (int(words[0]) << 31) | (int(words[1]) >> 1)


def normal_noise(seed: int, shape: Sequence[int]) -> Float32[Tensor, "..."]:
    """Return standard normal numbers for the flow of one segment (Box and Muller 1958).

    They are made on the CPU, so that a line starts from the same noise on every device.
    """
    index = torch.arange(torch.Size(shape).numel())
    words = _words(torch.tensor([seed]).expand_as(index), index, 0, Stream.FLOW)
    radius = torch.sqrt(-2.0 * torch.log(_uniform(words[:, 0])))
    angle = 2.0 * torch.pi * _uniform(words[:, 1])
    return (radius * torch.cos(angle)).float().reshape(tuple(shape))


class SeededNoise:
    """Exponential noise for drawing codes, a seed for each line.

    Args:
        seeds: From 0 to 2**63 - 1, in the order of the lines.
        device: Where the draws are made.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._seeds = torch.tensor(list(seeds), dtype=torch.int64, device=device)

    def exponential(
        self, lines: Int64[Tensor, " lines"], step: int, index: Int64[Tensor, "lines candidates"]
    ) -> Float32[Tensor, "lines candidates"]:
        """Return standard exponential numbers, above 0.

        Args:
            lines: Which lines, as numbers in the order of the seeds.
            step: Decoding step, from 0.
            index: Which number of the step.
        """
        words = _words(self._seeds[lines][:, None].expand_as(index), index, step, Stream.CODE)
        return -torch.log(_uniform(words[..., 0])).float()


def _words(
    seed: Int64[Tensor, "*batch"], index: Int64[Tensor, "*batch"], step: int, stream: Stream
) -> Int64[Tensor, "*batch 4"]:
    zero = torch.zeros_like(index)
    counter = torch.stack([index & _MASK, zero + step, zero + int(stream), zero], dim=-1)
    return philox(counter, torch.stack([seed & _MASK, (seed >> 32) & _MASK], dim=-1))


def _multiply(value: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Return the high and the low word of a 32 x 32 bit product, without overflow in int64."""
    low_part = (value & 0xFFFF) * factor
    high_part = (value >> 16) * factor
    high = (high_part + (low_part >> 16)) >> 16
    low = (((high_part & 0xFFFF) << 16) + low_part) & _MASK
    return high, low


def _uniform(word: Int64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
    """Map a 32-bit word to the middle of its cell of (0, 1)."""
    return (word.double() + 0.5) * 2.0**-32
