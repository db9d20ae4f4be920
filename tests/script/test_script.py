import csv
import json
import tracemalloc

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import SUFFIXES, open_script
from unitaf.types import NEUTRAL, Utterance

HEADER = ["line_id", "character", "locale", "mood", "text", "seed", "scene"]
ROWS = [
    ["a_1", "Ann", "en", "happy:0.5", "Hi, you!", "1", "street"],
    ["a_2", "", "pt_br", "", 'She said: "Olá;\nsim"', "", "street"],
    ["a_3", "Bob", "ja", "", "元気ですか。", "9", ""],
]
UTTERANCES = [
    Utterance("a_1", "Hi, you!", "en", "Ann", (0.5, 0, 0, 0, 0, 0, 0, 0), 1),
    Utterance("a_2", 'She said: "Olá; sim"', "pt-BR", "someone", NEUTRAL, 4),
    Utterance("a_3", "元気ですか。", "ja", "Bob", NEUTRAL, 9),
]
FRAME = pd.DataFrame(ROWS, columns=HEADER)


def by_csv_module(path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *ROWS])


def by_json_module(path):
    objects = (dict(zip(HEADER, row, strict=True)) for row in ROWS)
    path.write_text("\n".join(json.dumps(value) for value in objects))


WRITERS = {
    "csv module.csv": by_csv_module,
    "pandas excel.csv": lambda p: FRAME.to_csv(p, sep=";", index=False, encoding="utf-8-sig"),
    "arrow.csv": lambda p: pyarrow.csv.write_csv(pa.Table.from_pandas(FRAME), p),
    "pandas.TSV": lambda p: FRAME.to_csv(p, sep="\t", index=False),
    "json module.jsonl": by_json_module,
    "pandas.jsonl": lambda p: FRAME.to_json(p, orient="records", lines=True, force_ascii=False),
    "pandas.parquet": FRAME.to_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_and_writer_gives_the_same(tmp_path, name):
    WRITERS[name](tmp_path / name)
    script = open_script(str(tmp_path / name), ScriptDefaults(speaker="someone", seed=4))
    for _ in range(2):
        batches = list(script.batches(size=2))
        assert [x.utterance for b in batches for x in b.lines] == UTTERANCES
        assert [x for b in batches for x in b.rejects] == []
        assert [x for b in batches for x in b.extras["scene"].to_pylist()] == [
            "street", "street", "",
        ]  # fmt: skip
        assert script.extra_schema.names == ["scene"]


def test_extras_keep_to_their_lines_and_rejects_to_the_order(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text,note\na,Hi,1\nb,?,2\nc\nd,,4\ne,Ho,5\n")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert [x.utterance.id for x in batch.lines] == ["a", "e"]
    assert batch.extras.to_pydict() == {"note": ["1", "5"]}
    assert [(x.row, x.line_id, x.column) for x in batch.rejects] == [
        (3, "b", "text"), (4, "c", "text"), (5, "d", "text"),
    ]  # fmt: skip


LIMITS = {"12": 12, " 012 ": 12, "12 Chars": 12, "12 characters, with spaces": 12, "12.0": 12}
NO_LIMITS = dict.fromkeys(["", "0", "*", "12 px", "12.5", "12; 8", "-12", "short", "1e3"])


@pytest.mark.parametrize("column", ["max_length", "Max Length", "length-limit"])
def test_a_column_of_a_table_may_have_length_limits(tmp_path, column):
    path = tmp_path / "a.csv"
    rows = [{"id": f"a{i}", "text": "Hi.", column: limit} for i, limit in enumerate(LIMITS)]
    rows += [{"id": f"b{i}", "text": "Hi.", column: limit} for i, limit in enumerate(NO_LIMITS)]
    pd.DataFrame(rows).to_csv(path, index=False)
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert [line.max_characters for line in batch.lines] == [*LIMITS.values(), *NO_LIMITS.values()]
    assert batch.extras[column].to_pylist() == [*LIMITS, *NO_LIMITS]


def test_a_text_is_as_long_as_its_words(tmp_path):
    path = tmp_path / "a.jsonl"
    texts = {
        "fits": "(sighs) **Hi** <b>you</b>. [pause 2s]",
        "long": "(sighs) **Hi** <b>there</b>. [pause 2s]",
        "said": "[Dr](=doctor) No",
        "free": "Anything at all.",
    }
    lines = [{"id": name, "text": text, "max_length": 7} for name, text in texts.items()]
    lines[-1]["max_length"] = None
    path.write_text("\n".join(json.dumps(line) for line in lines))
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert {line.utterance.id: line.excess for line in batch.lines} == {
        "fits": "",
        "long": "the text has 9 characters; the script allows 7",
        "said": "",
        "free": "",
    }


def test_a_script_of_nothing_but_rejects_still_gives_its_batches(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text,note\na,?,1\nb,?\n")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert batch.lines == []
    assert batch.extras.to_pydict() == {"note": []}
    assert len(batch.rejects) == 2


def test_a_script_may_have_no_other_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\na,Hi\n")
    script = open_script(path, ScriptDefaults())
    assert script.extra_schema == pa.schema([])
    (batch,) = script.batches()
    assert batch.extras.num_columns == 0


HEADER_OF_PO = 'msgid ""\nmsgstr ""\n"Language: fr\\n"\n'


def no_lines(path):
    """Write a script without lines."""
    if path.is_dir():
        (path / "a.csv").write_text("id,text\n")
        (path / "b.po").write_text(HEADER_OF_PO)
    elif path.suffix == ".xlsx":
        FRAME[:0].to_excel(path, index=False)
    elif path.suffix == ".parquet":
        FRAME[:0].to_parquet(path)
    else:
        path.write_text(
            {
                ".csv": "id,text\n,\n",
                ".tsv": "id\ttext\n",
                ".po": HEADER_OF_PO,
                ".xlf": '<xliff version="1.2"><file source-language="en"><body/></file></xliff>',
            }[path.suffix]
        )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.xlsx", "a.parquet", "a.po", "a.xlf", "a"])
def test_a_script_without_lines_is_named(tmp_path, name):
    path = tmp_path / name
    if not path.suffix:
        path.mkdir()
    no_lines(path)
    script = open_script(path, ScriptDefaults())
    with pytest.raises(ConfigError, match=f"script {path} has no lines"):
        list(script.batches())


def test_a_file_of_a_folder_may_have_no_lines_and_a_translation_may_not_have_begun(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n")
    (tmp_path / "b.csv").write_text("id,text\nb,Hi\n")
    [batch] = open_script(tmp_path, ScriptDefaults()).batches()
    assert [line.utterance.id for line in batch.lines] == ["b"]
    path = tmp_path / "c.po"
    path.write_text(f'{HEADER_OF_PO}\nmsgid "Hi"\nmsgstr ""\n')
    [batch] = open_script(path, ScriptDefaults()).batches()
    assert batch.num_left_out == 1


def test_files_that_cannot_be_scripts_are_told_in_one_sentence(tmp_path):
    (tmp_path / "a.docx").write_text("x")
    (tmp_path / "plain").write_text("x")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere")
    for suffix in SUFFIXES:
        (tmp_path / f"empty{suffix}").touch()
    for name, message in {
        "missing.csv": "there is no script .*missing.csv",
        "dangling.csv": "there is no script",
        "folder.csv": "folder.csv has no script",
        "a.docx": r"has the suffix '.docx'; it must be one of .csv, .tsv, .jsonl, .parquet",
        "plain": "has the suffix ''; it must be one of",
        **{f"empty{suffix}": f"empty{suffix} is empty" for suffix in SUFFIXES},
    }.items():
        with pytest.raises(ConfigError, match=message):
            open_script(tmp_path / name, ScriptDefaults())


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_memory_does_not_grow_with_the_script(tmp_path, suffix):
    def peak_bytes(num_lines: int) -> int:
        frame = pd.DataFrame({"id": range(num_lines), "text": "Hello there.", "note": "softly"})
        path = tmp_path / f"{num_lines}{suffix}"
        if suffix == ".parquet":
            frame.to_parquet(path, row_group_size=500)
        elif suffix == ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
        tracemalloc.start()
        count = 0
        for batch in open_script(path, ScriptDefaults()).batches(size=500):
            count += len(batch.lines)
            assert pa.total_allocated_bytes() < 20_000_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == num_lines
        return peak

    peak_bytes(1000)
    assert peak_bytes(8000) < 1.2 * peak_bytes(2000)


@settings(max_examples=100)
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.text('abé ,;"\t\r{}[]:\\\x00', max_size=40).map(str.encode),
            st.just(b'"a","Hi"'),
            st.just(b'{"id": "a", "text": "Hi"}'),
        ),
        max_size=8,
    ),
    start=st.sampled_from([b"id,text\n", b"id;text\r\n", b"id\ttext\n", b"\xff\xfe", b""]),
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl"]),
)
def test_a_file_of_whatever_bytes_is_read_or_refused(tmp_path_factory, lines, start, suffix):
    path = tmp_path_factory.mktemp("bytes") / f"a{suffix}"
    path.write_bytes(start + b"\n".join(lines))
    try:
        batches = list(open_script(path, ScriptDefaults()).batches(size=2))
    except ConfigError:
        return
    rows = [sorted(x.row for x in (*batch.lines, *batch.rejects)) for batch in batches]
    flat = [row for batch in rows for row in batch]
    assert flat == sorted(set(flat))
    assert all(len(batch) <= 2 for batch in rows)


def test_a_name_that_no_file_can_have_is_a_config_error():
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        open_script(f"{'x' * 300}.csv", ScriptDefaults())
