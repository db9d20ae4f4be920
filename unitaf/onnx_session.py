"""How small networks run on a processor: one thread an actor, for batching does not help there."""

import onnxruntime


def one_thread_session(model: bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX network on the processor, with one thread and without warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
