"""One decoding step of the GPT: plainly, or on a GPU as one CUDA graph.

A step of the GPT at small batches costs more in launches than in arithmetic; a graph replays all of
it with one launch. Shapes and addresses are fixed at capture, so a step is made anew when lines
leave or the cache grows.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from unitaf.tts.indextts2.cache import KeyValueCache
from unitaf.tts.indextts2.gpt import SpeechGpt

Step = Callable[[Int64[Tensor, "lines beams"], int], Float[Tensor, "lines beams dim"]]
"""The codes that were chosen and their position, to the states that expect the next ones."""

StepMaker = Callable[[SpeechGpt, KeyValueCache], Step]
"""Makes the step of a batch, and makes it anew when lines have left or the cache has grown."""

Work = Callable[[], Tensor]
"""Computes from tensors that stay in place; what it returns is valid until it is called again."""

_WARM_UPS = 2


def make_step(gpt: SpeechGpt, cache: KeyValueCache) -> Step:
    """Return the way to run a step on the device of the cache."""
    return GraphedStep(gpt, cache) if cache.device.type == "cuda" else PlainStep(gpt, cache)


def capture_graph(work: Work) -> Work:
    """Return work as a replay of a CUDA graph: the same operations on the same addresses."""
    present, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(present)
    with torch.cuda.stream(side):
        for _ in range(_WARM_UPS):
            work()
    present.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class PlainStep:
    """Runs operation by operation and reads no more of the cache than is written."""

    def __init__(self, gpt: SpeechGpt, cache: KeyValueCache) -> None:
        self._gpt, self._cache = gpt, cache

    def __call__(
        self, codes: Int64[Tensor, "lines beams"], position: int
    ) -> Float[Tensor, "lines beams dim"]:
        """Run one step."""
        self._cache.num_read = self._cache.num_used
        embedded = self._gpt.embed_codes(codes, torch.full_like(codes, position))
        states: Tensor = self._gpt(embedded, self._cache.attend_to_past)
        return states


class GraphedStep:
    """Captures a step at the first call and replays it; reads every slot of the cache.

    Args:
        gpt: The network.
        cache: Of the lines that are present.
        capture: Makes the replay.
    """

    def __init__(
        self,
        gpt: SpeechGpt,
        cache: KeyValueCache,
        capture: Callable[[Work], Work] = capture_graph,
    ) -> None:
        self._gpt, self._cache, self._capture = gpt, cache, capture
        cache.num_read = cache.num_slots
        self._replay: Work | None = None

    def __call__(
        self, codes: Int64[Tensor, "lines beams"], position: int
    ) -> Float[Tensor, "lines beams dim"]:
        """Run one step; the result is valid until the next."""
        if self._replay is None:
            self._codes, self._positions = codes.clone(), torch.full_like(codes, position)
            self._replay = self._capture(self._work)
        self._codes.copy_(codes)
        self._positions.fill_(position)
        return self._replay()

    def _work(self) -> Tensor:
        embedded = self._gpt.embed_codes(self._codes, self._positions)
        states: Tensor = self._gpt(embedded, self._cache.attend_to_past)
        return states
