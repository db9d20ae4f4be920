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

_WARM_UPS = 2


def make_step(gpt: SpeechGpt, cache: KeyValueCache) -> Step:
    """Return the way to run a step on the device of the cache."""
    return GraphedStep(gpt, cache) if cache.device.type == "cuda" else PlainStep(gpt, cache)


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
    """Captures a step at the first call and replays it; reads every slot of the cache."""

    def __init__(self, gpt: SpeechGpt, cache: KeyValueCache) -> None:
        self._gpt, self._cache = gpt, cache
        cache.num_read = cache.num_slots
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(
        self, codes: Int64[Tensor, "lines beams"], position: int
    ) -> Float[Tensor, "lines beams dim"]:
        """Run one step; the result is valid until the next."""
        if self._graph is None:
            self._codes, self._positions = codes.clone(), torch.full_like(codes, position)
            self._graph = self._capture()
        self._codes.copy_(codes)
        self._positions.fill_(position)
        self._graph.replay()
        return self._states

    def _capture(self) -> torch.cuda.CUDAGraph:
        present, side = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(present)
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._run()
        present.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._states = self._run()
        return graph

    def _run(self) -> Tensor:
        embedded = self._gpt.embed_codes(self._codes, self._positions)
        states: Tensor = self._gpt(embedded, self._cache.attend_to_past)
        return states
