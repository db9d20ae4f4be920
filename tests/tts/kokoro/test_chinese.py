import pytest

from unitaf.tts.kokoro.alphabet import SYMBOL_IDS
from unitaf.tts.kokoro.chinese import ChineseReader


@pytest.fixture(scope="module")
def reader() -> ChineseReader:
    return ChineseReader()


def symbols(reader: ChineseReader, text: str) -> str:
    return " ".join(word.symbols for word in reader.read(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("你好，世界！", "ni↓xau↓, ʂɨ↘ʨje↘!"),
        ("银行", "i↗nxa↗ŋ"),
        ("女儿", "ny↓ɚ↗"),
        ("音乐", "i→nɥe↘"),
        ("去", "ʨʰy↘"),
        ("日", "ɻɨ↘"),
        ("四", "sɨ↘"),
        ("说：“好。”", "ʂwo→: “xau↓.”"),
    ],
)
def test_characters_have_their_sounds_and_tones(
    reader: ChineseReader, text: str, said: str
) -> None:
    assert symbols(reader, text) == said


def test_numbers_are_read(reader: ChineseReader) -> None:
    assert symbols(reader, "3个").replace(" ", "") == "sa→nkɤ↘"


def test_every_common_character_can_be_said(reader: ChineseReader) -> None:
    common = "".join(chr(code) for code in range(0x4E00, 0x9FA6, 7))
    said = symbols(reader, common)
    assert set(said) <= set(SYMBOL_IDS)
    assert len(said) > len(common)
