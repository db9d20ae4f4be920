import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.errors import ConfigError
from unitaf.script.columns import ROLES
from unitaf.script.lines import LineReader, Reject, ScriptDefaults, ScriptLine
from unitaf.types import EMOTIONS, NEUTRAL, Utterance

NAMES = {role: role.title() for role in ROLES}


def read(defaults=None, **fields) -> ScriptLine | Reject:
    values = {"line_id": "a", "text": "Hello."} | fields
    reader = LineReader(NAMES, defaults or ScriptDefaults())
    return reader.read(7, [values.get(role) for role in ROLES])


def utterance(defaults=None, **fields) -> Utterance:
    line = read(defaults, **fields)
    assert isinstance(line, ScriptLine), line
    return line.utterance


def emotion(**strengths: float) -> tuple[float, ...]:
    return tuple(strengths.get(name, 0.0) for name in EMOTIONS)


def test_a_full_line():
    line = read(
        line_id=" x_1 ", text=" Hi! ", speaker="Ann ", language="pt_br", emotion="sad:0.3", seed="5"
    )
    assert line == ScriptLine(7, Utterance("x_1", "Hi!", "pt-BR", "Ann", emotion(sad=0.3), 5))


@pytest.mark.parametrize("empty", [None, "", "  ", float("nan")])
def test_what_the_script_leaves_out_comes_from_the_defaults(empty):
    defaults = ScriptDefaults(language="fr_ca", seed=3, speaker="narrator")
    line = utterance(defaults, speaker=empty, language=empty, emotion=empty, seed=empty)
    assert line == Utterance("a", "Hello.", "fr-CA", "narrator", NEUTRAL, 3)


def test_a_default_language_that_is_no_tag_is_a_config_error():
    with pytest.raises(ConfigError, match="default language 'English' is not a language tag"):
        LineReader(NAMES, ScriptDefaults(language="English"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("one\ntwo", "one two"),
        ("one\r\n\ttwo", "one two"),
        ("Quoi\N{NO-BREAK SPACE}?", "Quoi ?"),
        ("caf" + "e\N{COMBINING ACUTE ACCENT}", "café"),
        ("DON'T “shout”…", "DON'T “shout”…"),
        ("می\N{ZERO WIDTH NON-JOINER}خواهم", "می\N{ZERO WIDTH NON-JOINER}خواهم"),
        ("日本語。", "日本語。"),
        ("7", "7"),
        ("¾", "¾"),
    ],
)
def test_text_is_normalised_and_nothing_more(written, said):
    assert utterance(text=written).text == said


@given(st.text(string.ascii_letters + "!?.,;:-_'\")/&éßя語 ", min_size=1))
def test_printable_text_arrives_but_for_its_spacing(text):
    line = read(text=text)
    if any(character.isalnum() for character in text):
        assert line.utterance.text.replace(" ", "") == text.replace(" ", "")
    else:
        assert line.column == "Text"


@given(st.text())
def test_no_text_whatever_raises(text):
    fields = dict.fromkeys(ROLES, text)
    assert isinstance(read(**fields), ScriptLine | Reject)


@pytest.mark.parametrize(
    ("value", "line_id"), [(12, "12"), ("007", "007"), ("scene 1/x*?.wav", "scene 1/x*?.wav")]
)
def test_ids_are_free(value, line_id):
    assert utterance(line_id=value).id == line_id


@pytest.mark.parametrize(
    ("value", "seed"),
    [(0, 0), (5.0, 5), ("5", 5), (" 5 ", 5), ("5.0", 5), (2**63 - 1, 2**63 - 1),
     (str(2**63 - 1), 2**63 - 1)],
)  # fmt: skip
def test_seeds_are_whole_numbers(value, seed):
    assert utterance(seed=value).seed == seed


@pytest.mark.parametrize(
    "value",
    ["happy:0.5, sad:0.2", {"happy": 0.5, "sad": 0.2}, {"happy": 0.5, "sad": 0.2, "calm": None},
     [0.5, 0, 0.2, 0, 0, 0, 0, 0], json.dumps({"happy": 0.5, "sad": 0.2})],
)  # fmt: skip
def test_an_emotion_may_be_words_an_object_or_eight_numbers(value):
    assert utterance(emotion=value).emotion == emotion(happy=0.5, sad=0.2)


@pytest.mark.parametrize(
    ("fields", "column", "reason"),
    [
        ({"line_id": None}, "Line_Id", "there is no line_id"),
        ({"line_id": "  "}, "Line_Id", "there is no line_id"),
        ({"line_id": "a\tb"}, "Line_Id", "the line_id has the control character U+0009"),
        ({"line_id": "x" * 201}, "Line_Id", "the line_id has 201 characters; at most 200"),
        ({"line_id": 1.5}, "Line_Id", "the line_id must be text, not a number"),
        ({"line_id": True}, "Line_Id", "the line_id must be text, not true or false"),
        ({"text": None}, "Text", "there is no text"),
        ({"text": " \n "}, "Text", "there is no text"),
        ({"text": "...?!"}, "Text", "the text '...?!' has no letter or digit to speak"),
        ({"text": "—"}, "Text", "has no letter or digit"),
        ({"text": "_"}, "Text", "has no letter or digit"),
        ({"text": "a" * 20_000}, "Text", "the text has 20000 characters; at most 5000"),
        ({"text": "a\x00b"}, "Text", "the text has the control character U+0000"),
        ({"text": "a\x1bb"}, "Text", "the text has the control character U+001B"),
        ({"text": "wait\x85"}, "Text", "the text has the control character U+0085"),
        ({"text": "a\ud800"}, "Text", "the text has the control character U+D800"),
        ({"text": "caf\ufffd"}, "Text", "U+FFFD, left where a character was lost"),
        ({"text": "#NAME?"}, "Text", "the text is the spreadsheet error #NAME?"),
        ({"text": 5}, "Text", "the text must be text, not a number"),
        ({"text": ["a"]}, "Text", "the text must be text, not a list"),
        ({"text": {"a": 1}}, "Text", "the text must be text, not an object"),
        ({"text": b"a"}, "Text", "the text must be text, not bytes"),
        ({"language": "English"}, "Language", "'English' is not a language tag"),
        ({"language": 5}, "Language", "the language must be text, not a number"),
        ({"speaker": "a\nb"}, "Speaker", "the speaker has the control character U+000A"),
        ({"speaker": "x" * 300}, "Speaker", "the speaker has 300 characters"),
        ({"emotion": "grumpy"}, "Emotion", "unknown emotion 'grumpy'"),
        ({"emotion": "angry:2"}, "Emotion", "between 0 and 1, not 2"),
        ({"emotion": [1, 2]}, "Emotion", "an emotion has 8 numbers, not 2"),
        ({"emotion": 0.5}, "Emotion", "the emotion must be text, not a number"),
        ({"emotion": "[" * 100_000}, "Emotion", "the emotion has 100000 characters"),
        ({"seed": "-1"}, "Seed", "whole number from 0 to 2^63-1, not '-1'"),
        ({"seed": 2**63}, "Seed", "whole number from 0 to 2^63-1"),
        ({"seed": 10**320}, "Seed", "whole number from 0 to 2^63-1"),
        ({"seed": 1.5}, "Seed", "not 1.5"),
        ({"seed": float("inf")}, "Seed", "not inf"),
        ({"seed": "five"}, "Seed", "not 'five'"),
        ({"seed": True}, "Seed", "not True"),
        ({"seed": [1]}, "Seed", "not [1]"),
    ],
)  # fmt: skip
def test_a_bad_field_rejects_the_line_with_column_and_reason(fields, column, reason):
    reject = read(**fields)
    assert isinstance(reject, Reject)
    assert (reject.row, reject.column) == (7, column)
    assert reason in reject.reason
    assert reject.line_id == ("" if "line_id" in fields else "a")


def test_the_longest_text_is_the_jobs_to_set():
    assert utterance(ScriptDefaults(max_characters=3), text="  abc  ").text == "abc"
    assert isinstance(read(ScriptDefaults(max_characters=3), text="abcd"), Reject)


@pytest.mark.parametrize(
    ("written", "seconds"), [("2.5", 2.5), ("2,5", 2.5), (3, 3.0), (" ", None)]
)
def test_a_target_is_seconds(written, seconds):
    assert utterance(target_s=written).target_s == seconds


@pytest.mark.parametrize("written", ["soon", "0", "-1", "nan", "inf", True, "1:30", 601])
def test_a_target_that_is_no_time_is_rejected(written):
    reject = read(target_s=written)
    assert isinstance(reject, Reject)
    assert reject.column == "Target_S"
    assert "the target must be seconds" in reject.reason
