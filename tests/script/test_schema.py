import json

import jsonschema
import pytest

from unitaf.script.lines import ScriptDefaults
from unitaf.script.schema import script_line_schema
from unitaf.script.script import open_script

GOOD = [
    {"line_id": "a", "text": "Hi"},
    {"line_id": 7, "text": "Hi", "speaker": None, "note": [1]},
    {"line_id": "a", "text": "Hi", "speaker": "Ann", "language": "pt_BR", "seed": 2**63 - 1},
    {"line_id": "a", "text": "Hi", "emotion": "happy"},
    {"line_id": "a", "text": "Hi", "emotion": {"happy": 0.5}},
    {"line_id": "a", "text": "Hi", "emotion": [0, 0, 0, 0, 0, 0, 0, 1]},
]
BAD = [
    {"text": "Hi"},
    {"line_id": "a"},
    {"line_id": "", "text": "Hi"},
    {"line_id": "x" * 201, "text": "Hi"},
    {"line_id": "a", "text": "  "},
    {"line_id": "a", "text": 5},
    {"line_id": "a", "text": "Hi", "language": "English"},
    {"line_id": "a", "text": "Hi", "emotion": [1, 0]},
    {"line_id": "a", "text": "Hi", "emotion": {"happy": 2}},
    {"line_id": "a", "text": "Hi", "seed": -1},
    {"line_id": "a", "text": "Hi", "seed": 2**63},
    {"line_id": "a", "text": "Hi", "seed": True},
]


def is_accepted(value: object, tmp_path) -> bool:
    path = tmp_path / "a.jsonl"
    path.write_text('{"line_id": "first", "text": "Hi"}\n' + json.dumps(value))
    (batch,) = open_script(path, ScriptDefaults()).batches()
    return len(batch.lines) == 2


@pytest.mark.parametrize("value", GOOD + BAD)
def test_the_schema_and_the_reader_agree(value, tmp_path):
    schema = script_line_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    is_valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert is_valid == is_accepted(value, tmp_path) == (value in GOOD)
