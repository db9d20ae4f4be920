import pytest

from unitaf.errors import ConfigError
from unitaf.script.lines import ScriptDefaults
from unitaf.script.script import open_script

UNREAL = (
    "SpeakingVoice,TargetVoices,SpokenDialogue,VoiceActorDirection,AudioFileName,LocalizationKeys\n"
    'Ann,Bob,"Hi, you!",softly,Hi_01.wav,k1\n'
)
UNITY = (
    'Key,Id,Shared Comments,English(en),Portuguese (Brazil)(pt-BR)\nHi_01,7,note,"Hi, you!",Olá\n'
)
UNITY_BY_A_SPREADSHEET = 'Key;Id;Shared Comments;French(fr)\nHi_01;7;"a, b";Salut\nHi_02;8;;\n'
STRINGS = 'Key,SourceString,Comment\n"Hi_01","Hi,\\n ""you""!","a, b"\n'
PIXEL = (
    "Database\nName,Version\nx,1\nActors\nID,Name\nNumber,Text\n1,Ann\nDialogueEntries\n"
    "entrytag,ConvID,ID,Actor,Conversant,MenuText,DialogueText,IsGroup,es,Menu Text es\n"
    "Text,Number,Number,Number,Number,Text,Text,Boolean,Localization,Localization\n"
    'Hi_01,1,0,1,2,,"Hi, you!",False,Hola,x\nHi_02,1,1,1,2,,,False,,\n'
    "Hi_03,1,2,1,2,,Group,True,,\nHi_04,1,3,2,1,Choose,{{omit}},False,,\n"
    "OutgoingLinks\nOriginConvID,OriginID\n1,0\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (UNREAL, [("Hi_01", "Hi, you!", "en", "Ann")]),
        (UNITY, [("Hi_01", "Hi, you!", "en", ""), ("Hi_01", "Olá", "pt-BR", "")]),
        (UNITY_BY_A_SPREADSHEET, [("Hi_01", "Salut", "fr", "")]),
        (STRINGS, [("Hi_01", 'Hi, "you"!', "en", "")]),
        (
            PIXEL,
            [
                ("Hi_01", "Hi, you!", "en", "Ann"),
                ("Hi_01", "Hola", "es", "Ann"),
                ("Hi_04", "Choose", "en", "2"),
            ],
        ),
    ],
)
def test_tables_are_known_by_their_headers(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    found = [x.utterance for x in batch.lines]
    assert [(u.id, u.text, u.language, u.speaker) for u in found] == said
    assert batch.rejects == []


@pytest.mark.parametrize("name", ["unreal", "unreal_strings", "unity", "pixel_crushers"])
def test_a_forced_format_must_fit(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_text("id,text\na,Hi.\n")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        open_script(path, ScriptDefaults(format=name))


@pytest.mark.parametrize(
    "text",
    [
        UNREAL.replace("VoiceActorDirection", "TargetVoices"),
        UNITY.replace("Shared Comments", "Id"),
        PIXEL.replace("ConvID,ID", "ID,ID"),
    ],
)
def test_a_name_of_two_columns_is_told(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"a\.csv has more than one column"):
        open_script(path, ScriptDefaults())


@pytest.mark.parametrize(
    ("text", "row"), [(UNREAL, 3), (UNITY, 3), (STRINGS, 3), (PIXEL.partition("Outgoing")[0], 15)]
)
def test_a_record_of_another_width_is_rejected(tmp_path, text, row):
    path = tmp_path / "a.csv"
    path.write_text(text + "Hi_09,Oh\n")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    assert [(x.row, x.reason.startswith("the line has 2 fields")) for x in batch.rejects] == [
        (row, True)
    ]
