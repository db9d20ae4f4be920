"""A UniTalker network small enough for tests, with random weights that do something."""

import numpy as np
import torch
from torch import nn

from unitaf.face.unitalker import EncoderSizes, Network, UniTalker, build_unitalker

SIZES = EncoderSizes(dim=32, num_layers=2, num_heads=2, feedforward_dim=48, conv_dim=16)
HEADS = {"inhouse_blendshape_weight": 51, "FLAME_5023_vertices": 12}


def tiny_network(**changes: object) -> Network:
    settings = {"encoder": "wavlm", "sizes": SIZES, "num_styles": 20, "head_sizes": HEADS}
    return Network(**{**settings, "decoder_dim": 24, **changes})


def randomize(module: nn.Module, seed: int = 0) -> None:
    """Give every parameter a random value: fresh heads and biases are zero and hide faults."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.rand(parameter.shape, generator=generator) * 2 - 1
            if parameter.ndim > 1:
                parameter.copy_(noise * 0.5 / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.2 * noise + (1.0 if name.endswith("weight") else 0.0))


def tiny_unitalker(**changes: object) -> UniTalker:
    model = build_unitalker(tiny_network(**changes))
    randomize(model)
    return model.eval()


def babble(num_samples: int, seed: int = 0, sample_rate: int = 16_000) -> np.ndarray:
    """Return a sound with the loudness and pitch changes of speech."""
    random = np.random.default_rng(seed)
    times = np.arange(num_samples) / sample_rate
    pitch = 120 * times + 3 * np.sin(2 * np.pi * 0.7 * times)
    syllables = np.abs(np.sin(2 * np.pi * 2.3 * times + seed))
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 12))
    noise = random.standard_normal(num_samples)
    return ((0.1 * voice + 0.02 * noise) * syllables).astype(np.float32)
