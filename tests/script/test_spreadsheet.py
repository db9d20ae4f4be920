import re
import zipfile

import openpyxl
import pytest
import xlsxwriter

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script
from unitaf.types import NEUTRAL, Utterance

ROWS = [
    ["Line ID", "Character", "Dialogue", "Seed", "Take"],
    ["a_1", "Ann", "Hi, you!", 4, 1.5],
    ["a_2", None, "Él dice:\nsí", None, None],
    [303, "Bob", "Go.", None, "x"],
]


def by_xlsxwriter(path):
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Notes").write(0, 0, "read me")
        sheet = book.add_worksheet("Lines")
        for number, row in enumerate(ROWS):
            sheet.write_row(number + 2, 0, row)


def by_openpyxl(path):
    book = openpyxl.Workbook()
    book.create_sheet("Lines")
    for row in [[], [], *ROWS]:
        book["Lines"].append(row)
    book.save(path)


@pytest.mark.parametrize("write", [by_xlsxwriter, by_openpyxl])
def test_a_chosen_sheet_gives_its_lines(tmp_path, write):
    path = tmp_path / "a.xlsx"
    write(path)
    (batch,) = open_script(path, ScriptDefaults(sheet="Lines")).batches()
    assert [x.utterance for x in batch.lines] == [
        Utterance("a_1", "Hi, you!", speaker="Ann", seed=4),
        Utterance("a_2", "Él dice: sí", "en", "", NEUTRAL, 0),
        Utterance("303", "Go.", speaker="Bob"),
    ]
    assert batch.rejects == []
    assert [x.row for x in batch.lines] == [4, 5, 6]
    assert batch.extras.to_pydict() == {"Take": ["1.5", None, "x"]}


def test_formulas_and_merged_cells_are_rejected_by_the_cell(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "text", "note"])
        sheet.write_row(1, 0, ["a", '=UPPER("hi")', "x"])
        sheet.merge_range("A3:C3", "Scene one")
        sheet.write_row(3, 0, ["b", "Hi.", "=1+1"])
        sheet.write_row(4, 0, ["c", 3])
        sheet.write_row(5, 0, ["d", 2.5])
        sheet.merge_range("C5:D6", "a scene of two lines")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert [(x.utterance.id, x.utterance.text) for x in batch.lines] == [("b", "Hi."), ("c", "3")]
    assert [(x.row, x.line_id, x.column, x.reason) for x in batch.rejects] == [
        (2, "a", "text", "the cell B2 is a formula; put its value in its place"),
        (3, "Scene one", "", "the cells A3:C3 are merged; unmerge them"),
        (6, "d", "text", "the text must be text, not a number"),
    ]


def test_chosen_columns_are_read(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Key", "EN", "FR"])
        sheet.write_row(1, 0, ["a", "Hi.", "Salut."])
    (batch,) = open_script(path, ScriptDefaults(language="fr", columns={"text": "FR"})).batches()
    assert [x.utterance for x in batch.lines] == [Utterance("a", "Salut.", "fr")]
    assert batch.extras.to_pydict() == {"EN": ["Hi."]}


def chart(book):
    made = book.add_chart({"type": "line"})
    made.add_series({"values": "=Merged!$A$1:$A$2"})
    return made


def rewritten(source, target, part, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name.endswith(part) else data)
    return target


def test_cells_outside_what_the_sheet_says_is_its_size_are_read(tmp_path):
    by_openpyxl(tmp_path / "a.xlsx")
    path = rewritten(
        tmp_path / "a.xlsx",
        tmp_path / "b.xlsx",
        "sheet2.xml",
        lambda data: re.sub(b'<dimension ref="[^"]*"', b'<dimension ref="A1"', data),
    )
    (batch,) = open_script(path, ScriptDefaults(sheet="Lines")).batches()
    assert len(batch.lines) == 3


@pytest.mark.parametrize("part", ["workbook.xml", "sheet2.xml", "sharedStrings.xml"])
def test_a_workbook_with_broken_xml_is_told(tmp_path, part):
    by_xlsxwriter(tmp_path / "a.xlsx")
    path = rewritten(tmp_path / "a.xlsx", tmp_path / "b.xlsx", part, lambda data: data[:-20])
    with pytest.raises(ConfigError, match=r"b\.xlsx cannot be read as XLSX"):
        list(open_script(path, ScriptDefaults(sheet="Lines")).batches())


def test_a_workbook_that_is_no_script_is_told(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Empty")
        book.add_worksheet("Merged").merge_range("A1:B1", "Script")
        book.add_chartsheet("Chart").set_chart(chart(book))
    for sheet, message in {
        None: "the sheet 'Empty' is empty",
        "Other": r"has no sheet 'Other': it has \['Empty', 'Merged', 'Chart'\]",
        "Chart": "the sheet 'Chart' is a chart",
        "Merged": "line 1 of the sheet 'Merged': the column names have merged cells A1:B1",
    }.items():
        with pytest.raises(ConfigError, match=message):
            open_script(path, ScriptDefaults(sheet=sheet))
    path.write_text("id,text\n")
    with pytest.raises(ConfigError, match="cannot be read as XLSX"):
        open_script(path, ScriptDefaults())
