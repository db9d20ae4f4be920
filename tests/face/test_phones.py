import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf.face.phones import CONSONANTS, REST, Posture, postures
from unitaf.tts.misaki import (
    CONSONANT_LABELS,
    MODIFIERS,
    OTHER_CONSONANT_LABELS,
    OTHER_VOWEL_LABELS,
    PHONES,
    VOWEL_LABELS,
)

INVENTORIES = {
    "en": " ".join(PHONES),
    "es": "a e i o u p b t d k ɡ m n ɲ ŋ f θ s x β ð ɣ tʃ ʝ l ʎ ɾ r j w ai̯ ei̯ oi̯ au̯ eu̯",
    "fr": "a ɑ e ɛ ə i o ɔ u y ø œ ɑ̃ ɛ̃ ɔ̃ œ̃ p b t d k ɡ m n ɲ ŋ f v s z ʃ ʒ ʁ l j w ɥ",
    "it": "a e ɛ i o ɔ u p b t d k ɡ m ɱ n ɲ ŋ f v s z ʃ ts dz tʃ dʒ r l ʎ j w pː tːs",
    "pt": "a ɐ e ɛ i o ɔ u ɐ̃ ẽ ĩ õ ũ ɐ̃w̃ p b t d k ɡ m n ɲ f v s z ʃ ʒ ɾ ʁ h l ɫ ʎ tʃ dʒ j w",
    "ja": "a i ɯ ɯᵝ ɨᵝ e o aː p b t d k ɡ m n ɲ ŋ ɴ s z ɕ ʑ ts dz tɕ dʑ ʨ ʥ ɸ ç h ɾ j w ɰᵝ",
    "zh": "a i u y o ɤ ə ɚ ɑ ɛ ɿ ʅ ai̯ ei̯ au̯ ou̯ p pʰ t tʰ k kʰ m n ŋ f s ɕ ʂ x ʐ ɻ l ts tsʰ tɕ "
    "tɕʰ ʈʂ ʈʂʰ ꭧ ʦ a˥ i˧˥ u˨˩˦ o˥˩ a1 w j ɥ",
    "de": "a aː e eː ɛ ɛː ə ɐ i ɪ o ɔ u ʊ y ʏ ø œ aɪ̯ aʊ̯ ɔʏ̯ p b t d k ɡ m n ŋ f v s z ʃ ʒ ç x h "
    "ʁ l j pf ts tʃ ʔ n̩ ɐ̯",
    "ru": "a e i o u ɨ ə ɐ ɪ ʊ ʉ ɵ æ p pʲ b bʲ t tʲ d dʲ k kʲ ɡ m mʲ n nʲ f fʲ v s sʲ z ʂ ʐ ɕː ʑː "
    "x xʲ ts tɕ r rʲ ɫ lʲ j",
    "pl": "a ɛ ɔ i ɨ u ɛ̃ ɔ̃ w̃ p b t d k ɡ c ɟ m n ɲ ŋ f v s z ʂ ʐ ɕ ʑ x ts dz tʂ dʐ tɕ dʑ t͡ʂ d͡ʑ "
    "r l w j",
    "ko": "a e ɛ i o u ʌ ɯ ø wi ɰi p pʰ p͈ t tʰ t͈ k kʰ k͈ m n ŋ s s͈ h tɕ tɕʰ t͈ɕ ɾ l j w",
    "hi": "ə aː ɪ iː ʊ uː eː ɛː oː ɔː ã p pʰ b bʱ t̪ t̪ʰ d̪ d̪ʱ ʈ ʈʰ ɖ ɖʱ k kʰ ɡ ɡʱ m n ɳ ŋ tʃ tʃʰ "
    "dʒ dʒʱ f s ʂ ʃ z h ɦ r ɽ ɽʱ l j ʋ",
}


VOWELS = sorted({*VOWEL_LABELS.values(), *OTHER_VOWEL_LABELS.values()})
CONSONANTS_OF_VOICES = sorted({*CONSONANT_LABELS.values(), *OTHER_CONSONANT_LABELS.values()})


@pytest.mark.parametrize("mark", ["", *sorted(MODIFIERS)])
def test_knows_every_sound_that_a_voice_can_be_asked_for(mark: str) -> None:
    for label in VOWELS:
        assert all(p.is_vowel for p in postures(label + mark)), label
    for label in CONSONANTS_OF_VOICES:
        found = postures(label + mark)
        assert not any(posture.is_vowel for posture in found), label
        assert any(posture.close == 1.0 for posture in found) == (label in "pbm"), label
        assert any(posture.bite == 1.0 for posture in found) == (label in "fv"), label


@pytest.mark.parametrize("language", INVENTORIES)
def test_knows_the_sounds_of_every_language(language: str) -> None:
    for label in INVENTORIES[language].split():
        closes = any(letter in "pbmɓ" for letter in label)
        bites = any(letter in "fvɱ" for letter in label)
        assert any(posture.close == 1.0 for posture in postures(label)) == closes, label
        assert any(posture.bite == 1.0 for posture in postures(label)) == bites, label


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("aː", "a"), ("a:", "a"), ("ã", "a"), ("n̩", "n"), ("t̪", "t"), ("pʰ", "p"), ("a˥˩", "a"),
        ("ˈa", "a"), ("tʼ", "t"), ("t͡ʃ", "tʃ"), ("ʧ", "tʃ"), ("ʤ", "dʒ"), ("ʦ", "ts"), ("ꭧ", "tʂ"),
        ("g", "ɡ"), ("ᵻ", "ɪ"), ("ᵊ", "ə"), ("e5", "e"), ("ʁ̞", "ʁ"), ("l̴", "l"), ("ɛ̃ː", "ɛ"),
    ],
)  # fmt: skip
def test_drops_what_does_not_show(label: str, plain: str) -> None:
    assert postures(label) == postures(plain)
    assert postures(unicodedata.normalize("NFD", label)) == postures(plain)


def test_reads_composed_letters_that_are_sounds_of_their_own() -> None:
    for form in ("NFC", "NFD"):
        (posture,) = postures(unicodedata.normalize(form, "ç"))
        assert posture.viseme == "palatal"


@pytest.mark.parametrize("label", ["你", "˥", "5", "!", "ʰ", " ", "ж", "ł"])
def test_refuses_what_is_not_ipa(label: str) -> None:
    with pytest.raises(ValueError, match="International Phonetic Alphabet"):
        postures(label)


@settings(deadline=None)
@given(st.text(max_size=6))
def test_every_label_is_refused_or_gives_postures_in_range(label: str) -> None:
    try:
        found = postures(label)
    except ValueError:
        return
    for posture in found:
        weights = (
            posture.jaw, posture.lower_lip, posture.upper_lip, posture.spread, posture.pucker,
            posture.funnel, posture.tongue, posture.forward, posture.close, posture.bite,
        )  # fmt: skip
        assert all(0.0 <= weight <= 1.0 for weight in weights)
        assert posture.jaw_dominance > 0.0
        assert posture.lip_dominance > 0.0


def test_a_pause_is_rest() -> None:
    assert postures("") == (REST,)


def test_diphthongs_and_affricates_are_sequences() -> None:
    assert [p.viseme for p in postures("tʃ")] == ["alveolar", "postalveolar"]
    first, second = postures("aɪ")
    assert first.jaw > second.jaw


def test_no_letter_stands_in_two_classes() -> None:
    letters = "".join(letters for letters, _ in CONSONANTS.values())
    assert len(set(letters)) == len(letters)


def only(label: str) -> Posture:
    (posture,) = postures(label)
    return posture


def test_open_vowels_lower_the_jaw() -> None:
    heights = [only(vowel).jaw for vowel in "ieɛæa"]
    assert heights == sorted(heights)
    assert heights[-1] > heights[0] + 0.25


def test_round_vowels_round_and_front_vowels_spread() -> None:
    assert only("u").pucker > only("o").pucker > only("ɔ").pucker > only("ɑ").pucker == 0.0
    assert only("y").pucker > 0.5 > only("i").pucker == 0.0
    assert only("i").spread > only("ɨ").spread > only("u").spread == 0.0
    assert only("ɯᵝ").pucker > only("ɯ").pucker


def test_marks_that_show_bend_the_posture() -> None:
    assert only("kʷ").pucker > 0.4 > only("k").pucker
    assert only("tʲ").spread > only("t").spread
    assert only("ɚ").pucker > only("ə").pucker


def test_the_tongue_rules_neither_lips_nor_rounding() -> None:
    for label in "tdnlkɡŋh":
        assert only(label).lip_dominance < 0.3 * only("u").lip_dominance
    assert only("s").jaw_dominance > only("a").jaw_dominance
    assert only("θ").tongue > 0.0
    assert only("t").tongue == 0.0
