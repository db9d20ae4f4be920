"""An emphasised word is longer and higher, the others are not, and the words stay the same."""

import numpy as np
import pytest

from unitaf.marks import without_emphasis
from unitaf.tts.emphasis import emphasise, stretches_of
from unitaf.tts.hibari import Hibari
from unitaf.tts.kokoro.engine import Kokoro
from unitaf.tts.kokoro.files import KokoroFiles
from unitaf.tts.reading import SpokenWord
from unitaf.types import Speech, TextToSpeech, Utterance

TEXT = "I never said she stole my money."


def say(tts: TextToSpeech, text: str, language: str = "en") -> Speech:
    (speech,) = tts.synthesize([Utterance("line", text, language)])
    return speech


def measured(speech: Speech) -> dict[str, tuple[float, float]]:
    """The length in seconds and the median pitch in semitones of every word."""
    found = {}
    for word in speech.words:
        ends = [round(time * speech.f0_rate) for time in (word.start_s, word.end_s)]
        f0 = speech.f0[slice(*ends)]
        found[word.text] = (word.end_s - word.start_s, 12 * np.log2(np.median(f0[f0 > 0])))
    return found


@pytest.mark.parametrize("engine", ["hibari", "kokoro"])
@pytest.mark.parametrize("emphasised", ["never", "she", "stole", "money."])
def test_a_word_is_longer_and_higher(
    engine: str, emphasised: str, kokoro_files: KokoroFiles
) -> None:
    tts = Hibari() if engine == "hibari" else Kokoro(kokoro_files, "jf_alpha")
    usual = measured(say(tts, TEXT))
    speech = say(tts, TEXT.replace(emphasised, f"[emphasis]{emphasised}[/emphasis]"))
    moved = measured(speech)
    assert list(moved) == list(usual) == TEXT.split()
    for word, (length_s, semitones) in usual.items():
        longer, higher = moved[word][0] / length_s, moved[word][1] - semitones
        if word == emphasised:
            assert longer > 1.15
            assert 1.5 < higher < 6.0
        else:
            assert 0.85 < longer < 1.15
            assert abs(higher) < 1.5
    assert speech.num_samples / speech.sample_rate == pytest.approx(speech.phones[-1].end_s)


def test_a_text_of_another_script_is_emphasised_too(kokoro_files: KokoroFiles) -> None:
    tts = Kokoro(kokoro_files, "jf_alpha")
    usual = say(tts, "我从来没有说过。", "zh")
    moved = say(tts, "我[emphasis]从来[/emphasis]没有说过。", "zh")
    assert [word.text for word in moved.words] == [word.text for word in usual.words]
    assert measured(moved)["从来"][0] > 1.15 * measured(usual)["从来"][0]


def test_words_are_found_where_they_are_emphasised() -> None:
    text = "No, no [emphasis]no — [Okafor](/oʊ/)'s[/emphasis] no"
    words = [[SpokenWord(w, w) for w in ("No,", "no", "no")], [SpokenWord("", "—")]]
    words += [[SpokenWord("Okafor's", "okˌa"), SpokenWord("no", "nˈɔ")]]
    found = [word for sentence in emphasise(words, text) for word in sentence]
    assert [word.is_emphasised for word in found] == [False, False, True, False, True, False]
    assert (found[2].symbols, found[4].symbols) == ("nˈo", "okˈa")
    assert emphasise(words, without_emphasis(text)) is words
    (toned,) = emphasise([[SpokenWord("你好", "ni↓xaʊ↓")]], "[emphasis]你好[/emphasis]")
    assert toned == [SpokenWord("你好", "ni↓xaʊ↓", is_emphasised=True)]


def test_only_the_symbols_of_emphasised_words_are_stretched() -> None:
    words = [SpokenWord("a", "ab"), SpokenWord("b", "cd", is_emphasised=True)]
    assert stretches_of(words) == pytest.approx([1, 1, 1, 1, 1.3, 1.3, 1])
