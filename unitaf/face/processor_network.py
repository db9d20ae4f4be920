"""A face model's network on a processor: one clip at a time, one thread, no torch."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import correlate1d

from unitaf import timing
from unitaf.face.emotion_channels import calming_window, emotion_channels
from unitaf.face.network_graph import INPUTS, NetworkShape, Tensors, face_graph
from unitaf.onnx_session import one_thread_session
from unitaf.types import Emotion


class ProcessorNetwork:
    """An `animator.ClipNetwork` that gives what `model.TorchNetwork` gives, without torch.

    Args:
        tensors: The state of a `model.FaceModel`.
        shape: Of the network.
        rates: Steps of features a second, and frames a second that come out.
        channels: The names of the curves.
        style_id: Whose style to move in; the last row is nobody's.

    Raises:
        ValueError: If the style does not exist, or the tensors are not those of such a network.
    """

    def __init__(
        self,
        tensors: Tensors,
        shape: NetworkShape,
        rates: tuple[float, float],
        channels: Sequence[str],
        style_id: int,
    ) -> None:
        self._feature_dim = shape.feature_dim
        self._feature_rate, self._fps = rates
        self._steps_a_frame = float(timing.exact_rate(rates[0]) / timing.exact_rate(rates[1]))
        self._moods = np.flatnonzero(emotion_channels(channels))
        self._window = calming_window(self._fps)
        self._session = one_thread_session(face_graph(tensors, shape, style_id).SerializeToString())

    @property
    def feature_dim(self) -> int:
        """Width of the features that it reads."""
        return self._feature_dim

    @property
    def feature_rate(self) -> float:
        """Steps of features a second."""
        return self._feature_rate

    @property
    def fps(self) -> float:
        """Frames a second that come out."""
        return self._fps

    def decode(
        self, features: Float32[np.ndarray, "steps dim"], frames: int, emotion: Emotion
    ) -> Float32[np.ndarray, "frames channels"]:
        """Return the curves of a clip, not yet clipped."""
        positions = np.minimum(np.arange(frames) * self._steps_a_frame, len(features) - 1)
        before = np.floor(positions)
        share = (positions - before)[:, None].astype(np.float32)
        after = np.ceil(positions).astype(np.int64)
        strengths = np.array([emotion], np.float32)
        values = features.astype(np.float32, copy=False)
        inputs = (values, before.astype(np.int64), after, share, strengths)
        curves: Float32[np.ndarray, "frames channels"]
        (curves,) = self._session.run(None, dict(zip(INPUTS, inputs, strict=True)))
        moods = curves[:, self._moods]
        curves[:, self._moods] = correlate1d(moods, self._window, axis=0, mode="nearest")
        return curves
