import pytest

from unitaf.tts.kokoro.french import French


@pytest.fixture(scope="module")
def french() -> French:
    return French()


def say(french: French, text: str) -> str:
    return " ".join(french.pronounce(text.split()))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("je ne sais pas", "ʒə nə sˈɛ pˈa"),
        ("bonjour monsieur", "bɔ\u0303ʒˈuʁ məsjˈø"),
        ("un petit agneau", "œ\u0303 pətˈit aɲˈo"),
        ("feuille œil nuit oui", "fˈœj ˈœj nɥˈi wˈi"),
        ("l' été qu' est", "l etˈe k ɛ"),
    ],
)
def test_words_have_their_sounds(french: French, text: str, symbols: str) -> None:
    assert say(french, text) == symbols


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("les amis", "lez amˈi"),
        ("les héros", "le eʁˈo"),
        ("les chats", "le ʃˈa"),
        ("deux ans", "dˈøz ˈɑ\u0303"),
        ("six enfants", "sˈiz ɑ\u0303fˈɑ\u0303"),
        ("on a", "ɔ\u0303n a"),
        ("c' est un ami", "s ɛt œ\u0303n amˈi"),
    ],
)
def test_words_are_linked_before_a_vowel(french: French, text: str, symbols: str) -> None:
    assert say(french, text) == symbols


def test_a_word_that_no_dictionary_has_is_guessed(french: French) -> None:
    (said,) = french.pronounce(["brindouillard"])
    assert said.startswith("bʁɛ\u0303d")
