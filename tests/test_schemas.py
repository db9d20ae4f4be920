"""The files in schemas/ are what the code writes and reads."""

import json
from pathlib import Path

import jsonschema
import pytest

from unitaf.config import GenerateConfig
from unitaf.pipelines.schemas import schema_files
from unitaf.pipelines.shards import Manifest, RejectSummary, TakeSummary, encode_manifest

FOLDER = Path(__file__).parents[1] / "schemas"


def test_files_equal_the_code():
    assert {file.name for file in FOLDER.iterdir()} == set(schema_files())
    for name, text in schema_files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: make schemas"


def test_a_manifest_keeps_its_schema():
    manifest = Manifest(
        shard="0" * 32,
        language="en",
        payload="takes/language=en/x.parquet",
        payload_bytes=3,
        row_group_size=4,
        sample_rate=24000,
        fps=29.97,
        tts="engine",
        face="animator",
        takes=(TakeSummary("a" * 32, 100, 3),),
        rejects=(RejectSummary("b" * 32, "text", "no phones"),),
    )
    schema = json.loads(schema_files()["manifest.schema.json"])
    document = json.loads(encode_manifest(manifest))
    jsonschema.validate(document, schema)
    document["takes"][0].pop()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_a_job_keeps_its_schema():
    schema = json.loads(schema_files()["job_config.schema.json"])
    document = GenerateConfig().model_dump(mode="json")
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "fps": 3}, schema)
