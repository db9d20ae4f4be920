import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from unitaf.errors import ConfigError
from unitaf.face.published import (
    DATA_SETS,
    first_styles,
    published_network,
    read_basis,
    read_published,
    read_template,
    sets_of,
)
from unitaf.face.unitalker import BASE, LARGE, Network


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_file_that_tries_to_run_code_is_refused_and_runs_nothing(
    tmp_path: Path, writer: str
) -> None:
    file, trace = tmp_path / "model.pt", tmp_path / "ran"
    state = {"weight": torch.zeros(2), "extra": Payload(trace)}
    if writer == "torch":
        torch.save(state, file)
    else:
        file.write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(ConfigError, match="refused: it is not a PyTorch file that holds tensors"):
        read_published(file)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "was refused"),
        (b"not a checkpoint at all", "was refused"),
        (b"PK\x03\x04 and then nothing", "was refused"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        read_published(file)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, is_new: bool) -> None:
    file = tmp_path / "model.pt"
    state = {"a.b": torch.arange(3.0), "c": torch.zeros(2, 2)}
    torch.save(state, file, _use_new_zipfile_serialization=is_new)
    whole = file.read_bytes()
    for length in range(0, len(whole) - 30, 11):
        file.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match=r"model\.pt was refused: .* or not a whole one"):
            read_published(file)


def test_a_missing_file_and_one_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.pt does not exist"):
        read_published(tmp_path / "model.pt")
    with pytest.raises(ConfigError, match="is a folder: name the published file in it"):
        read_published(tmp_path)
    torch.save({"epoch": 3, "model": {"weight": torch.zeros(2)}}, tmp_path / "model.pt")
    with pytest.raises(ConfigError, match="not a plain dict of tensors"):
        read_published(tmp_path / "model.pt")


def test_tensors_are_read_as_they_are_from_files_old_and_new(tmp_path: Path) -> None:
    for new in (True, False):
        file = tmp_path / f"{new}.pt"
        torch.save({"a.b": torch.arange(3.0)}, file, _use_new_zipfile_serialization=new)
        assert read_published(file)["a.b"].tolist() == [0.0, 1.0, 2.0]


def test_the_network_is_read_from_names_and_shapes() -> None:
    tensors = {
        "audio_encoder.encoder.layers.0.attention.gru_rel_pos_const": torch.zeros(1),
        "decoder.learnable_style_emb.weight": torch.zeros(20, 64),
        "out_head_dict.inhouse_blendshape_weight.head_layer.0.bias": torch.zeros(256),
        "out_head_dict.inhouse_blendshape_weight.head_layer.4.bias": torch.zeros(51),
    }
    network = published_network(tensors)
    assert network == Network("wavlm", BASE, 20, {"inhouse_blendshape_weight": 51}, head_layers=3)
    large = {"decoder.transformer_decoder.layers.0.norm1.bias": torch.zeros(256)}
    assert published_network(large) == Network(
        "wav2vec2", LARGE, 935, {}, decoder="transformer", style_dim=256
    )


BASE_HEADS = (
    "BIWI_23370_vertices", "FLAME_5023_vertices", "meshtalk_6172_vertices",
    "3DETF_blendshape_weight", "flame_params_from_dadhead", "inhouse_blendshape_weight",
)  # fmt: skip
LARGE_HEADS = (
    "3DETF_blendshape_weight", "FLAME_5023_vertices", "BIWI_23370_vertices",
    "flame_params_from_dadhead", "inhouse_blendshape_weight", "meshtalk_6172_vertices",
)  # fmt: skip


@pytest.mark.parametrize(
    ("heads", "rows"),
    [
        (
            BASE_HEADS,
            {"D0": 0, "D1": 6, "D2": 18, "D3": 31, "D4": 172, "D5": 196, "D6": 915, "D7": 923},
        ),
        (
            LARGE_HEADS,
            {"D3": 0, "D4": 141, "D1": 165, "D0": 177, "D5": 183, "D6": 902, "D7": 910, "D2": 921},
        ),
    ],
)
def test_style_rows_follow_the_order_of_the_heads(
    heads: tuple[str, ...], rows: dict[str, int]
) -> None:
    network = Network("wavlm", BASE, 935, dict.fromkeys(heads, 1))
    order = sets_of(network)
    assert first_styles(order, 935) == rows
    assert first_styles(order, 936) == {}


def test_every_channel_of_a_set_has_a_number() -> None:
    for data_set in DATA_SETS.values():
        assert len(data_set.channels) in (0, data_set.raw_size)
    assert DATA_SETS["D6"].channels[19] == DATA_SETS["D3"].channels[24] == "jawOpen"


def test_templates_and_bases_come_from_the_data_release_in_training_units(tmp_path: Path) -> None:
    folder = tmp_path / "D0_BIWI"
    folder.mkdir()
    random = np.random.default_rng(0)
    templates = random.standard_normal((6, 23370, 3))
    np.save(folder / "id_template.npy", templates)
    basis, mean = random.standard_normal((600, 90)), random.standard_normal(90)
    np.savez(folder / "pca.npz", components_to_data=basis, original_data_mean=mean)
    assert np.allclose(read_template(tmp_path, "D0"), templates[3].ravel() * 0.2)
    read = read_basis(tmp_path, "D0")
    assert read.basis.shape == (512, 90)
    assert np.allclose(
        read.decode(torch.ones(1, 1, 512))[0, 0], basis[:512].sum(0) + mean, atol=1e-4
    )


def test_a_data_release_that_is_incomplete_or_holds_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"id_template\.npy cannot be read"):
        read_template(tmp_path, "D6")
    folder = tmp_path / "D1_vocaset"
    folder.mkdir()
    np.savez(folder / "pca.npz", components_to_data=np.zeros((2, 3)))
    with pytest.raises(ConfigError, match=r"pca\.npz cannot be read as a PCA basis"):
        read_basis(tmp_path, "D1")
    np.save(folder / "id_template.npy", np.array([Payload(tmp_path / "ran")]), allow_pickle=True)
    with pytest.raises(ConfigError, match="cannot be read as templates"):
        read_template(tmp_path, "D1")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY"])
def test_files_of_the_data_release_that_are_damaged_are_refused(
    tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "D1_vocaset"
    folder.mkdir()
    for name in ("pca.npz", "id_template.npy"):
        (folder / name).write_bytes(content)
    with pytest.raises(ConfigError, match=r"pca\.npz cannot be read as a PCA basis"):
        read_basis(tmp_path, "D1")
    with pytest.raises(ConfigError, match="cannot be read as templates"):
        read_template(tmp_path, "D1")
    np.save(folder / "id_template.npy", np.zeros((12, 7)))
    (folder / "id_template.npy").rename(folder / "pca.npz")
    with pytest.raises(ConfigError, match=r"pca\.npz cannot be read as a PCA basis"):
        read_basis(tmp_path, "D1")


def test_templates_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "D1_vocaset"
    folder.mkdir()
    np.save(folder / "id_template.npy", np.zeros((12, 7)))
    with pytest.raises(ConfigError, match="holds 7 numbers a speaker; D1 has 15069"):
        read_template(tmp_path, "D1")
