from pathlib import Path

import pytest

from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.files import checked_directory, write_file


@pytest.mark.parametrize("place", [".", "/", "folder", "..", "x" * 300])
def test_a_place_that_is_no_file_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    monkeypatch.chdir(work)
    with pytest.raises(StorageError, match="cannot write"):
        write_file(Path(place), b"data")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "work"]


def test_files_go_to_a_folder_that_may_not_exist_yet(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    for name in (".", "new"):
        assert checked_directory(tmp_path / name) == tmp_path / name
    with pytest.raises(ConfigError, match="file is a file: name the folder that the files go to"):
        checked_directory(str(tmp_path / "file"))
