import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.errors import ConfigError
from unitaf.script.lines import Reject, ScriptDefaults
from unitaf.script.script import open_script


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes, name: str = "a.csv", size: int = 4096):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        script = open_script(path, ScriptDefaults())
        batches = list(script.batches(size))
        lines = [(x.row, x.utterance.id, x.utterance.text) for b in batches for x in b.lines]
        rejects = [x for b in batches for x in b.rejects]
        extras = pa.Table.from_batches([b.extras for b in batches], script.extra_schema)
        return lines, rejects, extras.to_pydict()

    return read


@pytest.mark.parametrize(
    "content",
    [
        b"line_id,text,note\na,Hi,x\nb,Ho,\n",
        b"line_id,text,note\r\na,Hi,x\r\nb,Ho,\r\n",
        b"line_id,text,note\ra,Hi,x\rb,Ho,\r",
        b"\xef\xbb\xbfline_id,text,note\na,Hi,x\nb,Ho,",
        b"line_id;text;note\na;Hi;x\nb;Ho;\n",
        b'\xef\xbb\xbf"line_id";"text";"note"\r\n"a";"Hi";"x"\r\n"b";"Ho";""\r\n',
        "line_id,text,note\na,Hi,x\nb,Ho,\n".encode("utf-16"),
        b" line_id , text,note \na,Hi,x\nb,Ho,\n",
    ],
)
def test_dialects_of_csv_give_the_same(read, content):
    lines, rejects, extras = read(content)
    assert lines == [(2, "a", "Hi"), (3, "b", "Ho")]
    assert rejects == []
    assert extras == {"note": ["x", ""]}


def test_only_the_header_decides_the_delimiter(read):
    lines, _, _ = read("line_id;text\na;Yes, well, no, but, so, it, goes.\n")
    assert lines == [(2, "a", "Yes, well, no, but, so, it, goes.")]
    lines, _, _ = read('line_id,text,"a;b;c"\na,"Hm; so; it; goes.",1\n')
    assert lines == [(2, "a", "Hm; so; it; goes.")]


def test_a_record_with_line_breaks_is_at_its_first_line(read):
    lines, rejects, _ = read('line_id,text\na,"One\r\ntwo\r\n\r\nthree"\nb,Four\n\nc,\nd,Five')
    assert lines == [(2, "a", "One two three"), (6, "b", "Four"), (9, "d", "Five")]
    assert rejects == [Reject(8, "c", "text", "there is no text")]


def test_tabs_separate_and_commas_do_not(read):
    lines, _, extras = read('key\tdialogue\tnote\na\tYes, well\t"said ""so"""\n', "a.tsv")
    assert lines == [(2, "a", "Yes, well")]
    assert extras == {"note": ['said "so"']}


def test_rows_without_content_are_skipped_and_counted(read):
    lines, rejects, _ = read("line_id,text\n,\n\n  \na,Hi\n,\n")
    assert lines == [(5, "a", "Hi")]
    assert [(r.row, r.reason) for r in rejects] == [
        (4, "the line has only 1 of the header's 2 fields")
    ]


def test_rows_of_the_wrong_width_are_rejected(read):
    lines, rejects, extras = read(
        "text,line_id,note\nHi,a,1\nHo,b\nWell, yes,c,2\nOh,d,3\nOnly text\n"
    )
    assert [line[1] for line in lines] == ["a", "d"]
    assert extras == {"note": ["1", "3"]}
    assert rejects == [
        Reject(3, "b", "note", "the line has only 2 of the header's 3 fields"),
        Reject(4, "yes", "", "the line has 4 fields and the header only 3; "
               "a field with ',' in it needs quotes around it"),
        Reject(6, "", "line_id", "the line has only 1 of the header's 3 fields"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    ['b,"He left', 'b,"He" left', '"b,He left', 'b,"He ""left'],
)
def test_a_stray_quote_costs_its_own_line_only(read, broken):
    lines, rejects, _ = read(f'line_id,text\na,"Hi"\n{broken}\nc,Ho\nd,"Hm"\n')
    assert lines == [(2, "a", "Hi"), (4, "c", "Ho"), (5, "d", "Hm")]
    assert rejects == [Reject(3, "", "", "a quote has no partner, or other text follows it")]


def test_a_stray_quote_far_from_the_next_one_is_found(read):
    lines, rejects, _ = read('line_id,text\na,"Hi\n' + "".join(f"{i},Ho\n" for i in range(50_000)))
    assert [reject.row for reject in rejects] == [2]
    assert len(lines) == 50_000
    assert lines[-1] == (50_002, "49999", "Ho")


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_that_is_too_long_is_called_so(read, quote):
    lines, rejects, _ = read(f"line_id,text\na,{quote}{'x' * 131_073}{quote}\nb,Ho\n")
    assert lines == [(3, "b", "Ho")]
    (reject,) = rejects
    assert reject.row == 2
    assert "a field may have 131,072" in reject.reason


def test_a_column_without_a_name_is_carried_by_its_position(read):
    _, _, extras = read("line_id,text,,\na,Hi,x,\n")
    assert extras == {"column_3": ["x"], "column_4": [""]}


@pytest.mark.parametrize("content", ["\n\n", "\ufeff", '"line_id,text\na,Hi\n'])
def test_a_file_without_a_header_is_a_config_error(read, content):
    with pytest.raises(ConfigError, match=r"a\.csv does not begin with a line of column names"):
        read(content)


@pytest.mark.parametrize("filler", [0, 20_000])
def test_a_wrong_encoding_is_told_with_its_place(read, filler):
    good = "line_id,text\n" + "a,Hi\n" * filler
    with pytest.raises(ConfigError) as error:
        read(good.encode() + "b,I can’t\n".encode("cp1252"))
    assert (
        f"a.csv is not UTF-8: byte {len(good) + 7} of the file, in line {filler + 2}, is 0x92; "
        "save it as UTF-8" in str(error.value)
    )


def test_half_a_utf16_file_is_a_config_error(read):
    with pytest.raises(ConfigError, match="is not valid UTF-16; save it as UTF-8"):
        read("line_id,text\na,Hi\n".encode("utf-16")[:-1])


# The csv module of Python 3.11 writes a lone carriage return without quotes.
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=30)
spoken = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters="{([%*"),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(spoken.map(lambda text: f"x{text}"), anything), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    has_all_quotes=st.booleans(),
)
def test_what_the_csv_module_writes_comes_back(
    tmp_path_factory, rows, delimiter, line_end, has_all_quotes
):
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if has_all_quotes else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(["line_id", "text", "note"])
    writer.writerows((i, text, note) for i, (text, note) in enumerate(rows))
    path = tmp_path_factory.mktemp("csv") / ("a.tsv" if delimiter == "\t" else "a.csv")
    path.write_bytes(out.getvalue().encode())
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert batch.rejects == []
    assert [line.utterance.text for line in batch.lines] == [text for text, _ in rows]
    assert batch.extras["note"].to_pylist() == [note for _, note in rows]
