"""A model that does harm in the way that a line's speaker says.

It calls itself the silent engine, as far as its configuration goes.
"""

from pathlib import Path

NAME, TAKE_NAME = "faulty", "faulty_take"
_MODEL = """
import time
import numpy as np
import triton_python_backend_utils as pb
from unitaf.triton.tensors import encode_speech, encode_text
from unitaf.tts.stub import StubSpeech
from unitaf.types import Utterance

def error(message, code):
    return pb.InferenceResponse(error=pb.TritonError(message, code))

class TritonPythonModel:
    def initialize(self, args):
        self.times_busy = 0
        self.times_failed = 0

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        speaker = pb.get_input_tensor_by_name(request, "speaker").as_numpy()[0, 0].decode()
        return getattr(self, speaker)()

    def slow(self):
        time.sleep(0.5)
        return error("late", pb.TritonError.INTERNAL)

    def failing(self):
        self.times_failed += 1
        raise RuntimeError(f"out of memory, time {self.times_failed}")

    def busy(self):
        return error("come again", pb.TritonError.UNAVAILABLE)

    def busy_twice(self):
        self.times_busy += 1
        if self.times_busy <= 2:
            return self.busy()
        return error("line refused, column text: at last", pb.TritonError.INVALID_ARG)

    def misshapen(self):
        features = pb.Tensor("features", np.zeros((1, 3, 5), np.float32))
        return pb.InferenceResponse([features])

    def flat(self):
        return self.said(lambda tensors: {"phone_times": tensors["phone_times"][..., 0]})

    def other_rate(self):
        return self.said(lambda tensors: {"sample_rate": np.array([[8000]], np.int32)})

    def said(self, change):
        tts = StubSpeech()
        [speech] = tts.synthesize([Utterance("a", "Hello.")])
        tensors = {**encode_speech(speech), "engine": encode_text(tts.fingerprint)}
        tensors |= change(tensors)
        return pb.InferenceResponse([pb.Tensor(*each) for each in tensors.items()])
"""
_TAKE_MODEL = """
import asyncio
from pathlib import Path
from unitaf.serving import backend
from unitaf.triton.tensors import SPEECH_MODEL, decode_text

class TritonPythonModel(backend.TakeBackend):
    def initialize(self, args):
        self._fps = "not a number"

ask = backend._ask

async def ask_later(model, tensors):
    if model == SPEECH_MODEL and decode_text(tensors["text"]) == "Wait.":
        while not Path(decode_text(tensors["speaker"])).exists():
            await asyncio.sleep(0.01)
    return await ask(model, tensors)

backend._ask = ask_later
"""
"""A stream with a mistake in its code: a request that names no frame rate fails. It says ``Wait.``
when the file is there that the speaker names."""


def write_faulty_models(repository: Path) -> None:
    """Write the models beside those of `unitaf serve export`, whose configurations they have."""
    for name, of, code in ((NAME, "unitaf_tts", _MODEL), (TAKE_NAME, "unitaf_take", _TAKE_MODEL)):
        version = repository / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(code)
        config = (repository / of / "config.pbtxt").read_text()
        (version.parent / "config.pbtxt").write_text(
            config.replace(f'name: "{of}"', f'name: "{name}"')
        )
