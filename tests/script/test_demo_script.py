"""The demo script is the shop window: it must be whole, valid and varied."""

from pathlib import Path

import numpy as np
import pytest

from unitaf.script.lines import Reject, ScriptDefaults, ScriptLine
from unitaf.script.script import open_script
from unitaf.types import EMOTIONS

DEMO = Path(__file__).parents[2] / "ray_jobs" / "scripts" / "demo.csv"


@pytest.fixture(scope="module")
def demo() -> tuple[list[ScriptLine], list[Reject]]:
    batches = list(open_script(DEMO, ScriptDefaults()).batches())
    return [x for b in batches for x in b.lines], [x for b in batches for x in b.rejects]


def test_every_line_of_the_demo_is_valid(demo):
    lines, rejects = demo
    assert rejects == []
    assert len(lines) >= 64
    assert len({line.utterance.id for line in lines}) == len(lines)
    assert {line.utterance.language for line in lines} == {"en"}


def test_the_demo_carries_direction_and_scene():
    assert open_script(DEMO, ScriptDefaults()).extra_schema.names == ["direction", "scene"]


def test_the_demo_uses_every_emotion_strongly(demo):
    strengths = np.array([line.utterance.emotion for line in demo[0]])
    assert dict(zip(EMOTIONS, strengths.max(axis=0) >= 0.6, strict=True)) == dict.fromkeys(
        EMOTIONS, True
    )


def test_the_demo_has_barks_and_a_monologue_of_half_a_minute(demo):
    words = [len(line.utterance.text.split()) for line in demo[0]]
    assert words.count(1) >= 6
    game = [line.utterance for line in demo[0] if line.utterance.id.startswith("tide_")]
    assert 75 <= max(len(utterance.text.split()) for utterance in game) <= 80
    assert 0.4 <= len(game) / len(words) <= 0.6
