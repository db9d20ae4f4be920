import pytest

from unitaf.tts.kokoro.portuguese import Portuguese


def say(text: str) -> str:
    return " ".join(Portuguese().pronounce(text.split()))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("dia tia gente noite", "ʤˈiɐ ʧˈiɐ ʒˈAnʧi nˈoɪʧi"),
        ("carro rato caro porta", "kˈaxʊ xˈatʊ kˈaɾʊ pˈɔɾtɐ"),
        ("filho banho chuva", "fˈiʎʊ bˈaɲʊ ʃˈuvɐ"),
        ("brasil azul mal", "bɾazˈiʊ azˈuʊ mˈaʊ"),
        ("paz três luz", "pˈas tɾˈes lˈus"),
        ("avó avô céu", "avˈɔ avˈo sˈɛʊ"),
        ("exame caixa táxi", "ezˈami kˈIʃɐ tˈaksi"),
        ("cinquenta quando quem", "siŋkwˈAntɐ kwˈɐ\u0303ndʊ kˈAŋ"),
        ("falaram falar falou", "falˈaɾɐ\u0303ʊ\u0303 falˈaɾ falˈO"),
    ],
)
def test_spelling_says_the_sounds(text: str, symbols: str) -> None:
    assert say(text) == symbols


def test_nasal_vowels_are_taken_apart() -> None:
    assert say("não pães irmã limões") == (
        "nˈɐ\u0303ʊ\u0303 pˈɐ\u0303ɪ\u0303s iɾmˈɐ\u0303 limˈo\u0303ɪ\u0303s"
    )
