"""Curves as plain text for scripts, Unreal's among them: a JSON file or a table of CSV.

Conventions: every channel of the take, named as Unreal's Live Link names them (``JawOpen``), in
Apple's order; blendshapes 0 to 1, angles in radians, six decimals; times in seconds, exact. JSON
has one list of times and one of values for each curve, which is what a function that adds keys to
an animation takes. CSV has a row a frame: ``time_s`` and then the channels.
"""

import json

from unitaf.rigs.arkit import pascal_case
from unitaf.timing import frame_times
from unitaf.types import Take


def encode_curves_json(take: Take, name: str) -> dict[str, bytes]:
    """Return the motion as JSON, a list of values a curve."""
    motion = take.motion
    rows = zip(motion.channels, motion.curves.T.tolist(), strict=True)
    document = {
        "fps": motion.fps,
        "duration_s": take.speech.duration_s,
        "times_s": frame_times(len(motion.curves), motion.fps).tolist(),
        "curves": {pascal_case(name): [round(v, 6) for v in values] for name, values in rows},
    }
    return {f"{name}.curves.json": (json.dumps(document) + "\n").encode("ascii")}


def encode_curves_csv(take: Take, name: str) -> dict[str, bytes]:
    """Return the motion as CSV, a row a frame."""
    motion = take.motion
    times = frame_times(len(motion.curves), motion.fps).tolist()
    rows = [",".join(["time_s", *map(pascal_case, motion.channels)])]
    rows += [
        ",".join([repr(time_s), *(f"{value:.6f}" for value in values)])
        for time_s, values in zip(times, motion.curves.tolist(), strict=True)
    ]
    return {f"{name}.curves.csv": ("\n".join(rows) + "\n").encode("ascii")}
