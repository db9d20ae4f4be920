"""Models of a Triton server that speak IndexTTS2's public protocol.

They pad to the longest of a batch, as that server does. What they say is no IndexTTS2's: see
`CLIP` and `SPEECH`.
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
from unitaf.audio import resample
from unitaf.tts.hibari import Hibari
from unitaf.types import Utterance

def given(request, name):
    tensor = pb.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy()[0]

class TritonPythonModel:
    def initialize(self, args):
        self.engine = Hibari()

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

"""


CLIP = """
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
"""The voice clip's samples again, more softly the stronger the emotion, and for a tenth of a second
for each character."""

SPEECH = """
    def say(self, request):
        text = given(request, "text")[0].decode()
        speech = self.engine.synthesize([Utterance("line", text)])[0]
        wave = resample(speech.waveform, speech.sample_rate, 22050)
        return np.rint(32767 * np.clip(wave, -1, 1)).astype(np.int16)
"""
"""The embedded voice."""


def write_indextts2_model(repository: Path, name: str, saying: str) -> None:
    """Write a model that says lines in one of the ways above."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(_MODEL + saying)
    (version.parent / "config.pbtxt").write_text(_CONFIG)
