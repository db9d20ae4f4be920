"""Curves as text and as Parquet, read back by csv, json, pandas and DuckDB."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest

from tests.export.takes import make_take
from unitaf.export import FORMATS
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import Take, Word


@pytest.fixture(params=[60.0, 29.97])
def take(request: pytest.FixtureRequest) -> Take:
    return make_take(request.param, words=(Word("Pay", 0.0, 0.2),))


def times_of(take: Take) -> list[float]:
    rate = Fraction(str(take.motion.fps))
    return [float(frame / rate) for frame in range(len(take.motion.curves))]


def pascal(channel: str) -> str:
    return channel[0].upper() + channel[1:]


def test_csv_has_a_row_a_frame_and_a_named_column_a_channel(take: Take):
    files = FORMATS["curves_csv"](take, "en/line")
    assert list(files) == ["en/line.curves.csv"]
    rows = list(csv.DictReader(io.StringIO(files["en/line.curves.csv"].decode())))
    assert list(rows[0]) == ["time_s", *map(pascal, CHANNELS)]
    assert [float(row["time_s"]) for row in rows] == times_of(take)
    for column, name in enumerate(CHANNELS):
        values = [float(row[pascal(name)]) for row in rows]
        np.testing.assert_allclose(values, take.motion.curves[:, column], atol=5.1e-7)


def test_json_has_lists_of_times_and_values(take: Take):
    files = FORMATS["curves_json"](take, "en/line")
    assert list(files) == ["en/line.curves.json"]
    document = json.loads(files["en/line.curves.json"])
    assert document["fps"] == take.motion.fps
    assert document["duration_s"] == 0.5
    assert document["times_s"] == times_of(take)
    assert list(document["curves"]) == list(map(pascal, CHANNELS))
    for column, name in enumerate(CHANNELS):
        values = document["curves"][pascal(name)]
        np.testing.assert_allclose(values, take.motion.curves[:, column], atol=5.1e-7)


def test_parquet_is_read_without_us(take: Take, tmp_path: Path):
    (data,) = FORMATS["parquet"](take, "line").values()
    assert FORMATS["parquet"](take, "line") == {"line.parquet": data}
    path = tmp_path / "line.parquet"
    path.write_bytes(data)
    frame = pandas.read_parquet(path)
    assert list(frame) == ["time_s", *CHANNELS]
    assert frame["time_s"].tolist() == times_of(take)
    np.testing.assert_array_equal(frame[list(CHANNELS)].to_numpy(), take.motion.curves)
    query = f"SELECT max(jawOpen), count(*) FROM '{path}'"
    widest, rows = duckdb.sql(query).fetchall()[0]
    assert (widest, rows) == (frame["jawOpen"].max(), len(take.motion.curves))
    stated = duckdb.sql(f"SELECT value FROM parquet_kv_metadata('{path}') WHERE key = 'take'")
    about = json.loads(stated.fetchall()[0][0])
    assert about["line_id"] == "line"
    assert about["words"] == [{"text": "Pay", "start_s": 0.0, "end_s": 0.2}]
    assert about["phones"][0]["label"] == "p"
    assert (about["fps"], about["num_samples"]) == (take.motion.fps, take.speech.num_samples)
