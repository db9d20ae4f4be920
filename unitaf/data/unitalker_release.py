"""The release layout of UniTalker's data sets: JSON splits beside folders of ``.npy`` and ``.wav``.

Conventions: a record has ``annot_type, annot_path, audio_path, id, fps, dataset``, with paths
relative to the folder of the JSON file; ``id`` points into ``info.id_list``. Only annotations that
are blendshape curves can be trained on: vertices and FLAME parameters have no ARKit names.

Source: UniTalker (Fan et al. 2024, arXiv 2408.00762), its data release.
"""

from typing import Any

from unitaf.data.datasets import SplitFile, named, split_files
from unitaf.data.recordings import Listing, Recording, Refusal, Source, sibling
from unitaf.rigs.arkit import UNITAF_61, UNITALKER_51, UNITALKER_52

ANNOTATIONS = {
    "inhouse_blendshape_weight": UNITALKER_51,
    "3DETF_blendshape_weight": UNITALKER_52,
    "qxsk_inhouse_blendshape_weight": UNITAF_61,
}
"""The channel order of every annotation type that is curves."""


def list_unitalker(source: Source) -> Listing:
    """List every record of every split of every data set below a root."""
    for file in split_files(source):
        for index, record in enumerate(file.data):
            try:
                yield _recording(source, file, record)
            except (KeyError, TypeError, ValueError) as error:
                name = str(record.get("annot_path", f"{file.name}#{index}"))
                yield Refusal(name, "record", _reason(error))


def _recording(source: Source, file: SplitFile, record: dict[str, Any]) -> Recording | Refusal:
    curves = sibling(file.name, record["annot_path"])
    kind = str(record["annot_type"])
    if kind not in ANNOTATIONS:
        reason = f"annotation type {kind!r} is not blendshape curves"
        return Refusal(curves, "annotation type", reason)
    return Recording(
        id=curves.removesuffix(".npy"),
        audio=sibling(file.name, record["audio_path"]),
        curves=curves,
        channels=ANNOTATIONS[kind],
        fps=float(record["fps"]),
        language=source.language,
        speaker=_speaker(source, file, record),
        split=file.split,
    )


def _speaker(source: Source, file: SplitFile, record: dict[str, Any]) -> str:
    """Return a name that no other data set has."""
    data_set = str(record.get("dataset") or file.data_set)
    return f"{data_set}/{named(file.info.get('id_list'), record['id'], source.speaker)}"


def _reason(error: Exception) -> str:
    return f"the record has no {error}" if isinstance(error, KeyError) else str(error)
