import pytest

from unitaf.tts.kokoro.spanish import Spanish, stressed_letter


def say(text: str, is_american: bool = False) -> str:
    return " ".join(Spanish(is_american).pronounce(text.split()))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("hola dónde está el señor", "ˈola dˈonde estˈa el seɲˈoɾ"),
        ("guerra pingüino vergüenza", "ɡˈera piŋɡwˈino beɾɣwˈenθa"),
        ("calle yo rey muy y", "kˈaʎe ʝˈo rˈA mˈuj i"),
        ("ciudad viento cuando país", "θjuðˈað bjˈento kwˈando paˈis"),
        ("causa aire deuda", "kˈWsa ˈIɾe dˈeʊða"),
        ("también un beso digo", "tambjˈen un bˈeso dˈiɣo"),
        ("ángel general reloj", "ˈaŋxel xeneɾˈal relˈox"),
        ("méxico taxi", "mˈexiko tˈaksi"),
        ("quién hueso hierba", "kjˈen wˈeso jˈeɾβa"),
    ],
)
def test_spelling_says_the_sounds(text: str, symbols: str) -> None:
    assert say(text) == symbols


def test_america_has_no_theta() -> None:
    assert say("zapato llave cinco", is_american=True) == "sapˈato ʝˈaβe sˈiŋko"


@pytest.mark.parametrize(
    ("word", "letter"),
    [("canción", "ó"), ("hablan", "a"), ("hablar", "a"), ("farmacia", "a"), ("mediodía", "í")],
)
def test_stress_is_where_the_spelling_puts_it(word: str, letter: str) -> None:
    at = stressed_letter(word)
    assert at is not None
    assert word[at] == letter


def test_a_word_without_a_vowel_has_no_stress() -> None:
    assert stressed_letter("pst") is None
