import pytest

from unitaf.errors import ConfigError
from unitaf.script.columns import ALIASES, find_columns


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        (["line_id", "text"], {"line_id": "line_id", "text": "text"}),
        (["ID", "Dialogue"], {"line_id": "ID", "text": "Dialogue"}),
        (["String Key", "VO_Text"], {"line_id": "String Key", "text": "VO_Text"}),
        (["Line ID", "vo-text"], {"line_id": "Line ID", "text": "vo-text"}),
        (
            ["key", "Character", "Locale", "Mood", "dialog", "seed"],
            {"line_id": "key", "speaker": "Character", "language": "Locale", "emotion": "Mood",
             "text": "dialog", "seed": "seed"},
        ),
        (["id", "actor", "line"], {"line_id": "id", "speaker": "actor", "text": "line"}),
        (["Line", "text"], {"line_id": "Line", "text": "text"}),
        (["id", "line", "text"], {"line_id": "id", "text": "text"}),
    ],
)  # fmt: skip
def test_headers_that_people_use_are_understood(header, roles):
    assert find_columns(header, "a.csv", {}).roles == roles


@pytest.mark.parametrize("role", list(ALIASES))
def test_every_alias_leads_to_its_role(role):
    for alias in ALIASES[role]:
        others = [name for name in ("line_id", "text") if name != role]
        assert find_columns([alias.upper(), *others], "a.csv", {}).roles[role] == alias.upper()


def test_the_exact_name_wins_and_the_alias_is_carried():
    columns = find_columns(["id", "line_id", "text", "Text", "note"], "a.csv", {})
    assert columns.roles == {"line_id": "line_id", "text": "text"}
    assert columns.extras == ("id", "Text", "note")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["id", "key", "text"], "columns 'id', 'key' of script a.csv could each be the line_id"),
        (["id", "text", "mood", "Feeling"], "'mood', 'Feeling' .* could each be the emotion"),
        (["id", "text", "note", "note"], "more than one column 'note'"),
        (["id", "note"], "no column text: its columns are 'id', 'note'.*dialogue"),
        (["text"], "no column line_id: .*also be called id, key"),
        (["a", "b"], "no column line_id and no column text: its columns are 'a', 'b'"),
        (["line"], "no column line_id"),
        ([f"c{i}" for i in range(40)], "'c19' and 20 more"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_in_one_sentence(header, message):
    with pytest.raises(ConfigError, match=message):
        find_columns(header, "a.csv", {})


def test_a_chosen_column_wins_over_every_name():
    header = ["Key", "text", "dialogue", "Line (FR)"]
    columns = find_columns(header, "a.csv", {"text": "Line (FR)", "speaker": "dialogue"})
    assert columns.roles == {"line_id": "Key", "text": "Line (FR)", "speaker": "dialogue"}
    assert columns.extras == ("text",)
    with pytest.raises(
        ConfigError, match=r"the text is in the column 'Nope', and script a\.csv has"
    ):
        find_columns(header, "a.csv", {"text": "Nope"})
