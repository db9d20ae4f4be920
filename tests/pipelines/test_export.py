import pyarrow as pa
import pytest

from unitaf.errors import ConfigError
from unitaf.pipelines.export import file_names


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


@pytest.mark.parametrize("template", ["{nope}", "fixed", "{line_id", "{}"])
def test_templates_that_cannot_work_are_refused(template: str):
    with pytest.raises(ConfigError, match="template"):
        file_names(catalog(line_id=["a"]), template)
