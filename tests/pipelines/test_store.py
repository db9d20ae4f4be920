"""A store read back: lines, their columns, and what is said of a store that is damaged or none."""

import json
from pathlib import Path

import pytest

from unitaf import generate, open_store
from unitaf.config import check_config
from unitaf.errors import ConfigError, StorageError
from unitaf.pipelines.export import export

LINES = [
    {"line_id": "a", "text": "One.", "take": 1, "file": "x.wav", "script_file": "s", "File": "f"}
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, ray_cluster: str) -> Path:
    folder = tmp_path_factory.mktemp("made")
    config = check_config({"tts": {"kind": "stub"}, "run": {"num_actors": 1}}, "test")
    typed, text = folder / "typed.jsonl", folder / "text.csv"
    typed.write_text("\n".join(json.dumps(line) for line in LINES))
    text.write_text("line_id,text,take\nb,Two.,second\n")
    for script in (typed, text):
        generate(script, str(folder / "store"), config)
    return folder / "store"


def test_scripts_may_differ_in_the_type_of_a_column(store: Path):
    rows = open_store(str(store)).catalog().to_pylist()
    assert {row["line_id"]: row["take"] for row in rows} == {"a": "1", "b": "second"}


def test_script_columns_keep_apart_from_the_catalog_s_own(store: Path):
    opened = open_store(str(store))
    catalog = opened.catalog()
    assert len(set(catalog.column_names)) == len(catalog.column_names)
    (row,) = (row for row in catalog.to_pylist() if row["line_id"] == "a")
    assert row["script_file"] == "s"
    assert row["script_script_file"] == "x.wav"
    assert row["script_script_script_File"] == "f"
    assert opened.take("a").utterance.text == "One."


def test_a_language_may_be_written_as_in_a_script(store: Path):
    opened = open_store(str(store))
    assert opened.take("a", "EN").key == opened.take("a").key
    with pytest.raises(ConfigError, match="'English' is not a language tag"):
        opened.take("a", "English")
    with pytest.raises(ConfigError, match="no take of line 'a' in pt-BR"):
        opened.take("a", "pt_br")


def test_a_format_named_twice_is_written_once(store: Path, tmp_path: Path):
    report = export(open_store(str(store)), tmp_path, ["wav", "npz", "wav"], "{row:02d}_{line_id}")
    assert report.files == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "01_a.npz",
        "01_a.wav",
        "02_b.npz",
        "02_b.wav",
        "delivery.json",
    ]


@pytest.mark.parametrize("kept_bytes", [0, 100, -100])
@pytest.mark.parametrize("pattern", ["takes/**/*.parquet", "runs/*/catalog.parquet"])
def test_a_damaged_file_is_named(store: Path, pattern: str, kept_bytes: int):
    files = {path: path.read_bytes() for path in store.glob(pattern)}
    try:
        for path, data in files.items():
            path.write_bytes(data[:kept_bytes])
        with pytest.raises(StorageError, match=r"\.parquet in .* is damaged"):
            open_store(str(store)).take("a")
    finally:
        for path, data in files.items():
            path.write_bytes(data)


def test_garbage_is_looked_for_only_in_a_store(tmp_path: Path):
    with pytest.raises(ConfigError, match="nowhere is no store"):
        open_store(str(tmp_path / "nowhere")).garbage(0)
