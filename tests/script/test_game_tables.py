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
PIXEL = (
    "Database\nName,Version\nx,1\nActors\nID,Name\nNumber,Text\n1,Ann\nDialogueEntries\n"
    "entrytag,ConvID,ID,Actor,Conversant,MenuText,DialogueText,IsGroup\n"
    "Text,Number,Number,Number,Number,Text,Text,Boolean\n"
    'Hi_01,1,0,1,2,,"Hi, you!",False\nHi_02,1,1,1,2,,,False\nHi_03,1,2,1,2,,Group,True\n'
    "OutgoingLinks\nOriginConvID,OriginID\n1,0\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (UNREAL, [("Hi_01", "Hi, you!", "en", "Ann")]),
        (UNITY, [("Hi_01", "Hi, you!", "en", ""), ("Hi_01", "Olá", "pt-BR", "")]),
        (PIXEL, [("Hi_01", "Hi, you!", "en", "Ann")]),
    ],
)
def test_tables_are_known_by_their_headers(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    (batch,) = open_script(path, ScriptDefaults()).batches()
    found = [x.utterance for x in batch.lines]
    assert [(u.id, u.text, u.language, u.speaker) for u in found] == said
    assert batch.rejects == []


@pytest.mark.parametrize("name", ["unreal", "unity", "pixel_crushers"])
def test_a_forced_format_must_fit(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_text("id,text\na,Hi.\n")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        open_script(path, ScriptDefaults(format=name))
