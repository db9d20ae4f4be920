"""The JSON schema of one line of a JSON Lines script, for those who write scripts by program."""

from unitaf.script.language import LANGUAGE_PATTERN
from unitaf.script.lines import MAX_EMOTION_CHARACTERS, MAX_NAME_CHARACTERS, MAX_SEED, MAX_TARGET_S
from unitaf.types import EMOTIONS


def script_line_schema() -> dict[str, object]:
    """Return the JSON schema (draft 2020-12) of an object that a script line can be.

    Aliases of the keys are left out, and so is what a schema cannot say: that an emotion has a
    known name, and that a text has something to speak and is not longer than the job allows.
    """
    name = {"type": ["string", "integer"], "maxLength": MAX_NAME_CHARACTERS}
    strength = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "unitaf script line",
        "description": "One line of a JSON Lines script. Other keys are carried into the catalog.",
        "type": "object",
        "required": ["line_id", "text"],
        "properties": {
            "line_id": name
            | {
                "pattern": r"\S",
                "description": "Names the line; unique in a script for each language.",
            },
            "text": {"type": "string", "pattern": r"\S", "description": "What is said."},
            "speaker": _optional(name, "Who says it; chooses the voice."),
            "language": _optional(
                {"type": "string", "pattern": LANGUAGE_PATTERN}, "A BCP 47 tag such as en or pt-BR."
            ),
            "emotion": _optional(
                {
                    "anyOf": [
                        {"type": "string", "maxLength": MAX_EMOTION_CHARACTERS},
                        {"type": "object", "additionalProperties": strength},
                        {
                            "type": "array",
                            "items": strength,
                            "minItems": len(EMOTIONS),
                            "maxItems": len(EMOTIONS),
                        },
                    ]
                },
                f"Names with strengths, as 'angry:0.7', or eight numbers: {', '.join(EMOTIONS)}.",
            ),
            "seed": _optional(
                {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
                "Decides everything random about the take.",
            ),
            "target_s": _optional(
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TARGET_S},
                "How long the take should be, in seconds; the speaking rate is solved for.",
            ),
        },
        "additionalProperties": True,
    }


def _optional(schema: dict[str, object], description: str) -> dict[str, object]:
    return {"anyOf": [schema, {"type": "null"}], "description": description}
