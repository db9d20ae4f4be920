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
        # What weight norm itself calls: the folded weights are those of the reference to the bit.
        folded[stem] = torch._weight_norm(folded.pop(f"{stem}_v"), folded.pop(key), 0)
    return folded
