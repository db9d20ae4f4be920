import pyarrow as pa
import pytest

from unitaf.errors import ConfigError
from unitaf.pipelines.templates import file_names, object_paths


def catalog(**columns: list[str | None]) -> pa.Table:
    return pa.table(columns)


def test_names_come_from_columns_and_are_safe_everywhere():
    table = catalog(
        line_id=["a/b:c", "CON", "x. ", "é"],
        speaker=["Lady Bracknell", "", None, "../.."],
        scene=["1", "2", "3", "4"],
    )
    assert file_names(table, "{scene}/{speaker}/{line_id}").to_pylist() == [
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
    assert file_names(pa.Table.from_pylist([values]), template).to_pylist() == [name]


def test_no_value_leads_out_of_the_folder():
    with pytest.raises(ConfigError, match=r"a folder would be called '\.\.'"):
        file_names(catalog(line_id=["a"], speaker=[""]), ".{speaker}./{line_id}")


def test_objects_are_the_same_in_every_language():
    table = catalog(line_id=["a", "a"], language=["en", "fr"], speaker=["A\\B", None])
    template = r"\Voices\<Virtual Folder>{speaker}\{line_id}"
    assert object_paths(table.slice(0, 1), template).to_pylist() == [
        r"\Voices\<Virtual Folder>A_B\a"
    ]
    assert object_paths(table, r"\V\{line_id}").to_pylist() == [r"\V\a", r"\V\a"]
    twins = catalog(line_id=["a", "b"], language=["en", "en"], speaker=["x", "x"])
    with pytest.raises(ConfigError, match=r"would both be the object '\\\\V\\\\x'"):
        object_paths(twins, r"\V\{speaker}")
    with pytest.raises(ConfigError, match="begins with a backslash"):
        object_paths(twins, "{line_id}")
    with pytest.raises(ConfigError, match=r"object path template .* no column nope"):
        object_paths(twins, r"\{nope}")
