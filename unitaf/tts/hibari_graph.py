"""The network of a hibari voice, changed in memory so that it tells and does more than its file.

It gives two inner tensors as outputs: the duration of every symbol, and the last block of its
decoder. And it keeps the tempo that it is asked for. As shipped it divides durations of two or
three units by the speed and rounds each for itself, so that 1.1 times the speed is 1.02 times as
fast. Here the durations at usual speed are divided and the *times* rounded, so that the error does
not add up. At usual speed nothing changes.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

DURATIONS = "/Cast_32_output_0"
"""Units of 25 ms for every symbol, at least 1."""
LAST_BLOCK = "/dec.7/Add_1_output_0"
"""The last decoder block, channels first."""

_EXACT_DURATIONS = "/Sub_output_0"
_ROUNDED_DURATIONS = "/Round_output_0"


def load_network(path: Path) -> bytes:
    """Return the changed network of a voice."""
    model = onnx.load(path)
    _keep_tempo(model.graph)
    for name in (DURATIONS, LAST_BLOCK):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    serialized: bytes = model.SerializeToString()
    return serialized


def _keep_tempo(graph: onnx.GraphProto) -> None:
    """Make the rounded durations the differences of rounded times."""
    (index,) = (i for i, node in enumerate(graph.node) if _ROUNDED_DURATIONS in node.output)
    del graph.node[index]
    for offset, node in enumerate(
        [
            helper.make_node("Round", [_EXACT_DURATIONS], ["tempo/usual"]),
            helper.make_node("Div", ["tempo/usual", "speed"], ["tempo/durations"]),
            helper.make_node("CumSum", ["tempo/durations", "tempo/first"], ["tempo/times"]),
            helper.make_node("Round", ["tempo/times"], ["tempo/ends"]),
            helper.make_node("Slice", ["tempo/ends", "tempo/from", "tempo/to"], ["tempo/inner"]),
            helper.make_node("Concat", ["tempo/zero", "tempo/inner"], ["tempo/starts"], axis=0),
            helper.make_node("Sub", ["tempo/ends", "tempo/starts"], [_ROUNDED_DURATIONS]),
        ]
    ):
        graph.node.insert(index + offset, node)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(0, np.int64), "tempo/first"),
            numpy_helper.from_array(np.array([0], np.int64), "tempo/from"),
            numpy_helper.from_array(np.array([-1], np.int64), "tempo/to"),
            numpy_helper.from_array(np.array([0], np.float32), "tempo/zero"),
        ]
    )
