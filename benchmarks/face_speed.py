"""How fast recordings are animated on one core: in batches, and one clip after the other.

    python -m benchmarks.face_speed [base|large]

Weights are random; sizes are those of the published models. The loop is the published way: one clip
at a time through the encoder as transformers has it, then decoder and head. Times are of the
processor, the best of a few runs each, so that other work on the machine counts little.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from unitaf import timing
from unitaf.face.decoder import FrameGrid, length_mask
from unitaf.face.encoders import SAMPLE_RATE, STEP_RATE, num_steps
from unitaf.face.recordings import Target, predict_motion
from unitaf.face.unitalker import BASE, LARGE, EncoderSizes, Network, UniTalker, build_unitalker

HEAD = "inhouse_blendshape_weight"
TARGET = Target(HEAD, 934, 30.0, np.zeros(51, np.float32))
RUNS = 2


def clip_sets() -> dict[str, list[np.ndarray]]:
    """Return sets of clips as loud as speech, by what they are."""
    random = np.random.default_rng(0)
    durations = {
        "64 barks, 0.3 to 1 s": random.uniform(0.3, 1, 64),
        "32 lines, 1 to 4 s": random.uniform(1, 4, 32),
        "16 clips, 0.5 to 20 s": random.uniform(0.5, 20, 16),
    }
    return {
        name: [0.1 * random.standard_normal(int(s * SAMPLE_RATE), np.float32) for s in seconds]
        for name, seconds in durations.items()
    }


def stock_encoder(kind: str, sizes: EncoderSizes, ours: nn.Module) -> nn.Module:
    """Return the encoder as transformers builds and runs it, with our weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

    shape = {
        "hidden_size": sizes.dim,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "intermediate_size": sizes.feedforward_dim,
    }
    if kind == "wavlm":
        model: nn.Module = WavLMModel(WavLMConfig(**shape))
    else:
        stable = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
        model = Wav2Vec2Model(Wav2Vec2Config(**shape, **stable, attn_implementation="eager"))
    model.load_state_dict(ours.state_dict())
    return model.eval()


@torch.inference_mode()
def published_loop(
    model: UniTalker, encoder: nn.Module, clips: list[np.ndarray]
) -> list[np.ndarray]:
    """Return the motion of each clip, one after the other."""
    motions = []
    style = torch.tensor([TARGET.style_id])
    for clip in clips:
        prepared = torch.from_numpy(model.encoder.prepare(clip))[None]
        frames = timing.num_frames(len(clip), SAMPLE_RATE, TARGET.fps)
        grid = FrameGrid.on_clock([num_steps(len(clip))], [frames], STEP_RATE, TARGET.fps)
        features = grid.read(encoder(prepared).last_hidden_state)
        hidden = model.decoder(features, length_mask([frames], frames), style)
        motions.append(model.heads[HEAD](hidden)[0].numpy())
    return motions


def best_s(work: Callable[[], object]) -> float:
    """Return the shortest processor time of a few runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = sys.argv[1] if len(sys.argv) > 1 else "base"
    kind, sizes = {"base": ("wavlm", BASE), "large": ("wav2vec2", LARGE)}[size]
    model = build_unitalker(Network(kind, sizes, 935, {HEAD: 51})).eval()
    nn.init.normal_(model.heads[HEAD].weight, std=0.05)
    stock = stock_encoder(kind, sizes, model.encoder)
    print(f"UniTalker, {size}, to curves, one core")
    print(f"{'':24}audio s  published loop s  batch s  faster  x real time  difference")
    for name, clips in clip_sets().items():
        loop, batch = published_loop(model, stock, clips), predict_motion(model, clips, TARGET)
        gap = max(np.abs(a - b).max() for a, b in zip(loop, batch, strict=True))
        loop_s = best_s(lambda clips=clips: published_loop(model, stock, clips))
        batch_s = best_s(lambda clips=clips: predict_motion(model, clips, TARGET))
        seconds = sum(len(clip) for clip in clips) / SAMPLE_RATE
        print(
            f"{name:24}{seconds:7.1f}{loop_s:18.2f}{batch_s:9.2f}{loop_s / batch_s:8.2f}"
            f"{seconds / batch_s:13.1f}{gap:12.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
