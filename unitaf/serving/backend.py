"""The served models as Triton's Python backend has them; importable only inside a server.

A line that is refused answers its own request with an error, a model that fails all requests of the
batch. A model that is not what its configuration says does not load.
"""

import asyncio
import json
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb

from unitaf.build import build_face, build_tts, speakers_of
from unitaf.config import GenerateConfig, load_config
from unitaf.errors import BackendError
from unitaf.serving.models import Answer, FaceModel, Request, SpeechModel
from unitaf.serving.repository import JOB_FILE
from unitaf.serving.streaming import stream_take
from unitaf.triton.descriptions import (
    PARAMETER,
    ServedFace,
    ServedSpeech,
    describe_face,
    describe_speech,
    encode_description,
)
from unitaf.triton.refusals import Refusal, read_refusal, write_refusal
from unitaf.triton.tensors import CURVES, ENGINE, FACE_MODEL, SPEECH, Tensors


class SpeechBackend:
    """``unitaf_tts``."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the engine of the job."""
        config = _job(args)
        tts = build_tts(config.tts)
        _check(args, describe_speech(tts, speakers_of(config.tts)))
        tts.load()
        self._model = SpeechModel(tts)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch of requests."""
        return [_response(answer) for answer in self._model.answer([_read(r) for r in requests])]


class FaceBackend:
    """``unitaf_face``."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the face of the job."""
        config = _job(args)
        tts = build_tts(config.tts)
        face = build_face(config.face, tts)
        _check(args, describe_face(face))
        face.load()
        self._model = FaceModel(tts, face, config.output.fps)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch of requests."""
        return [_response(answer) for answer in self._model.answer([_read(r) for r in requests])]


class TakeBackend:
    """``unitaf_take``: one answer a sentence, made by the two others."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the job."""
        self._fps = _job(args).output.fps

    async def execute(self, requests: Sequence[Any]) -> None:
        """Answer requests; those that come meanwhile are begun meanwhile."""
        await asyncio.gather(*(self._answer(request) for request in requests))

    async def _answer(self, request: Any) -> None:
        """Answer one request to its end, whatever happens.

        The two other backends raise, and Triton answers; of a stream that raises, Triton tells its
        client nothing, and the client waits for ever. So this is where every error goes that no
        caller is left to hear of, a mistake in this code as much as a server's fault: to the log
        whole, to the client in a sentence. No kind is named because none may be left out; lines
        that cannot be said are none of them, but answers.
        """
        sender = request.get_response_sender()
        [error] = await asyncio.gather(self._send(request, sender), return_exceptions=True)
        if error is not None:
            pb.Logger.log_error("".join(traceback.format_exception(error)))
            told = (
                str(error)
                if isinstance(error, BackendError)
                else f"{type(error).__name__}: {error}"
            )
            sender.send(pb.InferenceResponse(error=pb.TritonError(told)))
        sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    async def _send(self, request: Any, sender: Any) -> None:
        async for answer in stream_take(_read(request), self._fps, _ask):
            if sender.is_cancelled():
                break
            sender.send(_response(answer))


async def _ask(model: str, tensors: Tensors) -> Answer:
    """Have another model of this server answer."""
    wanted = [ENGINE, CURVES] if model == FACE_MODEL else [ENGINE, *SPEECH]
    request = pb.InferenceRequest(
        model_name=model,
        inputs=[pb.Tensor(name, tensor) for name, tensor in tensors.items()],
        requested_output_names=[spec.name for spec in wanted],
    )
    response = await request.async_exec()
    if not response.has_error():
        return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}
    message = response.error().message()
    refusal = read_refusal(message)
    if refusal is None:
        raise BackendError(f"{model}: {message}")
    return refusal


def _job(args: dict[str, str]) -> GenerateConfig:
    return load_config(Path(args["model_repository"], args["model_version"], JOB_FILE))


def _check(args: dict[str, str], built: ServedSpeech | ServedFace) -> None:
    """Refuse to serve what clients would take for something else."""
    said = json.loads(args["model_config"])["parameters"][PARAMETER]["string_value"]
    if said != encode_description(built):
        raise BackendError(
            f"{args['model_name']}: the repository was written for {said}, but this server has"
            f" {encode_description(built)}: export it again with what is installed here"
        )


def _read(request: Any) -> Request:
    return {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}


def _response(answer: Answer) -> Any:
    match answer:
        case Refusal():
            error = pb.TritonError(write_refusal(answer), pb.TritonError.INVALID_ARG)
            return pb.InferenceResponse(error=error)
        case tensors:
            outputs = [pb.Tensor(name, tensor) for name, tensor in tensors.items()]
            return pb.InferenceResponse(outputs)
