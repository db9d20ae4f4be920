import pandas as pd
import pytest

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script


def test_files_of_any_kind_are_one_script_in_the_order_of_their_names(tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "b.csv").write_text("Key,Dialogue,note\nb_1,Hi.,x\nb_2,?,y\n")
    pd.DataFrame({"id": ["a"], "text": ["(softly) Hi."], "note": [3]}).to_parquet(
        tmp_path / "2" / "a.parquet"
    )
    (tmp_path / "c.jsonl").write_text('{"id": "c", "text": "Ho.", "speaker": "Cy"}\n')
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / ".hidden.csv").write_text("x")
    script = open_script(tmp_path, ScriptDefaults())
    for _ in range(2):
        batches = list(script.batches())
        lines = [x for batch in batches for x in batch.lines]
        assert [(x.utterance.id, x.utterance.speaker, x.row) for x in lines] == [
            ("a", "", 1), ("b_1", "", 2), ("c", "Cy", 1),
        ]  # fmt: skip
        assert [row for batch in batches for row in batch.extras.to_pylist()] == [
            {"note": "3", "script_file": "2/a.parquet"},
            {"note": "x", "script_file": "b.csv"},
            {"note": None, "script_file": "c.jsonl"},
        ]
        assert [line.unspoken for line in lines] == ["(softly)", "", ""]
        (reject,) = [x for batch in batches for x in batch.rejects]
        assert (reject.row, reject.line_id) == (3, "b_2")
        assert reject.reason.startswith("b.csv: the text '?' has no letter")


def test_chosen_columns_are_those_of_every_file(tmp_path):
    (tmp_path / "a.csv").write_text("Key,FR,text\na,Salut.,Hi.\n")
    (tmp_path / "b.po").write_text('msgctxt "b"\nmsgid "Hi."\nmsgstr "Salut."\n')
    with pytest.raises(ConfigError, match=r"b\.po has none"):
        open_script(tmp_path, ScriptDefaults(columns={"text": "FR"}))
    (tmp_path / "b.po").unlink()
    (batch,) = open_script(tmp_path, ScriptDefaults(columns={"text": "FR"})).batches()
    assert [x.utterance.text for x in batch.lines] == ["Salut."]
    assert batch.extras.to_pydict() == {"text": ["Hi."], "script_file": ["a.csv"]}


def test_a_bad_file_of_a_folder_is_named(tmp_path):
    (tmp_path / "b.csv").write_text("Key,Song\nb_1,Hi.\n")
    with pytest.raises(ConfigError, match=r"b\.csv has no column text"):
        open_script(tmp_path, ScriptDefaults())


def test_a_column_that_says_the_file_is_not_overwritten(tmp_path):
    (tmp_path / "b.csv").write_text("id,text,script_file\na,Hi.,x\n")
    with pytest.raises(ConfigError, match="a column 'script_file'"):
        open_script(tmp_path, ScriptDefaults())
