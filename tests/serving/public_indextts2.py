"""A model of a Triton server that speaks IndexTTS2's public protocol.

It repeats the voice clip's samples, more softly the stronger the emotion, a tenth of a second for
each character, and pads to the longest of its batch, as that server does.
"""

from pathlib import Path

_CONFIG = """
backend: "python"
max_batch_size: 4
input [
  {name: "text" data_type: TYPE_STRING dims: 1},
  {name: "speaker_audio" data_type: TYPE_STRING dims: 1},
  {name: "emo_speaker_audio" data_type: TYPE_STRING dims: 1 optional: true},
  {name: "emo_alpha" data_type: TYPE_FP32 dims: 1 optional: true},
  {name: "emo_vector" data_type: TYPE_FP32 dims: 8 optional: true}
]
output [
  {name: "audio" data_type: TYPE_INT16 dims: -1},
  {name: "sample_rate" data_type: TYPE_INT32 dims: 1},
  {name: "audio_length" data_type: TYPE_INT32 dims: 1}
]
dynamic_batching {max_queue_delay_microseconds: 100000}
instance_group [{kind: KIND_CPU}]
"""
_MODEL = """
import io
import numpy as np
import soundfile
import triton_python_backend_utils as pb

def given(request, name):
    tensor = pb.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy()[0]

class TritonPythonModel:
    def execute(self, requests):
        sounds = [self.say(request) for request in requests]
        longest = max(map(len, sounds))
        return [
            pb.InferenceResponse([
                pb.Tensor("audio", np.pad(sound, (0, longest - len(sound)))[None]),
                pb.Tensor("sample_rate", np.array([[22050]], np.int32)),
                pb.Tensor("audio_length", np.array([[len(sound)]], np.int32)),
            ])
            for sound in sounds
        ]

    def say(self, request):
        data = given(request, "speaker_audio")[0]
        if given(request, "emo_speaker_audio") is not None:
            data = given(request, "emo_speaker_audio")[0]
        alpha = given(request, "emo_alpha")
        clip, _ = soundfile.read(io.BytesIO(data), dtype="int16")
        emotion = given(request, "emo_vector")
        scale = 1.0 if emotion is None else 1.0 - 0.5 * float(emotion.max())
        scale *= 1.0 if alpha is None else float(alpha[0])
        length = 2205 * len(given(request, "text")[0].decode())
        return (np.resize(clip, length) * scale).astype(np.int16)
"""


def write_indextts2_model(repository: Path) -> None:
    """Write the model ``indextts2``."""
    version = repository / "indextts2" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(_MODEL)
    (version.parent / "config.pbtxt").write_text(_CONFIG)
