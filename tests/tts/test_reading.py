"""How English text becomes symbols, tied to the words as they are written."""

import pytest

from unitaf.tts.misaki import CONSONANT_LABELS, STRESS_MARKS, VOWEL_LABELS
from unitaf.tts.reading import EnglishReader, SpokenWord, split_reading


@pytest.fixture(scope="module")
def reader() -> EnglishReader:
    return EnglishReader(is_british=False)


def sounds(symbols: str) -> str:
    """The sounds without stress, for comparisons that stress does not matter to."""
    return "".join(symbol for symbol in symbols if symbol not in STRESS_MARKS)


def spoken(reader: EnglishReader, text: str) -> str:
    sentences = reader.read(text)
    return sounds(" ".join(word.symbols for words in sentences for word in words))


@pytest.mark.parametrize(
    ("text", "said_like"),
    [
        ("I have 3 apples.", "I have three apples."),
        ("It costs $5.20.", "It costs five dollars and twenty cents."),
        ("That was in 1984.", "That was in nineteen eighty four."),
        ("Dr. Smith is here.", "doctor Smith is here."),
        ("Oh no.", "Oh know."),
        ("It is No. 5.", "It is number five."),
        ("At 9:30 we go.", "At nine thirty we go."),
        ("King Lear and Queen Victoria.", "king Lear and queen Victoria."),
        ("Henry VIII is dead.", "Henry the eighth is dead."),
        ("The part I like.", "The part eye like."),
        ("GET OUT OF MY HOUSE!", "get out of my house!"),
        ("He won 3-2.", "He won three to two."),
        ("Wait -- what?", "Wait — what?"),
    ],
)
def test_dialogue_is_read_as_it_is_meant(reader: EnglishReader, text: str, said_like: str) -> None:
    assert spoken(reader, text) == spoken(reader, said_like)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("NASA", "nˈæsə"),
        ("FBI", "ˌɛfbˌiˈI"),
        ("Say [hibari](/hibˈɑɹi/) now", "sˈA hibˈɑɹi nˈW"),
        ("Wait...", "wˈAt..."),
        ("'Tis true", "tˈɪz tɹˈu"),
    ],
)
def test_words_have_their_sounds(reader: EnglishReader, text: str, symbols: str) -> None:
    (words,) = reader.read(text)
    assert " ".join(word.symbols for word in words) == symbols


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Put the map back, Bob!", ["Put", "the", "map", "back,", "Bob!"]),
        ("At 9:30am, $5.20 for 10 km", ["At", "9:30am,", "$5.20", "for", "10", "km"]),
        ("Tom & Jerry — 50%", ["Tom", "&", "Jerry", "50%"]),
        ("W-what? 🎉 Nooo!", ["W-what?", "Nooo!"]),
        ("a hand-bag—a bag", ["a", "hand-bag", "a", "bag"]),
        ("On Jan. 5th, 2019, in [New York](/nˈu jˈɔɹk/)", ["On", "Jan.", "5th,", "2019,", "in"]),
    ],
)
def test_words_are_kept_as_they_are_written(
    reader: EnglishReader, text: str, written: list[str]
) -> None:
    read = [word for words in reader.read(text) for word in words if word.text]
    assert [word.text for word in read][: len(written)] == written
    assert all(set(word.symbols) & {*VOWEL_LABELS, *CONSONANT_LABELS} for word in read)


def test_sentences_without_a_sound_are_left_out(reader: EnglishReader) -> None:
    assert len(reader.read("No. ... Yes!")) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing to say"),
        ("... —", "nothing to say"),
        ("Hello Привет", "cannot read 'Привет': only Latin letters"),
        ("你好", "only Latin letters"),
        ("9" * 50, "cannot read '9999999.*' aloud"),
        ("[gull](/ʘ/)", "'ʘ' in /ʘ/ is no sound that a voice knows"),
        ("[gull](/ʁ/)", "no voice knows the sound 'ʁ' given for 'gull'"),
    ],
)
def test_what_cannot_be_read_is_refused(reader: EnglishReader, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        reader.read(text)


def test_british_pronunciation_differs(reader: EnglishReader) -> None:
    british = EnglishReader(is_british=True)
    assert spoken(british, "hot water") == "hɒt wɔːtə"
    assert spoken(reader, "hot water") == "hɑt wɔTəɹ"


def words(*symbols: str) -> list[SpokenWord]:
    return [SpokenWord(text=symbol, symbols=symbol) for symbol in symbols]


@pytest.mark.parametrize(
    ("max_symbols", "parts"),
    [
        (100, [["aa,", "bb", "cc;", "dd", "ee"]]),
        (9, [["aa,"], ["bb", "cc;"], ["dd", "ee"]]),
        (10, [["aa,", "bb", "cc;"], ["dd", "ee"]]),
        (5, [["aa,"], ["bb"], ["cc;"], ["dd", "ee"]]),
        (3, [["aa,"], ["bb"], ["cc;"], ["dd"], ["ee"]]),
    ],
)
def test_long_sentences_are_split_at_clauses_then_at_words(
    max_symbols: int, parts: list[list[str]]
) -> None:
    sentence = words("aa,", "bb", "cc;", "dd", "ee")
    found = list(split_reading(sentence, max_symbols))
    assert [[word.symbols for word in part] for part in found] == parts


def test_a_word_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="'bbbb' is too long"):
        list(split_reading(words("a", "bbbb"), 3))
