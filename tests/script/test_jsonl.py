import json
import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import Script, ScriptBatch, open_script


@pytest.fixture
def open_lines(tmp_path):
    def open_lines(*lines: str, end: str = "\n", start: bytes = b"") -> Script:
        path = tmp_path / "a.jsonl"
        path.write_bytes(start + end.join(lines).encode())
        return open_script(path, ScriptDefaults())

    return open_lines


def only_batch(script: Script) -> ScriptBatch:
    (batch,) = script.batches()
    return batch


@pytest.mark.parametrize(("end", "start"), [("\n", b""), ("\r\n", b""), ("\n\n", b"\xef\xbb\xbf")])
def test_lines_and_their_numbers(open_lines, end, start):
    script = open_lines('{"id": 1, "text": "Hi"}', '{"text": "Ho\\n\u2028!", "id": "b"}',
                        end=end, start=start)  # fmt: skip
    step = end.count("\n")
    assert [(x.row, x.utterance.id, x.utterance.text) for x in only_batch(script).lines] == [
        (1, "1", "Hi"),
        (1 + step, "b", "Ho !"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "b", "text": "Hi"', "broken JSON: Expecting ',' delimiter at character 26"),
        ("nonsense", "broken JSON: Expecting value at character 1"),
        ('["b", "Hi"]', 'the line is not a JSON object such as {"line_id": "intro_01"'),
        ("null", "the line is not a JSON object"),
        ('"b"', "the line is not a JSON object"),
        ("[" * 100_000, "broken JSON: "),
        ('{"id": "b", "seed": ' + "9" * 5000 + "}", "broken JSON: "),
        ('{"id": "b", "text": "\\ud83d"}', "half of a surrogate pair"),
        ('{"id": "b", "note": ["\\uDC00"]}', "half of a surrogate pair"),
    ],
)
def test_a_broken_line_costs_itself_only(open_lines, line, reason):
    script = open_lines(
        '{"id": "a", "text": "Hi"}', line, '{"id": "c", "text": "\\ud83d\\ude00 Ho"}'
    )
    batch = only_batch(script)
    assert [x.utterance.text for x in batch.lines] == ["Hi", "😀 Ho"]
    (reject,) = batch.rejects
    assert (reject.row, reject.line_id, reject.column) == (2, "", "")
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ('{"id": "b"}', "dialogue", "there is no text"),
        ('{"id": "b", "dialogue": null}', "dialogue", "there is no text"),
        ('{"id": "b", "dialogue": 7}', "dialogue", "the text must be text, not a number"),
        ('{"id": "b", "dialogue": "Hi", "mood": 7}', "mood", "the emotion must be text"),
        ('{"id": "b", "dialogue": "Hi", "seed": -1}', "seed", "whole number"),
    ],
)
def test_a_wrong_field_is_called_as_the_file_calls_it(open_lines, line, column, reason):
    (reject,) = only_batch(open_lines('{"id": "a", "dialogue": "Hi"}', line)).rejects
    assert (reject.row, reject.line_id, reject.column) == (2, "b", column)
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("values", "arrow", "carried"),
    [
        (["x", None], pa.string(), ["x", None]),
        ([None, None], pa.string(), [None, None]),
        ([True, False], pa.bool_(), [True, False]),
        ([1, 2**62], pa.int64(), [1, 2**62]),
        ([1, 0.5], pa.float64(), [1.0, 0.5]),
        ([None, -0.0], pa.float64(), [None, -0.0]),
        ([2**63, 1], pa.string(), ["9223372036854775808", "1"]),
        ([2**60 + 1, 0.5], pa.string(), ["1152921504606846977", "0.5"]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["x", 1], pa.string(), ['"x"', "1"]),
        ([["é"], {"a": None}], pa.string(), ['["é"]', '{"a": null}']),
    ],
)
def test_other_keys_keep_their_type(open_lines, values, arrow, carried):
    script = open_lines(
        *(json.dumps({"id": i, "text": "Hi", "x": value}) for i, value in enumerate(values)),
        '{"id": "absent", "text": "Hi"}',
        '{"id": "rejected", "x": null}',
    )
    assert script.extra_schema == pa.schema([("x", arrow)])
    batch = only_batch(script)
    assert batch.extras.schema == script.extra_schema
    assert batch.extras["x"].to_pylist() == [*carried, None]


def test_python_writes_nan_and_it_is_a_number(open_lines):
    script = open_lines('{"id": 1, "text": "Hi", "seed": NaN, "x": NaN}')
    assert only_batch(script).lines[0].utterance.seed == 0
    assert math.isnan(only_batch(script).extras["x"][0].as_py())


@pytest.mark.parametrize("lines", [["\n\n"], ["[]", "1"], ["{}"], ['[{"id": 1, "text": "Hi"},']])
def test_a_file_without_objects_is_a_config_error(open_lines, lines):
    with pytest.raises(ConfigError, match=r"a\.jsonl has no line with a JSON object"):
        open_lines(*lines)


def test_a_wrong_encoding_is_told_with_its_place(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1, "text": "Hi"}\n{"id": 2, "text": "caf\xe9"}')
    with pytest.raises(ConfigError, match="in line 2, is 0xE9; save it as UTF-8"):
        open_script(path, ScriptDefaults())


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
spoken = st.text(st.characters(categories=["Ll", "Lo", "Nd"], codec="ascii"), min_size=1)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(spoken, anything), min_size=1, max_size=8), is_ascii=st.booleans())
def test_what_the_json_module_writes_comes_back(tmp_path_factory, rows, is_ascii):
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": i, "text": text, "note": note}, ensure_ascii=is_ascii) + "\n"
            for i, (text, note) in enumerate(rows)
        ),
        encoding="utf-8",
    )
    batch = only_batch(open_script(path, ScriptDefaults()))
    assert [x.utterance.text for x in batch.lines] == [text for text, _ in rows]
    assert batch.extras["note"].to_pylist() == [note for _, note in rows]
