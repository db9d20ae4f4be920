"""What others read of ours, as schema files: generated from the code, kept in ``schemas/``."""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from unitaf.config import GenerateConfig, PrepareConfig
from unitaf.data import corpus, payloads
from unitaf.pipelines import catalog, takes
from unitaf.pipelines.delivery import VERSION, DeliveredLine, Header
from unitaf.script.schema import script_line_schema

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_files() -> dict[str, str]:
    """Return the name and text of every file of ``schemas/``."""
    documents = {
        "job_config.schema.json": {"$schema": _DRAFT, **GenerateConfig.model_json_schema()},
        "manifest.schema.json": manifest_schema(),
        "script_line.schema.json": script_line_schema(),
        "take.arrow.json": arrow_schema(takes.SCHEMA),
        "catalog.arrow.json": arrow_schema(catalog.SCHEMA),
        "prepare_config.schema.json": {"$schema": _DRAFT, **PrepareConfig.model_json_schema()},
        "clip.arrow.json": arrow_schema(payloads.CLIPS_SCHEMA),
        "features.arrow.json": arrow_schema(payloads.FEATURES_SCHEMA),
        "delivery.schema.json": delivery_schema(),
        "corpus_catalog.arrow.json": arrow_schema(corpus.CATALOG_SCHEMA),
    }
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


def manifest_schema() -> dict[str, Any]:
    """Return the JSON schema of a manifest."""
    key = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
    count = {"type": "integer", "minimum": 0}
    text = {"type": "string"}
    properties: dict[str, Any] = {
        "version": {"const": 1},
        "shard": key,
        "language": text,
        "payload": {"type": "string", "description": "The object with the takes; empty if none."},
        "payload_bytes": count,
        "row_group_size": {"type": "integer", "minimum": 1},
        "sample_rate": {"type": "integer", "minimum": 1},
        "fps": {"type": "number", "exclusiveMinimum": 0},
        "tts": text,
        "face": text,
        "takes": _rows(
            "Take key, samples, frames; in the order of the payload.", key, count, count
        ),
        "rejects": _rows("Take key, column, reason.", key, text, text),
    }
    return {
        "$schema": _DRAFT,
        "title": "Manifest of a committed shard",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def delivery_schema() -> dict[str, Any]:
    """Return the JSON schema of ``delivery.json``."""
    header, line = (TypeAdapter(kind).json_schema() for kind in (Header, DeliveredLine))
    definitions = header.pop("$defs") | line.pop("$defs") | {"DeliveredLine": line}
    rows = {
        name: {"type": "array", "items": {"$ref": f"#/$defs/{kind}"}}
        for name, kind in (("stale", "DeliveredFile"), ("lines", "DeliveredLine"))
    }
    properties = {"version": {"const": VERSION}, **header["properties"], **rows}
    return {
        "$schema": _DRAFT,
        "title": "Delivery",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": definitions,
    }


def arrow_schema(schema: pa.Schema) -> dict[str, Any]:
    """Return an Arrow schema as columns with their types, and its metadata."""
    return {
        "columns": [
            {"name": field.name, "type": str(field.type), "nullable": field.nullable}
            for field in schema
        ],
        "metadata": {
            name.decode(): value.decode() for name, value in (schema.metadata or {}).items()
        },
    }


def _rows(description: str, *columns: dict[str, Any]) -> dict[str, Any]:
    row = {
        "type": "array",
        "prefixItems": list(columns),
        "items": False,
        "minItems": len(columns),
    }
    return {"type": "array", "description": description, "items": row}


if __name__ == "__main__":
    for file_name, text in schema_files().items():
        Path(sys.argv[1], file_name).write_text(text, encoding="utf-8")
