"""The network of a hibari voice, changed in memory so that it tells and does more than its file.

It gives two inner tensors as outputs: the duration of every symbol, and the last block of its
decoder. And it keeps the tempo that it is asked for (`unitaf.tts.tempo`).
"""

from pathlib import Path

import onnx

from unitaf.tts.tempo import keep_tempo

DURATIONS = "/Cast_32_output_0"
"""Units of 25 ms for every symbol, at least 1."""
LAST_BLOCK = "/dec.7/Add_1_output_0"
"""The last decoder block, channels first."""

_EXACT_DURATIONS = "/Sub_output_0"
_ROUNDED_DURATIONS = "/Round_output_0"


def load_network(path: Path) -> bytes:
    """Return the changed network of a voice."""
    model = onnx.load(path)
    keep_tempo(model.graph, _EXACT_DURATIONS, _ROUNDED_DURATIONS, rank=1)
    for name in (DURATIONS, LAST_BLOCK):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    serialized: bytes = model.SerializeToString()
    return serialized
