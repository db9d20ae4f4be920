"""Live Link Face CSV, as the iOS app records it and Unreal's importer reads it.

Conventions: 63 columns, ``Timecode,BlendshapeCount``, then 52 blendshapes and nine angles in the
order of recorded files (`arkit.LIVE_LINK_CSV`, jaw and mouth right before left) in PascalCase; ten
decimals; angles in radians; timecode ``HH:MM:SS:FF.sss`` with thousandths of a frame, from zero.
"""

from unitaf.rigs.arkit import LIVE_LINK_CSV, pascal_case, reorder
from unitaf.timing import timecode
from unitaf.types import Take


def encode_livelink(take: Take, name: str) -> dict[str, bytes]:
    """Return the motion as a Live Link Face CSV, a row a frame."""
    motion = take.motion
    header = ",".join(["Timecode", "BlendshapeCount", *map(pascal_case, LIVE_LINK_CSV)])
    curves = reorder(motion.curves, motion.channels, LIVE_LINK_CSV)
    rows = [
        ",".join(
            [timecode(frame, motion.fps), str(len(LIVE_LINK_CSV)), *(f"{v:.10f}" for v in values)]
        )
        for frame, values in enumerate(curves.tolist())
    ]
    return {f"{name}.csv": ("\n".join([header, *rows]) + "\n").encode("ascii")}
