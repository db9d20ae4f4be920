import hashlib
import json
from pathlib import Path

import pytest

from unitaf.tts.indextts2.digests import KEPT, digest_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.bin").write_bytes(b"one")
    (tmp_path / "parts" / "b.bin").write_bytes(b"two")
    return tmp_path


NAMES = ["a.bin", "parts/b.bin"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_digests_are_those_of_the_content(folder: Path) -> None:
    assert digest_files(folder, NAMES) == [sha256(b"one"), sha256(b"two")]
    assert digest_files(folder, NAMES[::-1]) == [sha256(b"two"), sha256(b"one")]
    assert sorted(json.loads((folder / KEPT).read_text())) == NAMES
    assert {path.name for path in folder.iterdir()} == {"a.bin", "parts", KEPT}


def test_a_file_is_read_once_until_it_changes(folder: Path) -> None:
    digest_files(folder, NAMES)
    kept = json.loads((folder / KEPT).read_text())
    kept["a.bin"][1] = "known"
    (folder / KEPT).write_text(json.dumps(kept))
    assert digest_files(folder, NAMES)[0] == "known"
    (folder / "a.bin").write_bytes(b"ONE")  # As long as before.
    assert digest_files(folder, NAMES) == [sha256(b"ONE"), sha256(b"two")]
    (folder / "b.bin").write_bytes(b"three")
    (folder / "b.bin").replace(folder / "parts" / "b.bin")
    assert digest_files(folder, NAMES) == [sha256(b"ONE"), sha256(b"three")]


@pytest.mark.parametrize("content", [b"", b"[1", b"[]", b'{"a.bin": 3}'])
def test_damaged_digests_are_made_anew(folder: Path, content: bytes) -> None:
    (folder / KEPT).write_bytes(content)
    assert digest_files(folder, NAMES) == [sha256(b"one"), sha256(b"two")]
    assert sorted(json.loads((folder / KEPT).read_text())) == NAMES


def test_a_folder_that_cannot_keep_them_is_read_every_time(folder: Path) -> None:
    (folder / KEPT).mkdir()
    for _ in range(2):
        assert digest_files(folder, NAMES) == [sha256(b"one"), sha256(b"two")]
    assert {path.name for path in folder.iterdir()} == {"a.bin", "parts", KEPT}
