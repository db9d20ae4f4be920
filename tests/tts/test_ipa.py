import pytest

from unitaf.face.phones import postures
from unitaf.tts.kokoro.reading import LineReader
from unitaf.tts.misaki import english_symbols, symbols_of_ipa
from unitaf.tts.reading import EnglishReader


@pytest.mark.parametrize(
    ("ipa", "symbols"),
    [
        ("oʊˈkɑːfɔː", "Okˈɑːfɔː"),
        ("ˈtʃɪldrən", "ʧˈɪldrən"),
        ("t͡ʃɪp", "ʧɪp"),
        ("ʁɛ̃s", "ʁɛ̃s"),
        ("ˌɪn.təˈnæʃ.ə.nəl", "ˌɪntənˈæʃənəl"),
        ("'gi:", "ɡˈiː"),
        ("Okˈɑfɔ", "Okˈɑfɔ"),
    ],
)
def test_ipa_is_read_sound_by_sound(ipa: str, symbols: str) -> None:
    assert symbols_of_ipa(ipa) == symbols


def test_english_voices_get_their_own_sounds() -> None:
    assert english_symbols("ˈrɛd") == "ɹˈɛd"


@pytest.mark.parametrize("ipa", ["b√p", "", "ˈ", "ʘ"])
def test_what_is_no_sound_is_refused(ipa: str) -> None:
    with pytest.raises(ValueError, match="no sound"):
        symbols_of_ipa(ipa)


def test_marks_are_obeyed_in_every_language() -> None:
    (english,) = EnglishReader(is_british=False).read("Tell [Okafor](/oʊˈkɑːfɔː/), now.")
    assert [word.symbols for word in english][1] == "Okˈɑːfɔː,"
    reader = LineReader()
    for text, language, word, symbols in [
        ("Tell [Theta](/θiːtə/)!", "en", "Theta!", "θiːtə!"),
        ("Nous allons à [Reims](/ʁɛ̃s/), demain.", "fr", "Reims,", "ʁɛ̃s,"),
        ("[東京](/toːkjoː/)に行きます。", "ja", "東京", "toːkjoː"),
    ]:
        (words,) = reader.read(text, language)
        assert symbols in [spoken.symbols for spoken in words if spoken.text == word]


def test_every_sound_has_a_face() -> None:
    for label in ("θ", "oʊ", "ɛ̃", "ʁ", "tʃ", "ɥ"):
        assert postures(label)
