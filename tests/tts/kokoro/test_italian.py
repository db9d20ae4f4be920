import pytest

from unitaf.tts.kokoro.italian import Italian, stressed_letter


@pytest.fixture(scope="module")
def italian() -> Italian:
    return Italian()


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("ciao perché gnocchi", "ʧˈao perkˈe ɲˈɔkːi"),
        ("pizza zero lezione", "pˈiʦːa ʣˈɛro leʦjˈone"),
        ("buono scuola piede", "bwˈɔno skwˈola pjˈɛde"),
        ("quello che hanno", "kwˈelːo ke ˈanːo"),
        ("andarono bellissimo volevano", "andˈarono belːˈisːimo volˈevano"),
        ("quarantadue mio zio", "kwarantadˈue mˈio ʣˈio"),
        ("c' è dov' è", "ʧ ˈɛ dov ˈɛ"),
        ("sono la città", "sˈono la ʧitːˈa"),
    ],
)
def test_words_have_their_sounds(italian: Italian, text: str, symbols: str) -> None:
    assert " ".join(italian.pronounce(text.split())) == symbols


def test_a_word_that_no_dictionary_has_is_read_by_rules(italian: Italian) -> None:
    assert italian.pronounce(["schiaffonza"]) == ["skjafːˈonʦa"]


def test_a_word_without_a_vowel_has_no_stress() -> None:
    assert stressed_letter("sst") is None
