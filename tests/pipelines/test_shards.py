from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.pipelines import shards
from unitaf.pipelines.shards import Manifest, Plan, PlannedShard, Recipe, RejectSummary, TakeSummary
from unitaf.types import NEUTRAL, Utterance

RECIPE = Recipe("hibari/1", "visemes/1", 60.0, "flac")
SAID = Utterance("a", "Hello.", "en", "Pip", NEUTRAL, 0)


def test_the_key_is_of_what_is_heard_and_seen_only():
    key = shards.take_key(SAID, RECIPE)
    assert len(key) == 32
    assert key == shards.take_key(replace(SAID, id="b", speaker="Jack"), RECIPE)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Hello!"},
        {"language": "en-GB"},
        {"emotion": (0.1, *NEUTRAL[1:])},
        {"seed": 1},
    ],
)
def test_another_utterance_is_another_key(change: dict[str, object]):
    assert shards.take_key(replace(SAID, **change), RECIPE) != shards.take_key(SAID, RECIPE)


@pytest.mark.parametrize(
    "change", [{"tts": "hibari/2"}, {"face": "x"}, {"fps": 59.94}, {"audio_format": "wav"}]
)
def test_another_recipe_is_another_key(change: dict[str, object]):
    assert shards.take_key(SAID, replace(RECIPE, **change)) != shards.take_key(SAID, RECIPE)


def test_fields_cannot_run_into_each_other():
    one = replace(SAID, text='Hello.","en', language="x")
    two = replace(SAID, text="Hello.", language='en","x')
    assert shards.take_key(one, RECIPE) != shards.take_key(two, RECIPE)


@given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), unique=True))
def test_a_shard_is_its_keys_in_any_order(keys: list[str]):
    assert shards.shard_id(keys) == shards.shard_id(reversed(keys))


def test_plans_differ_by_keys_size_and_generation():
    ids = {
        shards.plan_id(["a", "b"], None),
        shards.plan_id(["a", "c"], None),
        shards.plan_id(["a", "b"], 16),
        shards.plan_id(["a", "b"], None, 1),
    }
    assert len(ids) == 4


@given(st.integers(1, 10**7))
def test_shards_are_neither_tiny_nor_huge(lines: int):
    size = shards.default_shard_size(lines)
    assert 8 <= size <= 256
    assert size == 8 or size == 256 or 15 * (size - 1) < lines <= 16 * size


@given(st.integers(1, 10**7), st.integers(1, 4096))
def test_shards_fill_a_call_where_a_few_are_left(lines: int, call_size: int):
    size = shards.default_shard_size(lines, call_size)
    assert size >= shards.default_shard_size(lines)
    assert size >= call_size or 4 * size >= lines
    assert size <= max(256, call_size)
    assert size == 8 or size == shards.default_shard_size(lines) or 3 * size < lines + 3


def test_payload_names_hold_their_hash():
    name = shards.payload_name("0" * 32, "pt-BR", b"abc")
    assert name == (
        "takes/language=pt-BR/00000000000000000000000000000000-"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.parquet"
    )


def test_manifests_and_plans_are_read_back():
    manifest = Manifest(
        shard="0" * 32,
        language="fr",
        payload="takes/x",
        payload_bytes=10,
        row_group_size=4,
        sample_rate=24000,
        fps=29.97,
        tts="t",
        face="f",
        takes=(TakeSummary("k1", 5, 2),),
        rejects=(RejectSummary("k2", "text", "naïve ‘quotes’"),),
    )
    assert shards.decode_manifest(shards.encode_manifest(manifest)) == manifest
    assert manifest.keys == ["k1", "k2"]
    plan = Plan("p", (PlannedShard("s", "en", 3, 40, "plans/p/0.parquet", 1),))
    assert shards.decode_plan(shards.encode_plan(plan)) == plan


@pytest.mark.parametrize("data", [b"{}", b"[1]", b'{"version": 2}'])
def test_files_of_another_version_are_refused(data: bytes):
    with pytest.raises(ValueError, match="version"):
        shards.decode_manifest(data)
    with pytest.raises(ValueError, match="version"):
        shards.decode_plan(data)


def test_a_target_or_edges_change_the_key_and_their_absence_does_not() -> None:
    plain = shards.take_key(SAID, RECIPE)
    keys = {
        plain,
        shards.take_key(replace(SAID, target_s=2.0), RECIPE),
        shards.take_key(replace(SAID, target_s=2.5), RECIPE),
        shards.take_key(SAID, replace(RECIPE, edges_s=(0.1, None))),
        shards.take_key(SAID, replace(RECIPE, edges_s=(None, 0.1))),
        shards.take_key(replace(SAID, target_s=2.0), replace(RECIPE, edges_s=(0.1, 0.1))),
    }
    assert len(keys) == 6
