import pytest

from unitaf.script.lines import LineReader, Reject, ScriptDefaults, ScriptLine
from unitaf.script.ssml import ssml_as_marks


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("a<break/>b", "a [pause 0.5s] b"),
        ('a <break time="300ms"/> b', "a  [pause 300ms]  b"),
        ("a <break time='1.5s'></break> b", "a  [pause 1.5s]  b"),
        ('<break strength="x-strong"/>b', " [pause 1.2s] b"),
        ('<sub alias="doctor">Dr</sub> No', "[Dr](=doctor) No"),
        ('<sub alias="(doctor)">Dr</sub> <sub alias="no"> </sub>', "(doctor) no"),
        ('<phoneme alphabet="ipa" ph="noʊ">No</phoneme>!', "[No](/noʊ/)!"),
        ("<emotion name='sad'>Oh</emotion>.", " [emotion: sad] Oh [emotion] ."),
        ('I <emphasis level="strong">do</emphasis> care', "I [emphasis]do[/emphasis] care"),
        ("<emphasis>Dr <sub alias='x'>X</sub></emphasis>", "[emphasis]Dr [X](=x)[/emphasis]"),
        (
            "<emphasis>a <emphasis>b</emphasis> <emphasis level='none'>c</emphasis></emphasis>",
            "[emphasis]a [emphasis]b[/emphasis] c[/emphasis]",
        ),
        (
            "<emotion name='sad'>I <emphasis>do</emphasis>.</emotion>",
            " [emotion: sad] I [emphasis]do[/emphasis]. [emotion] ",
        ),
        ("<phoneme ph='noʊ'><emphasis>No</emphasis></phoneme>", "[No](/noʊ/)"),
        ("<emphasis level='none'>a</emphasis>", "a"),
        ("<speak><p>Plain.</p></speak>", "<speak><p>Plain.</p></speak>"),
    ],
)
def test_tags_become_marks(text: str, marks: str) -> None:
    assert ssml_as_marks(text) == marks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<break time="soon"/>', "such as 300ms or 1.5s, not 'soon'"),
        ('<break strength="huge"/>', "a break's strength is one of"),
        ("<sub>Dr</sub>", "<sub> needs alias"),
        ("<emphasis level='big'>a</emphasis>", "an emphasis's level is one of"),
        ("<phoneme>No</phoneme>", "<phoneme> needs ph"),
        ('<phoneme alphabet="x-sampa" ph="n">No</phoneme>', "the alphabet ipa, not x-sampa"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ssml_as_marks(text)


def read(text: str) -> ScriptLine | Reject:
    return LineReader({"text": "text"}, ScriptDefaults()).read(1, ["a", text, *[None] * 5])


def test_a_line_keeps_its_marks_and_loses_other_tags_and_directions() -> None:
    line = read(
        '<speak>(softly) Ask <break time="1s"/> <b>Dr</b>. [sighs] [emotion: sad] No!</speak>'
    )
    assert isinstance(line, ScriptLine)
    assert line.utterance.text == "Ask [pause 1s] Dr. [emotion: sad] No!"
    assert line.unspoken == "(softly) [sighs]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[pause 1s]", "there is no text"),
        ("Oh [pause 60s] no.", "longer than 10 s"),
        ("[emotion: hangry] No.", "hangry"),
        ('<break time="soon"/> No.', "not 'soon'"),
    ],
)
def test_a_line_whose_marks_make_no_sense_is_rejected(text: str, reason: str) -> None:
    line = read(text)
    assert isinstance(line, Reject)
    assert reason in line.reason
    assert line.column == "text"
