import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.tts.indextts2 import tiny
from tests.tts.indextts2.published import write_model
from unitaf.errors import ConfigError
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.files import FILES, hash_files
from unitaf.tts.indextts2.inspection import inspect_model
from unitaf.tts.indextts2.loading import load_networks, read_sizes


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(written: Path, tmp_path: Path) -> Path:
    """A model whose files may be replaced."""
    folder = tmp_path / "model"
    shutil.copytree(written, folder, copy_function=lambda a, b: Path(b).symlink_to(a))
    return folder


def replace(model: Path, name: str, data: bytes) -> None:
    (model / name).unlink()
    (model / name).write_bytes(data)


def test_networks_are_those_that_were_written(written: Path) -> None:
    loaded, networks = load_networks(written), tiny.networks()
    for network, original in (
        (loaded.gpt, networks.gpt),
        (loaded.conditioner, networks.conditioner),
        (loaded.s2mel, networks.s2mel),
        (loaded.codec, networks.codec),
        (loaded.speech_encoder, networks.speech_encoder),
        (loaded.emotions, networks.emotions),
        (loaded.vocoder, networks.vocoder),
    ):
        state = network.state_dict()
        assert state.keys() == original.state_dict().keys()
        for key, value in original.state_dict().items():
            torch.testing.assert_close(state[key], value, rtol=1e-5, atol=1e-6)
        assert not network.training
    taps = [buffer for name, buffer in loaded.vocoder.named_buffers() if name.endswith("taps")]
    assert taps
    assert all(buffer.sum() == pytest.approx(1.0) for buffer in taps)


def test_half_precision_is_for_the_networks_that_cost_time(written: Path) -> None:
    loaded = load_networks(written, precision="bfloat16")
    kinds = [next(net.parameters()).dtype for net in (loaded.gpt, loaded.s2mel, loaded.vocoder)]
    assert kinds == [torch.bfloat16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_missing_file_is_named_with_its_origin(model: Path, file: files.PublishedFile) -> None:
    (model / file.name).unlink()
    with pytest.raises(ConfigError, match=f"{file.name} is missing: .*{file.repository}"):
        hash_files(model, FILES)


def test_a_model_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a folder with the published files"):
        hash_files(tmp_path / "none", FILES)


@pytest.mark.parametrize(
    "file", [files.GPT, files.CODEC, files.VOCODER, files.STYLE_ENCODER], ids=lambda file: file.name
)
def test_a_truncated_file_is_refused_in_a_sentence(model: Path, file: files.PublishedFile) -> None:
    data = (model / file.name).read_bytes()
    replace(model, file.name, data[: len(data) * 2 // 3])
    with pytest.raises(ConfigError, match=f"{Path(file.name).name} was refused: .*download"):
        load_networks(model)


def test_nothing_in_a_file_is_run(model: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return Path.touch, (tmp_path / "run",)

    replace(model, "feat1.pt", pickle.dumps(Trap(), protocol=2))
    with pytest.raises(ConfigError, match=r"feat1\.pt was refused"):
        load_networks(model)
    assert not (tmp_path / "run").exists()


def changed(weights: dict[str, Tensor], change: str) -> dict[str, Tensor]:
    if change == "missing":
        del weights["encoder.1.bias"]
    elif change == "shape":
        weights["encoder.1.bias"] = torch.zeros(3)
    else:
        del weights["quantizer.quantizers.0.in_project.weight_g"]
    return weights


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("missing", r"encoder\.1\.bias \[1024\] is missing; "),
        ("shape", r"encoder\.1\.bias has shape \[3\] instead of \[1024\]; "),
        ("norm", r"weight_g and .*weight_v do not fit together"),
    ],
)
def test_a_wrong_key_is_named(model: Path, change: str, sentence: str) -> None:
    weights = changed(load_file(model / files.CODEC.name), change)
    (model / files.CODEC.name).unlink()
    save_file(weights, model / files.CODEC.name)
    with pytest.raises(ConfigError, match=sentence):
        load_networks(model)


def test_a_file_may_hold_more_than_is_needed(model: Path) -> None:
    weights = load_file(model / files.CODEC.name) | {"encoder.9.bias": torch.zeros(3)}
    (model / files.CODEC.name).unlink()
    save_file(weights, model / files.CODEC.name)
    state = load_networks(model).codec.state_dict()
    assert state["encoder.1.bias"].equal(weights["encoder.1.bias"])
    (check,) = [each for each in inspect_model(model) if each.file is files.CODEC]
    assert (check.is_good, check.unused) == (True, ("encoder.9.bias",))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gpt: [", "cannot be read"),
        ("hello", "holds no settings"),
        ("version: 2.5", "says version 2.5: only 2.0 is known"),
        ("version: 2.0", r"config\.yaml lacks a published setting.*gpt"),
    ],
)
def test_a_wrong_configuration_is_refused(model: Path, text: str, sentence: str) -> None:
    replace(model, "config.yaml", text.encode())
    with pytest.raises(ConfigError, match=sentence):
        read_sizes(model)


@pytest.mark.parametrize("value", ["six", -3, None])
def test_a_size_that_is_none_is_refused(model: Path, value: object) -> None:
    config = yaml.safe_load((model / "config.yaml").read_text())
    config["gpt"]["layers"] = value
    replace(model, "config.yaml", yaml.safe_dump(config).encode())
    with pytest.raises(ConfigError, match=f"config.yaml .* there: {value!r} is no size"):
        read_sizes(model)


def test_sizes_come_from_the_configurations(written: Path) -> None:
    sizes = read_sizes(written)
    assert (sizes.gpt, sizes.codec, sizes.s2mel) == (tiny.GPT, tiny.CODEC, tiny.S2MEL)
    assert (sizes.speech_encoder, sizes.vocoder) == (tiny.SPEECH_ENCODER, tiny.VOCODER)


def test_the_hash_changes_with_any_file(model: Path, written: Path) -> None:
    before = hash_files(written, FILES)
    assert before == hash_files(model, FILES)
    config = yaml.safe_load((model / "config.yaml").read_text())
    replace(model, "config.yaml", yaml.safe_dump(config, indent=4).encode())
    assert hash_files(model, FILES) != before


@pytest.mark.parametrize(("device", "sentence"), [("gpu", "is none"), ("cuda:99", "is not there")])
def test_a_device_that_is_not_there_is_named(written: Path, device: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_networks(written, device)
