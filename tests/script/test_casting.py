import openpyxl
import pytest

from unitaf.config import RoleConfig
from unitaf.errors import ConfigError
from unitaf.script.casting import read_casting

YAML = """\
default:
  style: restrained
  languages: {de: {engine: espeak}}
speakers:
  Ann:
    voice: heart
    speed: 1.2
    languages:
      pt_br: {engine: kokoro, voice: pf_dora}
      fr:
        voice: emma
  7: {voice: heart}
"""

ROWS = [
    ["Speaker", "language", "engine", "voice", "speed", "style"],
    ["*", "", "", "", "", "restrained"],
    ["*", "de", "espeak", "", "", ""],
    ["Ann", "", "", "heart", "1,2", ""],
    ["Ann", "pt-br", "kokoro", "pf_dora", "", ""],
    ["Ann", "fr", "", "emma", "", ""],
    ["7", "", "", "heart", "", ""],
]


def yaml_file(folder):
    path = folder / "cast.yaml"
    path.write_text(YAML)
    return path


def csv_file(folder):
    path = folder / "cast.csv"
    path.write_text("\n".join(";".join(row) for row in ROWS), encoding="utf-8-sig")
    return path


def tsv_file(folder):
    path = folder / "cast.tsv"
    path.write_text("\r\n".join("\t".join(row) for row in ROWS))
    return path


def xlsx_file(folder):
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append([cell or None for cell in row])
    book.save(folder / "cast.xlsx")
    return folder / "cast.xlsx"


@pytest.mark.parametrize("write", [yaml_file, csv_file, tsv_file, xlsx_file])
def test_every_format_says_the_same(tmp_path, write):
    cast = read_casting(write(tmp_path)).cast
    assert cast.role("Ann", "en") == RoleConfig(voice="heart", speed=1.2, style="restrained")
    assert cast.role("Ann", "fr-CA") == RoleConfig(voice="emma", speed=1.2, style="restrained")
    assert cast.role("7", "en").voice == "heart"
    assert cast.role("Zed", "en") == RoleConfig(style="restrained")


@pytest.mark.parametrize("write", [yaml_file, csv_file])
def test_another_engine_brings_its_own_voice_speed_and_pitch(tmp_path, write):
    cast = read_casting(write(tmp_path)).cast
    brazil = RoleConfig(engine="kokoro", voice="pf_dora", style="restrained")
    assert cast.role("Ann", "pt-BR") == brazil
    assert cast.role("Zed", "de") == RoleConfig(engine="espeak", style="restrained")
    # Her own words are more special than the default's in German.
    assert cast.role("Ann", "de").voice == "heart"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "speakers:\n  Ann: {voise: heart}\n", "line 2: there is no setting 'speakers.A"),
        ("c.yaml", "speakers:\n  Ann:\n    speed: fast\n", "line 3: speakers.Ann.speed: .*'fast'"),
        ("c.yaml", "speakers:\n  Ann: {}\n  Ann: {}\n", "line 3: 'Ann' is there twice"),
        ("c.yaml", "speakers:\n  A: {languages: {french: {}}}\n", "line 2: 'french' is not a lan"),
        ("c.yaml", "speakers: [\n", "is not valid YAML"),
        ("c.yaml", "- a\n", "must hold a cast"),
        ("c.csv", "speaker,voise\nAnn,heart\n", "line 1: the columns must be speaker and some of"),
        ("c.csv", "speaker,speed\nAnn,1\nBob,fast\n", "line 3: speakers.Bob.speed"),
        ("c.csv", "speaker,voice\nAnn,x\nAnn,y\n", "line 3: Ann is in line 2 already"),
        ("c.csv", "speaker,voice\n,x\n", "line 2: there is no speaker"),
        ("c.csv", "speaker,language\nAnn,klingonish\n", "line 2: 'klingonish' is not a language"),
        ("c.csv", "speaker,voice\nAnn,x,y\n", "line 2: there are more cells than column names"),
        ("c.csv", 'speaker,voice\nAnn,"x\n', "line 2: a quote has no partner"),
        ("c.txt", "", "must end in .yaml, .csv, .tsv, .xlsx"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_casting(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no casting file .*cast\.yaml"):
        read_casting(tmp_path / "cast.yaml")


def test_an_empty_file_is_an_empty_cast(tmp_path):
    path = tmp_path / "cast.yaml"
    path.write_text("# nobody yet\n")
    assert read_casting(path).cast.role("Ann", "en") == RoleConfig()
