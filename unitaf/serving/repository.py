"""A Triton model repository that serves the engine and the face of a job.

Layout::

    <repository>/unitaf_tts/{config.pbtxt, 1/model.py, 1/job.yaml}     text to speech
    <repository>/unitaf_face/{...}                                     speech to curves
    <repository>/unitaf_take/{...}                                     both, as a stream

A ``model.py`` is one import: the server needs unitaf installed in the Python of its backend, in the
version that wrote the repository. ``unitaf_take`` asks the two others, so models are loaded once.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from unitaf.build import build_face, build_tts, speakers_of
from unitaf.config import GenerateConfig, ScriptConfig, dump_config
from unitaf.errors import ConfigError
from unitaf.triton.descriptions import (
    PARAMETER,
    ServedFace,
    ServedSpeech,
    describe_face,
    describe_speech,
    encode_description,
)
from unitaf.triton.tensors import (
    CURVES,
    ENGINE,
    FACE_MODEL,
    FIRST_FRAME,
    FPS,
    IS_LAST,
    RECORDING,
    SPEECH,
    SPEECH_MODEL,
    START,
    STREAMED_SPEECH,
    TAKE_MODEL,
    UTTERANCE,
    TensorSpec,
)

JOB_FILE = "job.yaml"

_QUEUE_DELAY_US = 2000
"""How long a request waits for others of its batch, where batches are faster."""
_HEADER = "# Written by `unitaf serve export` for the job in 1/job.yaml.\n"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of the repository."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    class_name: str
    """In `serving.backend`."""
    max_batch_size: int
    num_instances: int
    description: ServedSpeech | ServedFace | None = None
    is_stream: bool = False


def export_repository(folder: Path, config: GenerateConfig) -> list[ServedModel]:
    """Write the repository of a job; one that is there already is replaced.

    Args:
        folder: Where it goes.
        config: ``tts`` and ``face`` as for `generate`, ``output.fps`` for requests that name no
            frame rate, ``run.num_actors`` processes a model (one if empty).

    Raises:
        ConfigError: If the engine or the face cannot be built, or the folder holds something else.
    """
    if config.cast is not None:
        raise ConfigError(
            "cast: a server has one engine; leave the cast to the jobs that ask the server"
        )
    models = served_models(config)
    _check_folder(folder, {model.name for model in models})
    job = dump_config(config.model_copy(update={"script": ScriptConfig(), "store": None}))
    for model in models:
        home = folder / model.name
        if home.exists():
            shutil.rmtree(home)
        version = home / "1"
        version.mkdir(parents=True)
        (version / JOB_FILE).write_text(job, encoding="utf-8")
        code = (
            f"from unitaf.serving.backend import {model.class_name} as TritonPythonModel  # noqa\n"
        )
        (version / "model.py").write_text(code, encoding="utf-8")
        (home / "config.pbtxt").write_text(_HEADER + write_config(model), encoding="utf-8")
    return models


def served_models(config: GenerateConfig) -> list[ServedModel]:
    """Return the models of a job."""
    tts = build_tts(config.tts)
    face = build_face(config.face, tts)
    instances = config.run.num_actors or 1
    speech_in = tuple(_optional(spec) for spec in SPEECH)
    streamed = (*STREAMED_SPEECH, START, CURVES, FIRST_FRAME, IS_LAST)
    return [
        ServedModel(
            SPEECH_MODEL,
            (*UTTERANCE, RECORDING),
            (*SPEECH, ENGINE),
            "SpeechBackend",
            tts.batch_size,
            instances,
            describe_speech(tts, speakers_of(config.tts)),
        ),
        # Animators take one clip at a time.
        ServedModel(
            FACE_MODEL,
            (*UTTERANCE, *speech_in, FPS),
            (CURVES, ENGINE),
            "FaceBackend",
            1,
            instances,
            describe_face(face),
        ),
        ServedModel(TAKE_MODEL, (*UTTERANCE, FPS), streamed, "TakeBackend", 1, 1, is_stream=True),
    ]


def write_config(model: ServedModel) -> str:
    """Return the ``config.pbtxt`` of a model."""
    config = ModelConfig(name=model.name, backend="python", max_batch_size=model.max_batch_size)
    for spec in model.inputs:
        config.input.add(
            name=spec.name,
            data_type=f"TYPE_{spec.datatype}",
            dims=spec.dims,
            optional=spec.is_optional,
            allow_ragged_batch=-1 in spec.dims,
        )
    for spec in model.outputs:
        config.output.add(name=spec.name, data_type=f"TYPE_{spec.datatype}", dims=spec.dims)
    config.instance_group.add(kind="KIND_CPU", count=model.num_instances)
    # No queue policy, and no batcher for batches of one: with either, Triton 24.10 lets requests
    # stand for half a second.
    if model.max_batch_size > 1:
        config.dynamic_batching.max_queue_delay_microseconds = _QUEUE_DELAY_US
    if model.description is not None:
        text = encode_description(model.description)
        config.parameters[PARAMETER].string_value = text
    config.model_transaction_policy.decoupled = model.is_stream
    written: str = text_format.MessageToString(config, as_utf8=True)
    return written


def _optional(spec: TensorSpec) -> TensorSpec:
    return TensorSpec(spec.name, spec.datatype, spec.dims, is_optional=True)


def _check_folder(folder: Path, ours: Sequence[str] | set[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: name the folder of the repository")
    others = sorted({path.name for path in folder.iterdir()} - set(ours)) if folder.exists() else []
    if others:
        raise ConfigError(
            f"{folder} holds {others[0]!r}, which is not of a repository of unitaf: name an empty"
            " folder or a new one"
        )
