import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.face.tiny_unitalker import babble, tiny_network, tiny_unitalker
from unitaf.face.decoder import FrameGrid
from unitaf.face.encoders import num_steps
from unitaf.face.unitalker import (
    BASE,
    LARGE,
    Network,
    UniTalker,
    build_unitalker,
    from_published,
    published_key,
    published_shapes,
)

FACTS = Path(__file__).with_name("published_shapes.txt")


def published_facts(name: str) -> dict[str, tuple[int, ...]]:
    """Return the keys and shapes of a published file, weight norm in the newer spelling."""
    text = FACTS.read_text().split(f"[{name}]")[1].split("\n[")[0]
    facts: dict[str, tuple[int, ...]] = {}
    text = text.replace("weight_g", "parametrizations.weight.original0")
    text = text.replace("weight_v", "parametrizations.weight.original1")
    for key, shape in re.findall(r"^(\S+) \[([\d,]+)\]$", text, re.MULTILINE):
        layers = re.search(r"\.0-(\d+)\.", key)
        numbers = range(int(layers[1]) + 1) if layers else [0]
        for number in numbers:
            sizes = tuple(int(size) for size in shape.split(","))
            facts[re.sub(r"\.0-\d+\.", f".{number}.", key)] = sizes
    return facts


@pytest.mark.parametrize(
    ("name", "encoder", "sizes", "count", "elements"),
    [
        ("UniTalker-B-D0-D7", "wavlm", BASE, 277, 96_053_300),
        ("UniTalker-L-D0-D7", "wav2vec2", LARGE, 451, 317_175_620),
    ],
)
def test_full_size_networks_have_the_published_keys_and_shapes(
    name: str, encoder: str, sizes: object, count: int, elements: int
) -> None:
    facts = published_facts(name)
    heads = {
        key.split(".")[1]: shape[0]
        for key, shape in facts.items()
        if re.fullmatch(r"out_head_dict\.\w+\.bias", key)
    }
    with torch.device("meta"):
        model = build_unitalker(Network(encoder, sizes, 935, heads))
    assert published_shapes(model) == facts
    assert len(facts) == count
    assert sum(value.numel() for value in model.state_dict().values()) == elements


def published_state(**changes: object) -> dict[str, Tensor]:
    model = tiny_unitalker(**changes)
    return {published_key(key): value for key, value in model.state_dict().items()}


@pytest.mark.parametrize(
    "changes", [{}, {"head_layers": 3}, {"decoder": "transformer"}, {"encoder": "wav2vec2"}]
)
def test_a_published_state_in_either_spelling_gives_the_same_network(
    changes: dict[str, object],
) -> None:
    published = published_state(**changes)
    older = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in published.items()
    }
    assert older.keys() != published.keys()
    older |= {"decoder.PPE.pe": torch.zeros(1), "pca_layer_dict.X.feat_mean": torch.zeros(1)}
    model = build_unitalker(tiny_network(**changes))
    model.load_state_dict(from_published(model, older))
    expected = tiny_unitalker(**changes).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_half_precision_weights_become_single() -> None:
    model = build_unitalker(tiny_network())
    state = from_published(model, {k: v.half() for k, v in published_state().items()})
    assert {value.dtype for value in state.values()} == {torch.float32}


def test_missing_unexpected_and_misshapen_weights_are_named() -> None:
    published = published_state()
    del published["decoder.tcn.first_net.conv_layers.0.residual_layer.0.bias"]
    published["decoder.extra"] = torch.zeros(2)
    published["audio_encoder.feature_projection.projection.bias"] = torch.zeros(7)
    with pytest.raises(ValueError, match="missing") as caught:
        from_published(build_unitalker(tiny_network()), published)
    assert str(caught.value) == (
        "1 missing (decoder.tcn.first_net.conv_layers.0.residual_layer.0.bias); "
        "1 unexpected (decoder.extra); 1 of the wrong shape "
        "(audio_encoder.feature_projection.projection.bias [7] instead of [32])"
    )


@pytest.mark.parametrize("convert_at", [0, 1, 2])
@pytest.mark.parametrize("encoder", ["wavlm", "wav2vec2"])
def test_a_padded_batch_gives_what_each_clip_gives_alone(encoder: str, convert_at: int) -> None:
    check_batch(tiny_unitalker(encoder=encoder, convert_at=convert_at), [16_000, 400, 33_000, 8000])


@pytest.mark.parametrize("encoder", ["wavlm", "wav2vec2"])
def test_sixteen_clips_of_half_a_second_to_twenty_in_one_padded_batch(encoder: str) -> None:
    lengths = np.random.default_rng(0).uniform(0.5, 20, 16) * 16_000
    check_batch(tiny_unitalker(encoder=encoder), lengths.astype(int).tolist())


def check_batch(model: UniTalker, lengths: list[int]) -> None:
    """Compare clips in one padded batch, in loud padding, with each of them alone."""
    steps, frames = [num_steps(n) for n in lengths], [n // 533 + 1 for n in lengths]
    waveforms = torch.full((len(lengths), max(lengths)), 9.0)
    for row, length in enumerate(lengths):
        waveforms[row, :length] = torch.from_numpy(babble(length, seed=row))
    styles = torch.arange(len(lengths)) % 20
    head = "inhouse_blendshape_weight"
    with torch.inference_mode():
        together = model(waveforms, lengths, FrameGrid.aligned(steps, frames), styles, head)
        for row, (length, count) in enumerate(zip(lengths, frames, strict=True)):
            grid, one = FrameGrid.aligned([steps[row]], [count]), slice(row, row + 1)
            alone = model(waveforms[one, :length], [length], grid, styles[one], head)
            assert alone.shape == (1, count, 51)
            assert (together[row, :count] - alone[0]).abs().max() <= 1e-5


def test_the_places_of_frame_rate_conversion_differ() -> None:
    waveform = torch.from_numpy(babble(16_000))[None]
    grid = FrameGrid.aligned([num_steps(16_000)], [30])
    motions = [
        tiny_unitalker(convert_at=place)(
            waveform, [16_000], grid, torch.tensor([0]), "inhouse_blendshape_weight"
        )
        for place in (0, 1, 2)
    ]
    assert (motions[0] - motions[1]).abs().max() > 1e-3
    assert (motions[1] - motions[2]).abs().max() > 1e-3
