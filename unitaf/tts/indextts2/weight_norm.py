"""Weight normalisation in checkpoints, folded when they are read (Salimans and Kingma 2016).

The published files keep a weight as ``weight_g`` and ``weight_v``, w = g v / |v|, with the norm
over all dimensions but the first.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def fold_weight_norm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with every ``weight_g`` and ``weight_v`` pair made one ``weight``."""
    folded = dict(weights)
    for key in [key for key in weights if key.endswith(".weight_g")]:
        stem = key.removesuffix("_g")
        direction = folded.pop(f"{stem}_v")
        length = torch.linalg.vector_norm(direction.flatten(1), dim=1)
        shape = (-1, *[1] * (direction.dim() - 1))
        folded[stem] = direction * (folded.pop(key).reshape(shape) / length.reshape(shape))
    return folded
