from pathlib import Path

import pyarrow as pa
import pytest

from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.export import checked_directory, encoders_of, file_names, write_file


def catalog(**columns: list[str | None]) -> pa.Table:
    return pa.table(columns)


def test_names_come_from_columns_and_are_safe_everywhere():
    table = catalog(
        line_id=["a/b:c", "CON", "x. ", "é"],
        speaker=["Lady Bracknell", "", None, "../.."],
        scene=["1", "2", "3", "4"],
    )
    assert file_names(table, "{scene}/{speaker}/{line_id}") == [
        "1/Lady Bracknell/a_b_c",
        "2/CON_",
        "3/x",
        "4/_/é",
    ]


def test_two_lines_of_one_name_are_refused():
    table = catalog(line_id=["a", "A"], speaker=["x", "x"])
    with pytest.raises(ConfigError, match="'a' and 'A' would both be called"):
        file_names(table, "{line_id}")


@pytest.mark.parametrize(
    "template",
    [
        "{nope}",
        "fixed",
        "{line_id",
        "{}",
        "{line_id!x}",
        "{line_id:{x}}",
        "{line_id:{line_id}}",
        "{line_id:04d}",
        "{line_id.upper}",
        "{0}",
    ],
)
def test_templates_that_cannot_work_are_refused(template: str):
    with pytest.raises(ConfigError, match="template"):
        file_names(catalog(line_id=["a"]), template)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{row:04d}", "0007"),
        ("{duration_s:.2f}_{line_id:_<4}", "1.50_a___"),
        ("{line_id!r}", "'a'"),
        ("{speaker:>9}/{line_id}", "a"),
        ("{row:/>4d}", "___7"),
        ("{row:.>4d}", "7"),
        ("{take.no}", "1"),
    ],
)
def test_values_are_formatted_before_they_are_made_safe(template: str, name: str):
    values = {"line_id": "a", "row": 7, "duration_s": 1.5, "speaker": None, "take.no": "1"}
    assert file_names(pa.Table.from_pylist([values]), template) == [name]


def test_no_value_leads_out_of_the_folder():
    with pytest.raises(ConfigError, match=r"a folder would be called '\.\.'"):
        file_names(catalog(line_id=["a"], speaker=[""]), ".{speaker}./{line_id}")


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


def test_formats_are_named_once_or_more_and_known():
    assert list(encoders_of(["npz", "wav", "npz"])) == ["npz", "wav"]
    with pytest.raises(ConfigError, match="unknown format mp7, mp8; choose from curves_csv, curves_json"):
        encoders_of(["mp7", "wav", "mp8"])
    with pytest.raises(ConfigError, match="no format is named; choose from curves_csv, curves_json"):
        encoders_of([])


def test_files_go_to_a_folder_that_may_not_exist_yet(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    for name in (".", "new"):
        assert checked_directory(tmp_path / name) == tmp_path / name
    with pytest.raises(ConfigError, match="file is a file: name the folder that the files go to"):
        checked_directory(str(tmp_path / "file"))
