"""The layout of UniTAF's data sets: recordings in numbered chunks with a transcript each.

Conventions: a record of ``train.json`` or ``val.json`` has ``speaker_idx, sample_id`` and an object
``chunk`` of numbered chunks, each with ``face_type, face_fps, face_path, audio_path, text_path``
relative to the folder of the JSON file and perhaps ``text_emotion_vector`` (up to 1.2, read as 1).
Every chunk is a recording; upstream uses them in overlapping pairs, because it needs a neighbour as
voice prompt.

Source: UniTAF (Zhou and Nagasaka 2026, arXiv 2602.15651), its published data loader.
"""

from typing import Any

from unitaf.data.datasets import SplitFile, named, split_files
from unitaf.data.recordings import Listing, Recording, Refusal, Source, sibling
from unitaf.data.unitalker_release import ANNOTATIONS
from unitaf.emotion import from_numbers
from unitaf.types import NEUTRAL


def list_unitaf(source: Source) -> Listing:
    """List every chunk of every sample of every data set below a root."""
    for file in split_files(source):
        for index, sample in enumerate(file.data):
            chunks = sample.get("chunk")
            if not isinstance(chunks, dict):
                yield Refusal(f"{file.name}#{index}", "record", "the record has no object 'chunk'")
                continue
            for number, chunk in chunks.items():
                name = f"{file.name}#{index}.{number}"
                try:
                    yield _recording(source, file, sample, chunk)
                except (KeyError, TypeError, ValueError) as error:
                    missing = isinstance(error, KeyError)
                    reason = f"the chunk has no {error}" if missing else str(error)
                    yield Refusal(name, "record", reason)


def _recording(
    source: Source, file: SplitFile, sample: dict[str, Any], chunk: dict[str, Any]
) -> Recording | Refusal:
    curves = sibling(file.name, chunk["face_path"])
    kind = str(chunk["face_type"])
    if kind not in ANNOTATIONS:
        reason = f"annotation type {kind!r} is not blendshape curves"
        return Refusal(curves, "annotation type", reason)
    emotion = chunk.get("text_emotion_vector")
    speakers = file.info.get("speaker_id_list", file.info.get("id_list"))
    speaker = named(speakers, sample["speaker_idx"], source.speaker)
    return Recording(
        id=curves.removesuffix(".npy"),
        audio=sibling(file.name, chunk["audio_path"]),
        curves=curves,
        channels=ANNOTATIONS[kind],
        fps=float(chunk["face_fps"]),
        text_file=sibling(file.name, chunk["text_path"]) if chunk.get("text_path") else "",
        language=source.language,
        speaker=f"{file.data_set}/{speaker}",
        emotion=from_numbers([min(float(v), 1.0) for v in emotion]) if emotion else NEUTRAL,
        split=file.split,
    )
