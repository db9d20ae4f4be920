"""How dialogue is respelled before it is read."""

import pytest

from unitaf.tts.respelling import clean, respell, split_before_names

WORDS = {"get", "out", "of", "my", "house", "now", "it", "us", "no", "so", "good", "god", "what"}


@pytest.mark.parametrize(
    ("written", "respelled"),
    [
        # Shouting is read as words, not as letters; abbreviations stay.
        ("GET OUT OF MY HOUSE NOW!", "get out of my house now!"),
        ("GIVE IT TO US, FBI!", "GIVE it TO us, FBI!"),
        ("That is MY house, says the US.", "That is my house, says the US."),
        ("NASA!", "NASA!"),
        ("MR. FOX, GET OUT!", "Mr. FOX, get out!"),
        # Drawn-out words.
        ("Nooooo! Sooo goood. Whaaat?", "no! so good. what?"),
        ("World War III", "World War III"),
        ("Aaaagle", "Aaaagle"),
        # Sounds.
        ("Shhhh, tsk.", "[Shhhh](/ʃʃː/), [tsk](/tˈɪsk/)."),
        ("'Tis i' the house", "['Tis](/tˈɪz/) [i'](/ɪ/) the house"),
        ("I' faith", "I' faith"),
        # Stutters, but not hyphens.
        ("W-what? Th-th-they!", "[W](/wə/), what? [Th](/ðə/), [th](/ðə/), they!"),
        ("x-ray, T-shirt, re-entry", "x-ray, T-shirt, re-entry"),
        # Full stops that would make an abbreviation or end a number.
        ("Oh no.", "Oh no ."),
        ("No. 5 is alive", "No. 5 is alive"),
        ("Thanks, Jan.", "Thanks, Jan ."),
        ("Call 555-1234.", "Call 555-1234 ."),
        ("Wait!!!!!!", "Wait!!!"),
        ("thou know'st", "thou knowst"),
        # What is given is left alone.
        ("[NOOOO](/nˈO/) NOOOO", "[NOOOO](/nˈO/) no"),
    ],
)
def test_dialogue_is_respelled(written: str, respelled: str) -> None:
    assert respell(written, WORDS.__contains__) == respelled


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("it’s\u200b \x07here", "it's  here"),
        ("wait--what? no ―", "wait — what? no — "),
        ("then–he, 1990–1995", "then — he, 1990–1995"),
        ("two\nlines", "two\nlines"),
        ("cafe\u0301", "café"),
        ("Run! \U0001f44d\U0001f3fd 20°C \u2764\ufe0f", "Run!  20°C "),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("King Lear and Queen Cersei", ["King", "Lear and Queen", "Cersei"]),
        ("the part I love", ["the part", "I love"]),
        ("Tell James I know", ["Tell James", "I know"]),
        ("King I'm not", ["King", "I'm not"]),
        ("Level Complete", ["Level", "Complete"]),
        ("King James I was mad", ["King James I was mad"]),
        ("Henry VIII, Part II of Act I", ["Henry VIII, Part II of Act I"]),
        ("Nothing here", ["Nothing here"]),
    ],
)
def test_names_are_kept_from_numerals(sentence: str, parts: list[str]) -> None:
    assert split_before_names(sentence) == parts
