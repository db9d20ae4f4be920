"""The network of Kokoro-82M, changed in memory so that it tells and does more than its file.

It gives three inner tensors as outputs: the duration of every symbol, the content of every frame
and the pitch. And it keeps the tempo that it is asked for (`unitaf.tts.tempo`), and has its pitch
moved for emphasis.

Source: Kokoro-82M v1.0, a StyleTTS 2 (arXiv 2306.07691) with an ISTFTNet decoder; here its 8-bit
export for onnxruntime. It has no randomness.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from jaxtyping import Float32
from onnx import helper

from unitaf.onnx_session import one_thread_session
from unitaf.tts.kokoro.alphabet import SYMBOL_IDS
from unitaf.tts.tempo import STRETCH, keep_tempo

SAMPLE_RATE = 24000
FRAME_RATE = 40.0
"""Hz."""
FEATURE_DIM = 512
MAX_SYMBOLS = 508
"""What fits the rows of a voice, with the silence at both ends."""

_DURATIONS = "/encoder/Gather_output_0"
_CONTENT = "/encoder/MatMul_1_output_0"
_F0 = "/encoder/F0_proj/Conv_output_0"
_SPOKEN_F0 = "emphasis/f0"
_PITCHES = "pitches"
"""The input that the pitch is multiplied by: one number a step of the pitch, or one for all."""
_EXACT_DURATIONS = "/encoder/predictor/ReduceSum_output_0"
_ROUNDED_DURATIONS = "/encoder/Round_output_0"

Voice = Float32[np.ndarray, "lengths style"]
"""A style for each number of symbols."""


_USUAL = np.ones(1, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """What is said, by whom and how fast."""

    symbols: str
    """At most `MAX_SYMBOLS`, all of the alphabet."""
    voice: Voice
    speed: float
    """2 is twice as fast."""
    stretches: Float32[np.ndarray, " symbols"]
    """How much longer each symbol is, and the silence before and after."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What the network gives for a stretch of symbols."""

    waveform: Float32[np.ndarray, " samples"]
    content: Float32[np.ndarray, "frames dim"]
    """The text encoding that the decoder is shown, at `FRAME_RATE`."""
    f0: Float32[np.ndarray, " steps"]
    """Hz, at twice the `FRAME_RATE`; low where unvoiced."""
    durations: tuple[int, ...]
    """Frames of the silence before, of every symbol, and of the silence after; none is 0."""


class Network:
    """The network on one thread.

    Args:
        path: Its ONNX file.
    """

    def __init__(self, path: Path) -> None:
        self._session = one_thread_session(_load(path))

    def speak(self, manner: Manner, pitches: Float32[np.ndarray, " steps"] = _USUAL) -> Sound:
        """Say symbols in a voice.

        Args:
            manner: What is said, and how.
            pitches: What the pitch is multiplied by.
        """
        waveform, durations, content, f0 = self._session.run(
            ["audio", _DURATIONS, _CONTENT, _SPOKEN_F0],
            {**self._inputs(manner), _PITCHES: pitches},
        )
        return Sound(waveform, content[0].T, f0[0, 0], tuple(int(frames) for frames in durations))

    def time(self, manner: Manner) -> tuple[int, ...]:
        """Return the durations that `speak` would give, at a fraction of its work."""
        inputs = {**self._inputs(manner), _PITCHES: _USUAL}
        (durations,) = self._session.run([_DURATIONS], inputs)
        return tuple(int(frames) for frames in durations)

    def _inputs(self, manner: Manner) -> dict[str, np.ndarray]:
        ids = [SYMBOL_IDS[symbol] for symbol in manner.symbols]
        return {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": manner.voice[len(ids) - 1][None],
            "speed": np.array([manner.speed], np.float32),
            STRETCH: manner.stretches,
        }


def load_voice(path: Path) -> Voice:
    """Read a voice file.

    Raises:
        ValueError: If it is none.
    """
    numbers = np.fromfile(path, np.float32)
    if numbers.size != 510 * 256:
        raise ValueError(f"{path} is not a voice: it has {numbers.size * 4} bytes, not 522240")
    return numbers.reshape(510, 256)


def _scale_pitch(graph: onnx.GraphProto) -> None:
    """Multiply the pitch that the decoder is shown by an input."""
    (index,) = (i for i, node in enumerate(graph.node) if _F0 in node.input)
    graph.node[index].input[list(graph.node[index].input).index(_F0)] = _SPOKEN_F0
    graph.node.insert(index, helper.make_node("Mul", [_F0, _PITCHES], [_SPOKEN_F0]))
    graph.input.append(helper.make_tensor_value_info(_PITCHES, onnx.TensorProto.FLOAT, [None]))


def _load(path: Path) -> bytes:
    model = onnx.load(path)
    keep_tempo(model.graph, _EXACT_DURATIONS, _ROUNDED_DURATIONS, rank=2)
    _scale_pitch(model.graph)
    for name in (_DURATIONS, _CONTENT, _SPOKEN_F0):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    serialized: bytes = model.SerializeToString()
    return serialized
