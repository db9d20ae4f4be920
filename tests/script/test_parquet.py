import datetime
import decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unitaf.errors import ConfigError
from unitaf.script.lines import Reject, ScriptDefaults
from unitaf.script.script import open_script


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.parquet"


def test_other_columns_keep_their_arrow_type(path):
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "text": pa.array(["Hi", None, "Ho"], pa.large_string()),
            "when": pa.array([datetime.datetime(2020, 1, 1, 12)] * 3, pa.timestamp("ms", "UTC")),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
            "price": pa.array([decimal.Decimal("1.50")] * 3, pa.decimal128(8, 2)),
            "take": pa.array([1, 2, None], pa.int16()),
            "raw": pa.array([b"\xff", b"", None]),
        }
    )
    pq.write_table(table, path, row_group_size=2)
    script = open_script(path, ScriptDefaults())
    batches = list(script.batches(size=1))
    assert script.extra_schema == table.select(["when", "tags", "price", "take", "raw"]).schema
    carried = pa.Table.from_batches([batch.extras for batch in batches], script.extra_schema)
    assert carried == table.take([0, 2]).select(script.extra_schema.names)
    assert [(x.row, x.utterance.text) for b in batches for x in b.lines] == [(1, "Hi"), (3, "Ho")]
    assert [b.rejects for b in batches] == [[], [Reject(2, "b", "text", "there is no text")], []]


def test_what_pandas_makes_of_gaps_and_categories(path):
    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "text": ["Hi", "Ho"],
            "seed": [7, None],
            "mood": pd.Categorical(["sad:0.5", None]),
            "scene": pd.Categorical(["street", "vault"]),
        }
    )
    frame.to_parquet(path)
    script = open_script(path, ScriptDefaults(seed=3))
    (batch,) = script.batches()
    assert [x.utterance.id for x in batch.lines] == ["1", "2"]
    assert [x.utterance.seed for x in batch.lines] == [7, 3]
    assert [x.utterance.emotion[2] for x in batch.lines] == [0.5, 0.0]
    assert batch.extras.to_pydict() == {"scene": ["street", "vault"]}
    assert not pa.types.is_dictionary(script.extra_schema.field("scene").type)


def test_an_emotion_may_be_a_list_or_a_struct(path):
    numbers = [0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for emotion in ([numbers, None], [{"angry": 0.25, "sad": None}, None]):
        pq.write_table(pa.table({"id": ["a", "b"], "text": ["Hi", "Ho"], "mood": emotion}), path)
        (batch,) = open_script(path, ScriptDefaults()).batches()
        assert [x.utterance.emotion[1] for x in batch.lines] == [0.25, 0.0]


@pytest.mark.parametrize(
    "content", [b"id,text\na,Hi\n", b"PAR1", b"PAR1" + b"\x00" * 100 + b"PAR1"]
)
def test_what_is_not_parquet_is_a_config_error(path, content):
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"a\.parquet cannot be read as Parquet: "):
        open_script(path, ScriptDefaults())


def test_a_damaged_page_is_a_config_error(path):
    table = pa.table({"id": [str(i**5) for i in range(5000)], "text": ["Hi"] * 5000})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    path.write_bytes(content)
    script = open_script(path, ScriptDefaults())
    with pytest.raises(ConfigError, match="cannot be read as Parquet"):
        list(script.batches())


def test_strings_that_are_not_unicode_are_a_config_error(path):
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"id": ["a"], "text": bad}), path)
    with pytest.raises(ConfigError, match=r"cannot be read as Parquet: .*UTF8"):
        list(open_script(path, ScriptDefaults()).batches())
