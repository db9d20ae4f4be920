import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitaf.script.lines import LineReader, Reject, ScriptDefaults, ScriptLine
from unitaf.script.markup import Markup, MarkupRules, Spoken

MARKUP = Markup(
    MarkupRules({"name": "Ada", "%s": "Bob", "{0}": "three", "heroName": "Cy", "[hero]": "Cy"})
)


@pytest.mark.parametrize(
    ("written", "text", "unspoken"),
    [
        ("I <3 you, 5 < 6.", "I <3 you, 5 < 6.", ""),
        ("Say <b>it</b> <color=red>now</color>!", "Say it now!", ""),
        ("One<br/>two", "One two", ""),
        ("[em1]Never[/em1] that, **not** that.", "Never that, [emphasis]not[/emphasis] that.", ""),
        ("(whispers) Come here.", "Come here.", "(whispers)"),
        ("Well, (sighs) fine. *laughs*", "Well, fine.", "(sighs) *laughs*"),
        ("(laughs), fine... (sighs)", "fine...", "(laughs) (sighs)"),
        ("*nods* (softly)(sadly) Yes", "Yes", "*nods* (softly)(sadly)"),
        ("“(rire) Quoi ?”", "“Quoi ?”", "(rire)"),
        ("He (or she) is (nearly) right.", "He (or she) is (nearly) right.", ""),
        ("I *do* care, 2*3*4 times.", "I [emphasis]do[/emphasis] care, 2*3*4 times.", ""),
        ("**(laughs)** Hello", "Hello", "(laughs)"),
        ("Well. **(to Ann)** Go.", "Well. Go.", "(to Ann)"),
        ("**No!** (beat) Yes.", "[emphasis]No![/emphasis] Yes.", "(beat)"),
        ("**Stop.** *sighs* Go on.", "[emphasis]Stop.[/emphasis] Go on.", "*sighs*"),
        ("**No! (beat)** Yes.", "[emphasis]No![/emphasis] Yes.", "(beat)"),
        ("**(beat) No!** Yes.", "[emphasis]No![/emphasis] Yes.", "(beat)"),
        ("**(beat), no!** Yes.", "[emphasis]no![/emphasis] Yes.", "(beat)"),
        ("(softly) **No!** Yes.", "[emphasis]No![/emphasis] Yes.", "(softly)"),
        (
            "I was **[laughs]** so *tired.* (sighs)",
            "I was so [emphasis]tired.[/emphasis]",
            "[laughs] (sighs)",
        ),
        ("“**(rire)** Quoi ?”", "“Quoi ?”", "(rire)"),
        ("(he says **no**) Go.", "Go.", "(he says no)"),
        ("(he **says) no** Go.", "[emphasis]no[/emphasis] Go.", "(he says)"),
        ("**He** (or she) may.", "[emphasis]He[/emphasis] (or she) may.", ""),
        ("[Dr](=doctor) No", "[Dr](=doctor) No", ""),
        ("[emphasis]Now[ /Emphasis ]!", "[emphasis]Now[ /Emphasis ]!", ""),
        ("I was [laughs] so tired.", "I was so tired.", "[laughs]"),
        ("Your file(s).", "Your file(s).", ""),
        ("[door [loud] slams] Who?", "Who?", "[door [loud] slams]"),
        ("（小声）你好。", "你好。", "（小声）"),
        ("Hi {name}, ${name} and {{name}}!", "Hi Ada, Ada and Ada!", ""),
        ("Hi %s, %(name)s, [var=name].", "Hi Bob, Ada, Ada.", ""),
        ("[heroName] and %name%, [hero].", "Cy and Ada, Cy.", ""),
        ("{0} of {0}, 100 %% and 50% more", "three of three, 100 % and 50% more", ""),
        ("(waves at {nobody}) Hi.", "Hi.", "(waves at {nobody})"),
        ("3 * 4 * 5", "3 * 4 * 5", ""),
        ("[pause] (sighs) Fine.", "[pause] Fine.", "(sighs)"),
        ("Hi. [pause 1s] (sighs), well.", "Hi. [pause 1s] well.", "(sighs)"),
        ("[emotion: sad](sighs) *nods* Fine.", "[emotion: sad] Fine.", "(sighs) *nods*"),
        ("Well, [Pause 1s][emotion] (sighs) go.", "Well, [Pause 1s][emotion] go.", "(sighs)"),
        ("Go. (a) [pause] (b) [pause] (c).", "Go. [pause] [pause]", "(a) (b) (c)"),
        ("[pause] (laughs), **so**...", "[pause] [emphasis]so[/emphasis]...", "(laughs)"),
        ("“[pause] (rire) Quoi ?”", "“[pause] Quoi ?”", "(rire)"),
        (
            "**No!** [pause] **(beat)** Yes.",
            "[emphasis]No![/emphasis] [pause] Yes.",
            "(beat)",
        ),
        (
            "**No! [pause] (beat)** Yes.",
            "[emphasis]No! [pause][/emphasis] Yes.",
            "(beat)",
        ),
        ("He [pause] (or she) may.", "He [pause] (or she) may.", ""),
        ("It is [pause] *hers*.", "It is [pause] [emphasis]hers[/emphasis].", ""),
    ],
)
def test_the_rule(written, text, unspoken):
    assert MARKUP.read(written) == Spoken(text, unspoken)


@pytest.mark.parametrize(
    "placeholder",
    [
        "{player}",
        "{1:N2}",
        "{n, plural, one {a} other {b}}",
        "%d",
        "%2$s",
        "%HERO%",
        "[lua(x)]",
        "[PlayerName]",
    ],
)
def test_a_placeholder_without_a_spoken_form_is_named(placeholder):
    with pytest.raises(ValueError, match="has no spoken form") as caught:
        MARKUP.read(f"I have {placeholder}.")
    assert placeholder in str(caught.value)


def test_only_the_chosen_marks_are_directions():
    read = Markup(MarkupRules(directions=frozenset({"brackets"}))).read
    assert read("[laughs] It was (nearly) free.") == Spoken("It was (nearly) free.", "[laughs]")
    assert Markup(MarkupRules(directions=frozenset())).read("(so)") == Spoken("(so)", "")


def test_an_unknown_mark_is_refused():
    with pytest.raises(ValueError, match="quotes"):
        Markup(MarkupRules(directions=frozenset({"quotes"})))


def test_a_line_knows_what_is_not_spoken_and_a_reject_names_the_placeholder():
    reader = LineReader(dict.fromkeys(["text"], "Dialogue"), ScriptDefaults())
    line = reader.read(1, ["a", "(softly) Go\non.", *[None] * 5])
    assert isinstance(line, ScriptLine)
    assert (line.utterance.text, line.unspoken) == ("Go on.", "(softly)")
    reject = reader.read(2, ["a", "Hi {you}.", *[None] * 5])
    assert isinstance(reject, Reject)
    assert (reject.column, "{you}" in reject.reason) == ("Dialogue", True)
    only = reader.read(3, ["a", "*laughs*", *[None] * 5])
    assert isinstance(only, Reject)
    assert only.reason == "nothing is spoken besides the direction *laughs*"


@given(st.text("ab ,.()[]*<>{}%s$/=!", max_size=30))
def test_what_is_spoken_has_no_directions_or_tags_left(text):
    try:
        spoken = MARKUP.read(" ".join(text.split()))
        again = MARKUP.read(spoken.text)
    except ValueError:
        return
    assert again.unspoken == ""


@given(st.text(st.characters(exclude_characters="<{([*%（【［"), max_size=40))
def test_a_text_without_marks_is_not_changed(text):
    assert MARKUP.read(text) == Spoken(text, "")


@given(
    st.lists(st.text("abc", min_size=1, max_size=4).map(str.capitalize), min_size=1, max_size=5),
    st.lists(st.sampled_from(["[pause]", "[pause 1s]", "[emotion: sad]"]), max_size=2),
    st.sampled_from(["(x)", "[x]", "*x*", "<i>", "(x (y) z)", "*x* (y)"]),
    st.data(),
)
def test_the_spoken_text_does_not_depend_on_directions(sentences, turns, mark, data):
    place = data.draw(st.integers(0, len(sentences)))
    ended = [f"{sentence}." for sentence in sentences]
    marked = " ".join([*ended[:place], *turns, mark, *ended[place:]])
    assert MARKUP.read(marked).text == " ".join([*ended[:place], *turns, *ended[place:]])


def test_a_word_with_its_sounds_is_kept():
    text = "Ask [Okafor](/oʊˈkɑːfɔː/) first."
    assert MARKUP.read(text) == Spoken(text, "")
    assert MARKUP.read(f"(softly) {text}") == Spoken(text, "(softly)")
