import pytest
from translate.storage import xliff as toolkit
from translate.storage import xliff2 as toolkit_2

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script

TWO = """<?xml version="1.0"?>
<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="fr">
 <file id="f"><unit id="a_1"><notes><note category="character">Ann</note>
   <note category="direction">softly</note></notes>
  <originalData><data id="d">%s</data></originalData>
  <segment state="final"><source>Hi <ph id="1" dataRef="d"/>.</source>
   <target>Salut <ph id="1" dataRef="d"/>.</target></segment></unit>
  <unit id="a_2"><segment state="translated"><source>Go</source><target>Va</target></segment></unit>
  <unit id="a_3"><segment><source>Wait</source></segment></unit></file></xliff>"""


def said(path, **settings):
    (batch,) = open_script(path, ScriptDefaults(**settings)).batches()
    found = [x.utterance for x in batch.lines]
    return [(u.id, u.text, u.language, u.speaker) for u in found], batch


def test_version_2_gives_targets_notes_and_states(tmp_path):
    path = tmp_path / "a.xlf"
    path.write_text(TWO.replace("%s", "Bo"))
    lines, batch = said(path)
    assert lines == [("a_1", "Salut Bo.", "fr", "Ann"), ("a_2", "Va", "fr", "")]
    assert batch.extras["direction"].to_pylist() == ["softly", None]
    lines, batch = said(path, leaves_out_unapproved=True)
    assert [line[0] for line in lines] == ["a_1"]
    assert (batch.rejects, batch.num_left_out) == ([], 2)


def test_segments_are_one_line_with_what_is_between_them(tmp_path):
    parts = "<segment><source>A</source><target>{}</target></segment>"
    between = "<ignorable><source> <?tool x?></source></ignorable>"
    unit = f'<unit id="{{}}">{parts}{between}{parts}</unit>'
    path = tmp_path / "a.xlf"
    head, _, _ = TWO.partition("<unit")
    units = unit.format("a", "Un.", "Deux.") + unit.format("b", "Un.", "")
    path.write_text(f"{head}{units}<unit id='c'>{between}</unit></file></xliff>")
    lines, batch = said(path)
    assert lines == [("a", "Un. Deux.", "fr", "")]
    assert batch.num_left_out == 2


@pytest.mark.parametrize(
    ("limit", "told", "allowed"),
    [
        ('maxwidth="40" size-unit="char"', "40", 40),
        ('maxwidth="40"', "40 pixel", None),
        ('maxwidth="40" size-unit="byte"', "40 byte", None),
        ('slr:sizeRestriction="5, 40"', "40", 40),
        ('slr:sizeRestriction="40"', "40", 40),
        ('slr:sizeRestriction="1,*"', "*", None),
        ("", None, None),
    ],
)
def test_a_length_limit_is_in_characters_or_names_its_unit(tmp_path, limit, told, allowed):
    path = tmp_path / "a.xlf"
    slr = "urn:oasis:names:tc:xliff:sizerestriction:2.0"
    text = TWO.replace('id="a_1"', f'xmlns:slr="{slr}" id="a_1" {limit}').replace("%s", "Bo")
    path.write_text(text)
    _, batch = said(path)
    assert batch.extras["max_length"].to_pylist() == [told, None]
    assert [line.max_characters for line in batch.lines] == [allowed, None]


@pytest.mark.parametrize(
    "new", [toolkit.xlifffile, toolkit_2.Xliff2File], ids=["version 1", "version 2"]
)
def test_a_file_by_another_tool_gives_what_a_csv_by_hand_gives(tmp_path, new):
    store = new(sourcelanguage="en", targetlanguage="pt-BR")
    for name, target in (("a_1", "Olá"), ("a_2", "Vá <b>já</b>!"), ("a_3", "")):
        unit = store.addsourceunit("source " + name)
        unit.setid(name)
        unit.target = target
        unit.addnote("Speaker: Ann")
    store.units[0].markapproved()
    store.units[1].markapproved(False)
    path = tmp_path / "a.xliff"
    path.write_bytes(bytes(store))
    by_hand = tmp_path / "b.csv"
    by_hand.write_text(
        "id,text,language,speaker\na_1,Olá,pt-BR,Ann\na_2,Vá já!,pt-BR,Ann\n", encoding="utf-8"
    )
    lines, batch = said(path)
    assert lines == said(by_hand)[0]
    assert (batch.rejects, batch.num_left_out) == ([], 1)
    assert [line[0] for line in said(path, leaves_out_unapproved=True)[0]] == ["a_1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TWO.replace("</segment></unit>", "</unit>", 1), "line 7: broken XML"),
        (TWO.replace('trgLang="fr"', 'trgLang="French"'), "line 2: .*'French' is not a language"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><xliff>&a;</xliff>', "DOCTYPE is not allowed"),
        ("<html/>", "line 1: the file is html, not xliff"),
        (TWO.replace("<source>", "<source>&nbsp;", 1), "line \\d: broken XML: Entity 'nbsp' not"),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path, text, message):
    path = tmp_path / "a.xlf"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        open_script(path, ScriptDefaults())
