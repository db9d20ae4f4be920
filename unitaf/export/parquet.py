"""One take's motion as a Parquet table of its own: a row a frame, a column a channel.

Conventions: ``time_s`` as float64, then every channel by its name as float32, untouched. What
belongs to the whole line stands in the schema's metadata under ``take``, as JSON: who says what,
the take's key, rates, and the times of phones and words. The same take gives the same bytes.
"""

import io
import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from unitaf.timing import frame_times
from unitaf.types import Take


def encode_parquet(take: Take, name: str) -> dict[str, bytes]:
    """Return the motion as a table."""
    motion, speech, said = take.motion, take.speech, take.utterance
    columns = [pa.array(frame_times(len(motion.curves), motion.fps))]
    columns += [pa.array(np.ascontiguousarray(curve)) for curve in motion.curves.T]
    about = {
        "line_id": said.id,
        "language": said.language,
        "speaker": said.speaker,
        "text": said.text,
        "emotion": said.emotion,
        "take_key": take.key,
        "fps": motion.fps,
        "sample_rate": speech.sample_rate,
        "num_samples": speech.num_samples,
        "phones": [asdict(phone) for phone in speech.phones],
        "words": [asdict(word) for word in speech.words],
        "provenance": asdict(take.provenance),
    }
    table = pa.table(columns, names=["time_s", *motion.channels])
    file = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({"take": json.dumps(about, ensure_ascii=False)}),
        file,
        compression="zstd",
        use_dictionary=False,
    )
    return {f"{name}.parquet": file.getvalue()}
