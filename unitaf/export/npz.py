"""A take's motion as arrays for numpy: ``curves``, ``channels``, ``fps``."""

import io

import numpy as np

from unitaf.types import Take


def encode_npz(take: Take, name: str) -> dict[str, bytes]:
    """Return the motion as a compressed npz file, which `numpy.load` reads without pickle."""
    motion = take.motion
    file = io.BytesIO()
    np.savez_compressed(
        file, curves=motion.curves, channels=np.array(motion.channels), fps=np.float64(motion.fps)
    )
    return {f"{name}.npz": file.getvalue()}
