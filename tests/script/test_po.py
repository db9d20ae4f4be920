import io

import polib
import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script
from unitaf.types import Utterance

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: fr\\n"\n\n'


def read(path, **settings):
    (batch,) = open_script(path, ScriptDefaults(**settings)).batches()
    return batch


def by_polib(path):
    file = polib.POFile()
    file.metadata = {"Language": "pt_BR", "Content-Type": "text/plain; charset=utf-8"}
    note = "Speaker: Ann\nDirection: softly\nMax length: 40\nShe is late."
    file.append(polib.POEntry(msgctxt="a_1", msgid="Hi", msgstr="Olá", comment=note))
    file.append(polib.POEntry(msgctxt="a_2", msgid="Go", msgstr="Vá já", flags=["fuzzy"]))
    file.append(polib.POEntry(msgctxt="a_3", msgid="Not yet", msgstr=""))
    file.append(polib.POEntry(msgctxt="a_4", msgid="Old", msgstr="Velho", obsolete=True))
    file.save(path)


def by_babel(path):
    catalog = Catalog(locale="pt_BR")
    note = ["Speaker: Ann", "Direction: softly", "Max length: 40", "She is late."]
    catalog.add("Hi", "Olá", context="a_1", auto_comments=note)
    catalog.add("Go", "Vá já", context="a_2", flags=["fuzzy"])
    catalog.add("Not yet", "", context="a_3")
    data = io.BytesIO()
    write_po(data, catalog)
    path.write_bytes(data.getvalue())


@pytest.mark.parametrize("write", [by_polib, by_babel])
def test_it_gives_what_a_csv_by_hand_gives(tmp_path, write):
    write(tmp_path / "a.po")
    (tmp_path / "b.csv").write_text(
        "id,text,language,speaker\na_1,Olá,pt-BR,Ann\na_2,Vá já,pt-BR,\n", encoding="utf-8"
    )
    batch = read(tmp_path / "a.po")
    by_hand = read(tmp_path / "b.csv")
    assert [x.utterance for x in batch.lines] == [x.utterance for x in by_hand.lines]
    assert (batch.rejects, batch.num_left_out) == ([], 1)
    first = batch.extras.to_pylist()[0]
    assert (first["direction"], first["max_length"], first["comment"], first["source_text"]) == (
        "softly", "40", "She is late.", "Hi",
    )  # fmt: skip
    assert batch.extras["state"].to_pylist() == [None, "fuzzy"]
    assert [line.max_characters for line in batch.lines] == [40, None]


def test_fuzzy_entries_are_no_lines_if_the_job_says_so(tmp_path):
    by_polib(tmp_path / "a.po")
    batch = read(tmp_path / "a.po", leaves_out_unapproved=True)
    assert [x.utterance.id for x in batch.lines] == ["a_1"]
    assert (batch.rejects, batch.num_left_out) == ([], 2)


def test_a_template_speaks_its_source_and_plurals_are_rejected(tmp_path):
    path = tmp_path / "a.pot"
    path.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=CHARSET\\n"\n\n'
        'msgctxt "k"\nmsgid "Hello."\nmsgstr ""\n\n'
        'msgctxt "n"\nmsgid "one"\nmsgid_plural "many"\nmsgstr[0] ""\nmsgstr[1] ""\n'
    )
    batch = read(path)
    assert [x.utterance for x in batch.lines] == [Utterance("k", "Hello.")]
    assert batch.lines[0].row == 4
    (reject,) = batch.rejects
    assert (reject.row, reject.line_id) == (8, "n")
    assert "plural forms" in reject.reason


def test_headers_may_be_wrapped_and_comments_have_any_form(tmp_path):
    path = tmp_path / "a.po"
    plural = '"Plural-Forms: nplurals=2; "\n"plural=(n != 1);\\n"\n\n'
    poedit = '"X-Poedit-SearchPath-0: .\\n"\n'
    obsolete = '#~ msgid "old\n'
    path.write_text(
        f'{HEADER.rstrip()}\n{poedit}{plural}# "mine\nmsgid "a"\nmsgstr "b"\n{obsolete}'
    )
    assert [x.utterance for x in read(path).lines] == [Utterance("a", "b", "fr")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("UTF-8", "utf-99"), "line 3: the header's charset 'utf-99' is not known"),
        (
            HEADER.replace("Language: fr", "Language: French"),
            "line 4: .*'French' is not a language",
        ),
        (HEADER + 'msgid "a"\nbogus "b"\n', "see line 7"),
        (HEADER + 'msgid "a"\nmsgstr "b\n', "line 7: a string lacks its closing quote"),
        (HEADER + 'msgid "a"\nmsgstr "b" "c"\n', "line 7: .* or has a quote without a backslash"),
        (HEADER + 'msgid "a"\nmsgstr "b"\n"c\\"\n', "line 8: a string lacks"),
        (HEADER.replace("Language:", "Language"), "line 4: the header has 'Language fr' where"),
        (HEADER + 'msgid "caf\udce9"\nmsgstr "b"\n', "line 6: the file is not utf-8"),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path, text, message):
    path = tmp_path / "a.po"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=message):
        open_script(path, ScriptDefaults())
