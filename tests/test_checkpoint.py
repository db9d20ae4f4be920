import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.face.tiny_unitalker import babble, tiny_network, tiny_unitalker
from unitaf.checkpoint.conversion import convert_unitalker, load_unitalker
from unitaf.checkpoint.describe import describe_checkpoint
from unitaf.checkpoint.unitalker import Description, FaceSet, read_description, write_checkpoint
from unitaf.errors import ConfigError, StorageError
from unitaf.face.published import DATA_SETS
from unitaf.face.unitalker import (
    BASE,
    LARGE,
    Network,
    build_unitalker,
    published_key,
    published_shapes,
)
from unitaf.rigs.arkit import CHANNELS, UNITALKER_51

HEADS = {
    "BIWI_23370_vertices": 512, "FLAME_5023_vertices": 512, "meshtalk_6172_vertices": 512,
    "3DETF_blendshape_weight": 52, "flame_params_from_dadhead": 413,
    "inhouse_blendshape_weight": 51,
}  # fmt: skip
LARGE_HEADS = {name: HEADS[name] for name in (
    "3DETF_blendshape_weight", "FLAME_5023_vertices", "BIWI_23370_vertices",
    "flame_params_from_dadhead", "inhouse_blendshape_weight", "meshtalk_6172_vertices",
)}  # fmt: skip
NETWORKS = {
    "base": Network("wavlm", BASE, 935, HEADS),
    "large": Network("wav2vec2", LARGE, 935, LARGE_HEADS),
}


def published_state(network: Network, random: bool = False) -> dict[str, Tensor]:
    """Return tensors of the published shapes; not random ones hold a single number in the file."""
    with torch.device("meta"):
        shapes = published_shapes(build_unitalker(network))
    torch.manual_seed(0)
    ordered = sorted(shapes, key=lambda key: key.startswith("out_head_dict."))
    heads = [key for head in network.head_sizes for key in ordered if f"dict.{head}." in key]
    keys = [key for key in ordered if not key.startswith("out_head_dict.")] + heads
    if random:
        return {key: torch.randn(shapes[key]) * 0.02 for key in keys}
    return {key: torch.zeros(1).expand(shapes[key]) for key in keys}


@pytest.fixture(scope="module", params=["base", pytest.param("large", marks=pytest.mark.slow)])
def full_size(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    """A random published checkpoint of full size, and what it was converted to."""
    folder = tmp_path_factory.mktemp(request.param)
    published, out = folder / f"{request.param}.pt", folder / "converted"
    state = published_state(NETWORKS[request.param], random=True)
    if request.param == "large":
        for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
            key = next(key for key in state if key.endswith(new))
            state[key.replace(f"parametrizations.weight.{new}", old)] = state.pop(key)
    torch.save(state, published)
    del state
    convert_unitalker(published, out)
    yield published, out
    published.unlink()
    (out / "weights.safetensors").unlink()


def test_a_full_size_checkpoint_survives_conversion(full_size: tuple[Path, Path]) -> None:
    published, out = full_size
    checkpoint = load_unitalker(out)
    stored = torch.load(published, weights_only=True, mmap=True)
    for key, value in checkpoint.model.state_dict().items():
        name = published_key(key)
        older = name.replace("parametrizations.weight.original0", "weight_g")
        older = older.replace("parametrizations.weight.original1", "weight_v")
        assert torch.equal(value, stored[name if name in stored else older])
    curves = (
        checkpoint.animator().animate_recordings(["x"], [(babble(8000), 16_000)], 60.0)[0].curves
    )
    assert curves.shape == (30, len(CHANNELS))
    assert np.isfinite(curves).all()


def test_a_description_says_where_everything_is(full_size: tuple[Path, Path]) -> None:
    published, out = full_size
    described = read_description(out)
    assert described.network == NETWORKS[published.stem]
    assert described.sample_rate == 16_000
    assert described.pivot_style == 934
    assert described.default_set == "D6"
    first = {name: face_set.first_style for name, face_set in described.sets.items()}
    assert first["D6"] == {"base": 915, "large": 902}[published.stem]
    assert described.sets["D6"].channels == UNITALKER_51
    assert described.sets["D0"].template is None
    text = describe_checkpoint(out)
    assert "D7: inhouse_blendshape_weight, 51 curves, 30 fps, rows 9" in text
    assert "D0: BIWI_23370_vertices, no curves, 25 fps" in text
    assert "its PCA basis is missing" in text


def test_a_published_file_can_be_used_as_it_is(full_size: tuple[Path, Path]) -> None:
    published, out = full_size
    direct, described = load_unitalker(published), read_description(out)
    stored = torch.load(published, weights_only=True, mmap=True)
    jaw = "out_head_dict.inhouse_blendshape_weight.weight"
    assert torch.equal(direct.model.heads["inhouse_blendshape_weight"].weight, stored[jaw])
    assert direct.description.sets == described.sets
    assert described.source_sha256[:16] in direct.animator().fingerprint


def save(folder: Path, state: dict[str, Tensor]) -> Path:
    file = folder / "broken.pt"
    torch.save(state, file)
    return file


def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    state = published_state(NETWORKS["base"])
    del state["decoder.audio_feature_map.bias"]
    state["audio_encoder.encoder.layer_norm.bias"] = torch.zeros(767)
    state["optimizer"] = torch.zeros(1)
    with pytest.raises(ConfigError) as caught:
        convert_unitalker(save(tmp_path, state), tmp_path / "out")
    message = str(caught.value)
    assert "1 missing (decoder.audio_feature_map.bias)" in message
    assert "1 unexpected (optimizer)" in message
    assert "audio_encoder.encoder.layer_norm.bias [767] instead of [768]" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "key",
    [
        "decoder.learnable_style_emb.weight",
        "out_head_dict.inhouse_blendshape_weight.weight",
        "audio_encoder.encoder.layers.11.attention.gru_rel_pos_const",
    ],
)
def test_any_missing_key_is_named(tmp_path: Path, key: str) -> None:
    state = published_state(NETWORKS["base"])
    del state[key]
    with pytest.raises(ConfigError, match=f"1 missing \\({key}\\)"):
        convert_unitalker(save(tmp_path, state), tmp_path / "out")


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("D6 D9", "has no head for the data set 'D9'"),
        ("D6 D6", "names D6 more than once"),
        ("D6 D7", "the data sets D6,D7 have 19 speakers, but .* has 934 rows of styles"),
    ],
)
def test_an_order_of_sets_that_does_not_fit_is_refused(
    tmp_path: Path, order: str, problem: str
) -> None:
    file = save(tmp_path, published_state(NETWORKS["base"]))
    with pytest.raises(ConfigError, match=problem):
        convert_unitalker(file, tmp_path / "out", set_order=order.split())
    assert not (tmp_path / "out").exists()


def test_the_order_of_sets_can_be_given(tmp_path: Path) -> None:
    network = Network("wavlm", BASE, 20, {"inhouse_blendshape_weight": 51})
    file = save(tmp_path, published_state(network))
    known = convert_unitalker(file, tmp_path / "known")
    given = convert_unitalker(file, tmp_path / "given", set_order=["D7", "D6"])
    for described, rows, where in (
        (known, [0, 8], "from the order of the heads in the file"),
        (given, [11, 0], "given"),
    ):
        assert [described.sets[name].first_style for name in ("D6", "D7")] == rows
        assert described.style_rows == where


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot write .*file/out: (File exists|Not a dir)"):
        tiny_checkpoint(tmp_path / "file" / "out")
    with pytest.raises(StorageError, match=r"cannot write .*: File name too long"):
        tiny_checkpoint(tmp_path / ("x" * 300))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_head_with_other_channels_than_its_name_says_is_refused(tmp_path: Path) -> None:
    network = Network("wavlm", BASE, 935, {**HEADS, "inhouse_blendshape_weight": 50})
    file = save(tmp_path, published_state(network))
    with pytest.raises(ConfigError, match="inhouse_blendshape_weight has 50 numbers instead of 51"):
        convert_unitalker(file, tmp_path / "out")


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="out exists already"):
        tiny_checkpoint(tmp_path / "out")


def face_set(name: str, **changes: object) -> FaceSet:
    known = DATA_SETS[name]
    settings = {
        "head": known.head, "raw_size": known.raw_size, "fps": known.fps, "scale": known.scale,
        "channels": known.channels, "num_styles": known.num_styles, "first_style": None,
        "default_style": known.default_style, "template": "zero",
    }  # fmt: skip
    return FaceSet(**{**settings, **changes})


def tiny_checkpoint(out: Path, rows_known: bool = True) -> Path:
    """Write a small checkpoint with the sets D6 and D7 and a vertex set without its PCA basis."""
    model = tiny_unitalker()
    sets = {
        "D6": face_set("D6", first_style=0 if rows_known else None),
        "D7": face_set("D7", first_style=8 if rows_known else None),
        "D1": face_set("D1", template=None),
    }
    described = Description(
        source="tiny", source_sha256="0", weights_sha256="", licence="none", sample_rate=16_000,
        network=tiny_network(), sets=sets, default_set="D6", style_rows="given", bases={},
    )  # fmt: skip
    templates = {f"templates.{name}": torch.full((51,), 0.4) for name in ("D6", "D7")}
    write_checkpoint(out, described, {**model.state_dict(), **templates})
    return out


@pytest.mark.parametrize(
    ("style", "row"),
    [("pivot", 19), ("D6", 4), ("D7", 8), ("D7/10", 18), ("D6/pivot", 19), ("0", 0), ("19", 19)],
)
def test_a_style_is_the_pivot_a_row_a_set_or_a_speaker(
    tmp_path: Path, style: str, row: int
) -> None:
    assert load_unitalker(tiny_checkpoint(tmp_path / "c")).target(style)[1].style_id == row


@pytest.mark.parametrize("style", ["D9", "D6/8", "D6/-1", "20", "-1", "nobody", "", "D6/x"])
def test_an_unknown_style_is_refused_with_the_choices(tmp_path: Path, style: str) -> None:
    checkpoint = load_unitalker(tiny_checkpoint(tmp_path / "c"))
    with pytest.raises(
        ConfigError, match=r"no style .*: use pivot, a row from 0 to 19, a set \(D6"
    ):
        checkpoint.target(style)


def test_speakers_cannot_be_named_where_rows_are_not_known(tmp_path: Path) -> None:
    checkpoint = load_unitalker(tiny_checkpoint(tmp_path / "c", rows_known=False))
    with pytest.raises(ConfigError, match="which rows are those of set D6 is not known"):
        checkpoint.target("D6")
    assert checkpoint.target("7")[1].style_id == 7


def test_a_set_without_its_data_is_refused(tmp_path: Path) -> None:
    checkpoint = load_unitalker(tiny_checkpoint(tmp_path / "c"))
    with pytest.raises(ConfigError, match="set D1 needs its template and PCA basis"):
        checkpoint.target("D1/pivot")


def test_the_loaded_network_is_the_saved_one(tmp_path: Path) -> None:
    checkpoint = load_unitalker(tiny_checkpoint(tmp_path / "c"))
    saved = tiny_unitalker().state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in checkpoint.model.state_dict().items())
    assert not checkpoint.model.training
    assert checkpoint.animator("D7").fingerprint.endswith("inhouse_blendshape_weight style=8")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sample_rate": 22_050}, "reads audio at 22050 Hz, but its encoder wavlm exists only at"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"format": 2}, "format: Input should be 1"),
        ({"kind": "face_model"}, "this checkpoint is a face_model, which moves a face to the feat"),
        ({"kind": "voice"}, "kind: Input should be 'unitalker'"),
        ({"network": {"encoder": "hubert"}}, r"network\.encoder"),
        ({"bases": {"FLAME_5023_vertices": "?"}}, "lacks the PCA basis of FLAME_5023_vertices"),
    ],
)
def test_a_description_of_something_else_is_refused(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    file = tiny_checkpoint(tmp_path / "c") / "checkpoint.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ConfigError, match=problem):
        load_unitalker(tmp_path / "c")


def test_weights_that_are_not_those_described_are_refused(tmp_path: Path) -> None:
    file = tiny_checkpoint(tmp_path / "c") / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="is damaged: it has another hash than described"):
        load_unitalker(tmp_path / "c")


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, device: str) -> None:
    tiny_checkpoint(tmp_path / "c")
    with pytest.raises(ConfigError, match=f"the device '{device}' cannot be used here: ."):
        load_unitalker(tmp_path / "c", device)


def test_weights_that_do_not_fit_the_description_are_refused(tmp_path: Path) -> None:
    file = tiny_checkpoint(tmp_path / "c") / "checkpoint.json"
    described = json.loads(file.read_text())
    described["network"]["num_styles"] = 21
    file.write_text(json.dumps(described))
    with pytest.raises(
        ConfigError, match=r"decoder\.styles\.weight \[20, 64\] instead of \[21, 64\]"
    ):
        load_unitalker(tmp_path / "c")


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.json"])
def test_a_part_of_a_checkpoint_is_told_from_a_published_file(tmp_path: Path, name: str) -> None:
    folder = tiny_checkpoint(tmp_path / "c")
    with pytest.raises(ConfigError, match=r"is a part of a checkpoint: name the folder .*/c"):
        load_unitalker(folder / name)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a checkpoint: it has no checkpoint\.json"):
        describe_checkpoint(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"no checkpoint\.json; '.* convert' makes one of it"):
        describe_checkpoint(tmp_path / "model.pt")
    file = tiny_checkpoint(tmp_path / "c") / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"weights\.safetensors cannot be read"):
        load_unitalker(tmp_path / "c")
