import datetime
from typing import Any

import pyarrow as pa
import pytest

from unitaf.pipelines.catalog import merge_catalogs


def catalog(line_id: str, **extras: Any) -> pa.Table:
    return pa.table({"line_id": [line_id], "language": ["en"]} | extras)


@pytest.mark.parametrize(
    ("newer", "older", "merged"),
    [
        (pa.array([1]), pa.array(["x"]), ["1", "x"]),
        (pa.array([True]), pa.array([1.5]), ["true", "1.5"]),
        (pa.array([1]), pa.array([1.5]), [1.0, 1.5]),
        (pa.array([2**53 + 1]), pa.array([1.5]), [str(2**53 + 1), "1.5"]),
        (pa.array([1], pa.int32()), pa.array([2**40]), [1, 2**40]),
        (pa.array([None]), pa.array([3]), [None, 3]),
        (pa.array([["é", None]]), pa.array(["x"]), ['["é", null]', "x"]),
        (pa.array([datetime.date(2024, 5, 6)]), pa.array(["x"]), ["2024-05-06", "x"]),
        (pa.array([b"\xff"]), pa.array([1]), ["\"b'\\\\xff'\"", "1"]),
    ],
)
def test_columns_that_differ_in_type_become_one(
    newer: pa.Array, older: pa.Array, merged: list[object]
):
    found = merge_catalogs([catalog("a", take=newer), catalog("b", take=older)])
    assert found["take"].to_pylist() == merged


def test_a_line_is_taken_from_the_newest_and_columns_may_be_absent():
    found = merge_catalogs([catalog("a", mood=["new"]), catalog("a", mood=["old"]), catalog("b")])
    assert found.select(["line_id", "mood"]).to_pylist() == [
        {"line_id": "a", "mood": "new"},
        {"line_id": "b", "mood": None},
    ]
