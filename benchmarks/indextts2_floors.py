"""The least time that the published IndexTTS2 could take on a machine: arithmetic only.

Weights, keys and values are read at the machine's copy rate, multiplications run at its matmul
rate, both measured here. Constants are of the published sizes: GPT 24 x 1280; 74 M weights of the
flow's estimator at work for a frame; vocoder 157.9 GFLOP a second of audio.

Conventions: a FLOP is half a multiply-add; frames are of the mel, `FRAME_RATE` a second.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

FRAME_RATE = 22050 / 256

_GPT_LAYERS, _GPT_WIDTH, _NUM_CODES = 24, 1280, 8194
_GPT_WEIGHTS = _GPT_LAYERS * (12 * _GPT_WIDTH**2 + 13 * _GPT_WIDTH) + _GPT_WIDTH * _NUM_CODES
_CACHED_NUMBERS = 2 * _GPT_LAYERS * _GPT_WIDTH
_FRAME_FLOPS = 148.4e6
_FRAME_ATTENTION_FLOPS = 4 * 512 * 13
_VOCODER_FLOPS = 157.9e9
_CONDITIONS_AND_MARKS = 37
_BRANCHES = 2


@dataclass(frozen=True, slots=True)
class Machine:
    """What a device can do."""

    flops: float
    """Of a large matmul, a second."""
    single_flops: float
    """The same in single precision, which the vocoder has."""
    bytes: float
    """Read and written by a large copy, a second."""
    number_bytes: int
    """Bytes of a weight."""


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """One batch of lines."""

    text_ids: np.ndarray
    """How many each line has."""
    codes: np.ndarray
    """How many each line has."""
    prompt_frames: int


def now_s(device: torch.device) -> float:
    """Return seconds to take differences of: of the clock on a GPU, else of the processor."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def measure_machine(device: torch.device, precision: torch.dtype) -> Machine:
    """Measure a device; takes about a second."""
    is_gpu = device.type == "cuda"
    side = 8192 if is_gpu else 1024
    single = torch.randn(side, side, device=device)
    square = single.to(precision)
    large = torch.empty(2**30 if is_gpu else 2**27, dtype=torch.uint8, device=device)
    target = torch.empty_like(large)
    matmul_s = _shortest_s(lambda: square @ square, device)
    single_s = _shortest_s(lambda: single @ single, device)
    copy_s = _shortest_s(lambda: target.copy_(large), device)
    flops = 2 * side**3
    rates = flops / matmul_s, flops / single_s, 2 * len(large) / copy_s
    return Machine(*rates, square.element_size())


def floors_s(
    loads: Sequence[Load], machine: Machine, num_beams: int, num_steps: int
) -> dict[str, float]:
    """Return seconds of each stage that has a floor, for all batches together.

    Args:
        loads: The batches.
        machine: Where they run.
        num_beams: Of decoding.
        num_steps: Euler steps of the flow, each with and without conditions.
    """
    floors = dict.fromkeys(("decoding", "latents", "mel", "vocoder"), 0.0)
    for load in loads:
        floors["decoding"] += _decoding_s(load, machine, num_beams)
        tokens = load.text_ids + load.codes + _CONDITIONS_AND_MARKS
        floors["latents"] += (_token_flops(tokens / 2) * tokens).sum() / machine.flops
        frames = load.codes * FRAME_RATE / 50
        seen = frames + load.prompt_frames
        passes = _BRANCHES * num_steps
        flops = passes * seen * (_FRAME_FLOPS + _FRAME_ATTENTION_FLOPS * seen)
        floors["mel"] += flops.sum() / machine.flops
        floors["vocoder"] += _VOCODER_FLOPS * frames.sum() / FRAME_RATE / machine.single_flops
    return {stage: float(seconds) for stage, seconds in floors.items()}


def _decoding_s(load: Load, machine: Machine, num_beams: int) -> float:
    """Return the floor of decoding: at each step weights and the cache are read once."""
    steps = np.arange(load.codes.max())[:, None]
    is_open = steps < load.codes
    prompts = load.text_ids + _CONDITIONS_AND_MARKS
    slots = (is_open * (prompts + num_beams * steps)).sum(axis=1)
    read = machine.number_bytes * (_GPT_WEIGHTS + _CACHED_NUMBERS * slots)
    flops = (is_open * num_beams * _token_flops(prompts + steps)).sum(axis=1)
    return float(np.maximum(read / machine.bytes, flops / machine.flops).sum())


def _token_flops(context: np.ndarray) -> np.ndarray:
    return 2 * _GPT_WEIGHTS + 2 * _CACHED_NUMBERS * context


def _shortest_s(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(10):
        start = now_s(device)
        work()
        times.append(now_s(device) - start)
    return min(times)
