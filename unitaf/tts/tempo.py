"""Networks that keep the tempo that they are asked for, as a whole and of each symbol.

As shipped, some divide short durations by the speed and round each for itself, so that 1.1 times
the speed is 1.02 times as fast. Here the durations at usual speed are divided and the *times*
rounded, so that the error does not add up. At usual speed nothing changes. A new input says how
much longer some symbols are.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

STRETCH = "stretch"
"""The input that durations are multiplied by: one number a symbol, or one for all."""


def keep_tempo(graph: onnx.GraphProto, exact: str, rounded: str, rank: int) -> None:
    """Make the rounded durations of a network the differences of rounded times.

    Args:
        graph: Changed in place; its input ``speed`` divides durations.
        exact: The tensor with the durations at usual speed, symbols last.
        rounded: The tensor that a ``Round`` node gives.
        rank: The number of axes of both.
    """
    (index,) = (i for i, node in enumerate(graph.node) if rounded in node.output)
    del graph.node[index]
    last = rank - 1
    inner = ["tempo/ends", "tempo/from", "tempo/to", "tempo/axis"]
    for offset, node in enumerate(
        [
            helper.make_node("Round", [exact], ["tempo/usual"]),
            helper.make_node("Div", ["tempo/usual", "speed"], ["tempo/even"]),
            helper.make_node("Mul", ["tempo/even", STRETCH], ["tempo/durations"]),
            helper.make_node("CumSum", ["tempo/durations", "tempo/last"], ["tempo/times"]),
            helper.make_node("Round", ["tempo/times"], ["tempo/ends"]),
            helper.make_node("Slice", inner, ["tempo/inner"]),
            helper.make_node("Concat", ["tempo/zero", "tempo/inner"], ["tempo/starts"], axis=last),
            helper.make_node("Sub", ["tempo/ends", "tempo/starts"], [rounded]),
        ]
    ):
        graph.node.insert(index + offset, node)
    graph.input.append(helper.make_tensor_value_info(STRETCH, onnx.TensorProto.FLOAT, [None]))
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(last, np.int64), "tempo/last"),
            numpy_helper.from_array(np.array([last], np.int64), "tempo/axis"),
            numpy_helper.from_array(np.array([0], np.int64), "tempo/from"),
            numpy_helper.from_array(np.array([-1], np.int64), "tempo/to"),
            numpy_helper.from_array(np.zeros([1] * rank, np.float32), "tempo/zero"),
        ]
    )
