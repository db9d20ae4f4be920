"""Models of a Triton server that do harm, and one that speaks IndexTTS2's public protocol.

The harmful ones call themselves the silent engine, as far as their configuration goes.
"""

from pathlib import Path

_MODEL = """
import numpy as np
import time
import triton_python_backend_utils as pb

class TritonPythonModel:
    def initialize(self, args):
        self.requests = 0

    def execute(self, requests):
        self.requests += len(requests)
        return [self.answer(request) for request in requests]

    def answer(self, request):
{body}
"""
_ERROR = "return pb.InferenceResponse(error=pb.TritonError({message!r}, pb.TritonError.{code}))"
_BODIES = {
    "slow": "time.sleep(1.0)\n" + _ERROR.format(message="late", code="INTERNAL"),
    "failing": "raise RuntimeError('the model is out of memory')",
    "busy": _ERROR.format(message="come again", code="UNAVAILABLE"),
    "busy_twice": "if self.requests <= 2:\n"
    f"    {_ERROR.format(message='come again', code='UNAVAILABLE')}\n"
    + _ERROR.format(message="line refused, column text: at last", code="INVALID_ARG"),
    "misshapen": "features = np.zeros((1, 3, 5), np.float32)\n"
    "return pb.InferenceResponse([pb.Tensor('features', features)])",
}

_INDEXTTS2_CONFIG = """
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
_INDEXTTS2_MODEL = '''
"""Answers with the voice clip's samples, scaled by the emotion, a second for ten letters."""
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
        clip, _ = soundfile.read(io.BytesIO(data), dtype="int16")
        emotion = given(request, "emo_vector")
        scale = 1.0 if emotion is None else 1.0 - 0.5 * float(emotion.max())
        length = 2205 * len(given(request, "text")[0].decode())
        return (np.resize(clip, length) * scale).astype(np.int16)
'''


def write_faulty_models(repository: Path) -> None:
    """Write the models beside those of `unitaf serve export`."""
    for name, body in _BODIES.items():
        version = repository / name / "1"
        version.mkdir(parents=True)
        text = "\n".join(f"        {line}" for line in body.splitlines())
        (version / "model.py").write_text(_MODEL.format(body=text))
        config = (repository / "unitaf_tts" / "config.pbtxt").read_text()
        config = config.replace('name: "unitaf_tts"', f'name: "{name}"')
        (repository / name / "config.pbtxt").write_text(config)
    version = repository / "indextts2" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(_INDEXTTS2_MODEL)
    (version.parent / "config.pbtxt").write_text(_INDEXTTS2_CONFIG)
