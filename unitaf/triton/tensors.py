"""Nouns as tensors: what `unitaf serve export` and its clients say to each other.

Conventions: a request is one line; the server makes batches of them. So the first axis of every
tensor is 1. Text is UTF-8. Everything is carried without loss: what comes out of a server has the
bytes that went in. This module knows nothing about servers and engines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from unitaf.rigs.arkit import CHANNELS
from unitaf.types import EMOTIONS, Emotion, FaceMotion, Mood, Phone, Speech, Utterance, Word

Tensors = dict[str, Shaped[np.ndarray, "1 ..."]]
"""By name."""

SPEECH_MODEL, FACE_MODEL, TAKE_MODEL = "unitaf_tts", "unitaf_face", "unitaf_take"
"""What the models of a repository are called."""

REVISION = 2
"""Raised when a name, type or meaning changes."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of a model, as its configuration names it."""

    name: str
    datatype: str
    """In Triton's spelling of a configuration, without ``TYPE_``."""
    dims: tuple[int, ...]
    """Without the batch axis; -1 for any length."""
    is_optional: bool = False


UTTERANCE = (
    TensorSpec("text", "STRING", (1,)),
    TensorSpec("language", "STRING", (1,), is_optional=True),
    TensorSpec("speaker", "STRING", (1,), is_optional=True),
    TensorSpec("emotion", "FP64", (len(EMOTIONS),), is_optional=True),
    TensorSpec("seed", "INT64", (1,), is_optional=True),
    TensorSpec("speed", "FP64", (1,), is_optional=True),
)
RECORDING = TensorSpec("recording", "FP32", (-1,), is_optional=True)
FPS = TensorSpec("fps", "FP64", (1,), is_optional=True)
SPEECH = (
    TensorSpec("waveform", "FP32", (-1,)),
    TensorSpec("sample_rate", "INT32", (1,)),
    TensorSpec("features", "FP32", (-1, -1)),
    TensorSpec("feature_rate", "FP64", (1,)),
    TensorSpec("phones", "STRING", (-1,)),
    TensorSpec("phone_times", "FP64", (-1, 2)),
    TensorSpec("phone_stress", "INT32", (-1,)),
    TensorSpec("words", "STRING", (-1,)),
    TensorSpec("word_times", "FP64", (-1, 2)),
    TensorSpec("f0", "FP32", (-1,)),
    TensorSpec("f0_rate", "FP64", (1,)),
    TensorSpec("speech_emotion", "FP64", (len(EMOTIONS),)),
    TensorSpec("mood_starts", "FP64", (-1,)),
    TensorSpec("moods", "FP64", (-1, len(EMOTIONS))),
    TensorSpec("alignment_cost", "FP64", (1,)),
)
STREAMED_SPEECH = tuple(
    spec
    for spec in SPEECH
    if spec.name in {"waveform", "sample_rate", "phones", "phone_times", "words", "word_times"}
)
CURVES = TensorSpec("curves", "FP32", (-1, len(CHANNELS)))
ENGINE = TensorSpec("engine", "STRING", (1,))
"""The fingerprint of what made the answer."""
START = TensorSpec("start_s", "FP64", (1,))
FIRST_FRAME = TensorSpec("first_frame", "INT32", (1,))
IS_LAST = TensorSpec("is_last", "BOOL", (1,))


def encode_utterance(utterance: Utterance) -> Tensors:
    """Return a line as tensors; its id is the client's own business."""
    return {
        "text": _strings([utterance.text]),
        "language": _strings([utterance.language]),
        "speaker": _strings([utterance.speaker]),
        "emotion": np.array([utterance.emotion], np.float64),
        "seed": np.array([[utterance.seed]], np.int64),
        "speed": np.array([[utterance.speed]], np.float64),
    }


def decode_utterance(tensors: Mapping[str, Any], line_id: str) -> Utterance:
    """Read a line; what is not given is as in `Utterance`.

    Raises:
        ValueError: If a text is not UTF-8 or there is more than one line.
    """
    if len(tensors["text"]) != 1:
        raise ValueError("send one line a request: the server makes batches of requests")
    given: dict[str, Any] = {
        name: _texts(tensors[name])[0] for name in ("language", "speaker") if name in tensors
    }
    if "emotion" in tensors:
        given["emotion"] = _emotion(tensors["emotion"][0])
    if "seed" in tensors:
        given["seed"] = int(tensors["seed"][0, 0])
    if "speed" in tensors:
        given["speed"] = float(tensors["speed"][0, 0])
    return Utterance(line_id, _texts(tensors["text"])[0], **given)


def encode_speech(speech: Speech) -> Tensors:
    """Return a speech as tensors: all of it."""
    phones, words, moods = speech.phones, speech.words, speech.moods
    felt = np.array([mood.emotion for mood in moods], np.float64)
    return {
        "waveform": speech.waveform[None],
        "sample_rate": np.array([[speech.sample_rate]], np.int32),
        "features": np.ascontiguousarray(speech.features)[None],
        "feature_rate": np.array([[speech.feature_rate]], np.float64),
        "phones": _strings([phone.label for phone in phones]),
        "phone_times": _times(phones),
        "phone_stress": np.array([[phone.stress for phone in phones]], np.int32),
        "words": _strings([word.text for word in words]),
        "word_times": _times(words),
        "f0": speech.f0[None],
        "f0_rate": np.array([[speech.f0_rate]], np.float64),
        "speech_emotion": np.array([speech.emotion], np.float64),
        "mood_starts": np.array([[mood.start_s for mood in moods]], np.float64),
        "moods": felt.reshape(1, len(moods), len(EMOTIONS)),
        "alignment_cost": np.array([[speech.alignment_cost]], np.float64),
    }


def decode_speech(tensors: Mapping[str, Any]) -> Speech:
    """Read a speech."""
    labels, texts = _texts(tensors["phones"]), _texts(tensors["words"])
    phone_rows = zip(labels, tensors["phone_times"][0], tensors["phone_stress"][0], strict=True)
    word_rows = zip(texts, tensors["word_times"][0], strict=True)
    mood_rows = zip(tensors["mood_starts"][0], tensors["moods"][0], strict=True)
    return Speech(
        waveform=tensors["waveform"][0],
        sample_rate=int(tensors["sample_rate"][0, 0]),
        features=tensors["features"][0],
        feature_rate=float(tensors["feature_rate"][0, 0]),
        phones=tuple(
            Phone(label, float(start_s), float(end_s), int(stress))
            for label, (start_s, end_s), stress in phone_rows
        ),
        words=tuple(
            Word(text, float(start_s), float(end_s)) for text, (start_s, end_s) in word_rows
        ),
        f0=tensors["f0"][0],
        f0_rate=float(tensors["f0_rate"][0, 0]),
        emotion=_emotion(tensors["speech_emotion"][0]),
        moods=tuple(Mood(float(start_s), _emotion(felt)) for start_s, felt in mood_rows),
        alignment_cost=float(tensors["alignment_cost"][0, 0]),
    )


def encode_motion(motion: FaceMotion) -> Tensors:
    """Return a motion on the canonical channels as tensors."""
    return {"curves": motion.curves[None]}


def decode_motion(tensors: Mapping[str, Any], fps: float) -> FaceMotion:
    """Read a motion on the canonical channels."""
    return FaceMotion(tensors["curves"][0], CHANNELS, fps)


def decode_text(tensor: Shaped[np.ndarray, "1 _"]) -> str:
    """Return the only text of a tensor."""
    return _texts(tensor)[0]


def encode_text(text: str) -> Shaped[np.ndarray, "1 1"]:
    """Return a text as a tensor."""
    return _strings([text])


def encode_bytes(data: bytes) -> Shaped[np.ndarray, "1 1"]:
    """Return bytes as a tensor."""
    encoded = np.empty((1, 1), dtype=object)
    encoded[0, 0] = data
    return encoded


def _strings(texts: Sequence[str]) -> Shaped[np.ndarray, "1 texts"]:
    encoded = np.empty((1, len(texts)), dtype=object)
    encoded[0] = [text.encode() for text in texts]
    return encoded


def _texts(tensor: Shaped[np.ndarray, "1 texts"]) -> list[str]:
    return [data.decode() for data in tensor[0]]


def _emotion(strengths: Shaped[np.ndarray, " emotions"]) -> Emotion:
    return tuple(float(each) for each in strengths)  # type: ignore[return-value]  # as specified


def _times(spans: Sequence[Phone] | Sequence[Word]) -> Shaped[np.ndarray, "1 spans 2"]:
    times = [(span.start_s, span.end_s) for span in spans]
    return np.array(times, np.float64).reshape(1, len(spans), 2)
