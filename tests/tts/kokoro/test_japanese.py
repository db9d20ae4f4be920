import pytest

from unitaf.tts.kokoro.japanese import JapaneseReader
from unitaf.tts.reading import SpokenWord


@pytest.fixture(scope="module")
def reader() -> JapaneseReader:
    return JapaneseReader(lambda text: [SpokenWord(text, "fˈɑɹən")])


def symbols(reader: JapaneseReader, text: str) -> str:
    return " ".join(word.symbols for word in reader.read(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("東京へ行きましょう。", "toːkʲoː e ikʲi maɕoː."),
        ("ちょっと待って！", "ʨoʔto maʔte!"),
        ("三本、金庫、案内。", "saɴboɴ, kʲiŋko, annai."),
        ("ヴァイオリン", "vaioɾʲiɴ"),
        ("「ほら」", "“hoɾa”"),
    ],
)
def test_kana_have_their_sounds(reader: JapaneseReader, text: str, said: str) -> None:
    assert symbols(reader, text).replace(" ", "") == said.replace(" ", "")


def test_numbers_are_read(reader: JapaneseReader) -> None:
    assert symbols(reader, "42歳").replace(" ", "") == "joɴʥɨːɲisai"


def test_foreign_words_are_read_if_the_dictionary_has_them_else_by_another(
    reader: JapaneseReader,
) -> None:
    assert symbols(reader, "Hello") == "haɾoː"
    assert symbols(reader, "DVD") == "dʲiːbɯidʲiː"
    assert symbols(reader, "Okaforさん") == "fˈɑɹən saɴ"
