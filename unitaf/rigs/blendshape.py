"""Meshes that curves move linearly: vertices = neutral + sum of curve times delta.

Conventions: metres, y up, the face looks along +z, the character's left is +x; ARKit channel names.
`unitaf.rigs.rig_files` reads rigs from files, `unitaf.rigs.head` makes one by code.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32, Int64

from unitaf.rigs.arkit import ANGLES, column_indices
from unitaf.types import FaceMotion

_SKIN_ROUGHNESS = 0.6


@dataclass(frozen=True, slots=True)
class Part:
    """A run of triangles that looks alike."""

    name: str
    start: int
    stop: int
    """The part's triangles are those from start up to stop."""
    roughness: float = _SKIN_ROUGHNESS
    """0 a mirror, 1 chalk."""


@dataclass(frozen=True, slots=True, eq=False)
class BlendshapeRig:
    """A mesh that curves move; implements `unitaf.types.Rig`.

    Raises:
        ValueError: If the arrays do not fit each other, a channel stands twice, or a coordinate is
            not a finite number.
    """

    channels: tuple[str, ...]
    neutral: Float32[np.ndarray, "points 3"]
    deltas: Float32[np.ndarray, "channels points 3"]
    triangles: Int64[np.ndarray, "triangles 3"]
    lips: Int64[np.ndarray, " lips"] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Empty where the source does not say which vertices are the lips."""
    colours: Float32[np.ndarray, "points 3"] | None = None
    """Linear RGB of every vertex."""
    parts: tuple[Part, ...] = ()
    """Cover all triangles in order; empty: the mesh is one part."""

    def __post_init__(self) -> None:
        column_indices(self.channels, self.channels)
        if self.deltas.shape != (len(self.channels), *self.neutral.shape):
            raise ValueError(
                f"deltas have shape {self.deltas.shape}, not one of {self.neutral.shape} for each "
                f"of {len(self.channels)} channels"
            )
        if not (np.isfinite(self.neutral).all() and np.isfinite(self.deltas).all()):
            raise ValueError("a coordinate is not a finite number")
        for name, indices in (("triangles", self.triangles), ("lips", self.lips)):
            if indices.size and not 0 <= indices.min() <= indices.max() < len(self.neutral):
                raise ValueError(f"{name} name a vertex that the {len(self.neutral)} do not hold")

    def vertices(
        self, curves: Float[np.ndarray, "frames channels"]
    ) -> Float32[np.ndarray, "frames points 3"]:
        """Return the mesh of every frame.

        Args:
            curves: Columns in the order of `channels`; `rig_curves` brings a motion's there.

        Raises:
            ValueError: If there is not one column for each channel.
        """
        if curves.shape[1] != len(self.channels):
            raise ValueError(f"{curves.shape[1]} curves but the rig has {len(self.channels)}")
        moved = np.asarray(curves, np.float32) @ self.deltas.reshape(len(self.channels), -1)
        vertices: Float32[np.ndarray, "frames points 3"] = self.neutral + moved.reshape(
            -1, *self.neutral.shape
        )
        return vertices


def rig_curves(
    channels: tuple[str, ...], motion: FaceMotion, ignored: Collection[str] = ()
) -> Float32[np.ndarray, "frames channels"]:
    """Return a motion's curves for a rig's channels, matched by name.

    A channel that the motion does not have is zero. Head and eye angles are no shapes: the head's
    turn the whole mesh, the eyes' tell again what the eyeLook shapes do.

    Args:
        channels: The rig's.
        motion: Any channels, any order.
        ignored: Channels that the rig may lack.

    Raises:
        ValueError: If the motion moves a shape that the rig lacks.
    """
    there = {name.lower(): column for column, name in enumerate(channels)}
    curves = np.zeros((len(motion.curves), len(channels)), np.float32)
    optional = {name.lower() for name in (*ANGLES, *ignored)}
    missing = []
    for name, curve in zip(motion.channels, motion.curves.T, strict=True):
        if name.lower() in there:
            curves[:, there[name.lower()]] = curve
        elif name.lower() not in optional and curve.any():
            missing.append(name)
    if missing:
        raise ValueError(f"the rig lacks channels that the motion moves: {', '.join(missing)}")
    return curves
