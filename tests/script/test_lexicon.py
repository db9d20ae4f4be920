import openpyxl
import pytest

from unitaf.errors import ConfigError
from unitaf.script.lexicon import Lexicon, LexiconEntry, Located, read_lexicon


def lexicon(*entries: dict[str, str]) -> Lexicon:
    return Lexicon([Located(LexiconEntry(**e), f"l, line {i}") for i, e in enumerate(entries)])


def said(text, *entries, language="en", speaker="Ann", reads_ipa=True):
    return lexicon(*entries).apply(text, language, speaker, reads_ipa=reads_ipa)


def test_words_are_found_whole_whatever_their_case():
    entry = {"word": "hq", "say": "headquarters"}
    assert said("HQ to hq: HQS, ahq, HQ-2, 'Hq'!", entry) == (
        "headquarters to headquarters: HQS, ahq, headquarters-2, 'headquarters'!"
    )
    assert said("Polish polish", {"word": "Polish", "say": "Pole-ish", "case": "exact"}) == (
        "Pole-ish polish"
    )


def test_sounds_become_marks_for_engines_that_read_them():
    entry = {"word": "Okafor", "ipa": "oʊˈkɑːfɔː", "say": "Oh-kah-for"}
    assert said("OKAFOR's here.", entry) == "[OKAFOR](/oʊˈkɑːfɔː/)'s here."
    assert said("Okafor!", entry, reads_ipa=False) == "Oh-kah-for!"
    assert said("Okafor!", {"word": "Okafor", "ipa": "o"}, reads_ipa=False) == "Okafor!"


def test_the_longest_then_the_most_special_entry_counts():
    entries = [
        {"word": "New York", "say": "Noo York"},
        {"word": "York", "say": "Yawk"},
        {"word": "York", "say": "Jork", "language": "de"},
        {"word": "York", "say": "Yorick", "speaker": "Ann"},
        {"word": "York", "say": "Yark", "language": "en-GB"},
    ]
    assert said("New  York, York", *entries, speaker="Ben") == "Noo York, Yawk"
    assert said("York", *entries, speaker="Ben", language="de-AT") == "Jork"
    assert said("York", *entries, speaker="Ben", language="en-GB") == "Yark"
    assert said("York", *entries, language="en-GB") == "Yorick"


def test_scripts_without_spaces_have_words_without_edges():
    assert said("東京都は広い。", {"word": "東京", "ipa": "toːkjoː"}, language="ja") == (
        "[東京](/toːkjoː/)都は広い。"
    )


def test_a_marked_word_is_left_alone():
    entry = {"word": "Okafor", "say": "x"}
    text = "[Okafor](/oʊ/) and Okafor"
    assert said(text, entry) == "[Okafor](/oʊ/) and x"
    assert said(text, entry, reads_ipa=False) == "x and x"
    assert said(text, reads_ipa=False) == "Okafor and Okafor"
    assert said(text) == text


def test_emphasised_words_are_found_and_engines_without_emphasis_do_not_see_it():
    text, entry = "Call [emphasis]HQ[/emphasis] now", {"word": "hq", "say": "headquarters"}
    assert said(text, entry) == "Call [emphasis]headquarters[/emphasis] now"
    assert said(text, entry, reads_ipa=False) == "Call headquarters now"
    assert said(text, reads_ipa=False) == "Call HQ now"


def test_phrases_are_found_across_emphasis():
    entry = {"word": "New York", "ipa": "n", "say": "Noo York"}
    sounds = "[emphasis][new York](/n/)[/emphasis] [emphasis]now[/emphasis]"
    assert said("new [emphasis]York[/emphasis] [emphasis]now[/emphasis]", entry) == sounds
    assert said("[emphasis]new[/emphasis] York [emphasis]now[/emphasis]", entry) == sounds
    assert said("[emphasis]a new[/emphasis] [Emphasis]York b[/emphasis]", entry) == (
        "[emphasis]a [Emphasis][new York](/n/)[/emphasis] b[/emphasis]"
    )
    exact = {"word": "New York", "ipa": "n", "case": "exact"}
    assert said("New [Emphasis] York[/emphasis]", exact) == (
        "[Emphasis][New  York](/n/)[/emphasis]"
    )
    text, spelt = "new [emphasis]York[/emphasis]!", {"word": "New York", "say": "Noo York"}
    assert said(text, spelt) == "[emphasis]Noo York[/emphasis]!"
    assert said(text, entry, reads_ipa=False) == "Noo York!"


def test_marks_are_no_words():
    entries = [{"word": word, "say": "x"} for word in ("emphasis", "pause", "sad", "oʊ")]
    text = "[emphasis]a[/emphasis] [pause 1s] [emotion: sad] [No](/oʊ/)"
    assert said(text, *entries) == text
    assert said(f"{text} emphasis, sad", *entries) == f"{text} x, x"


def test_respellings_in_a_text_are_said_and_not_read_again():
    text, entry = "Ask [HQ](=doctor HQ), HQ!", {"word": "HQ", "say": "headquarters"}
    assert said(text, entry) == "Ask doctor HQ, headquarters!"
    assert said(text) == said(text, reads_ipa=False) == "Ask doctor HQ, HQ!"


def test_what_is_said_is_not_read_again():
    assert said("a b", {"word": "a", "say": "b"}, {"word": "b", "say": "c"}) == "b c"


def yaml_file(folder):
    path = folder / "l.yaml"
    path.write_text("- {word: no, say: nope, language: pt_br}\n- word: HQ\n  ipa: eɪ\n")
    return path


def csv_file(folder):
    path = folder / "l.csv"
    path.write_text("word,say,language,ipa\nno,nope,pt_br,\nHQ,,,eɪ\n", encoding="utf-8-sig")
    return path


def xlsx_file(folder):
    book = openpyxl.Workbook()
    for row in (
        ["Word", "Say", "Language", "IPA"],
        ["no", "nope", "pt_br"],
        ["HQ", None, None, "eɪ"],
    ):
        book.active.append(row)
    book.save(folder / "l.xlsx")
    return folder / "l.xlsx"


@pytest.mark.parametrize("write", [yaml_file, csv_file, xlsx_file])
def test_every_format_says_the_same(tmp_path, write):
    entries = [located.entry for located in read_lexicon([write(tmp_path)]).entries]
    assert entries == [
        LexiconEntry(word="no", say="nope", language="pt-BR"),
        LexiconEntry(word="HQ", ipa="eɪ"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.yaml", "- {word: HQ}\n", "line 1: 'HQ' has neither say nor ipa"),
        (
            "l.yaml",
            "- {word: HQ, say: x}\n- {word: hq, say: y}\n",
            "line 2: 'hq' is in .*line 1 al",
        ),
        ("l.yaml", "- {word: HQ, sai: x}\n", "line 1: there is no setting 'sai'"),
        ("l.yaml", "- {word: HQ, say: x, language: klingonish}\n", "line 1: 'klingonish' is not"),
        ("l.yaml", "HQ: headquarters\n", "must hold a list"),
        ("l.yaml", "- HQ\n", "line 1: an entry looks like"),
        ("l.yaml", "- [\n", "is not valid YAML"),
        ("l.csv", "word,sounds\nHQ,x\n", "line 1: the columns must be word and some of"),
        ("l.csv", "word,say,case\nHQ,x,never\n", "line 2: case: .*'never'"),
        ("l.txt", "", "must end in .yaml, .csv"),
        ("l.yaml", "- {word: ' ', say: x}\n", "line 1: word: .*at least 1 character"),
        ("l.yaml", "- {word: '[HQ]', say: x}\n", r"line 1: word: .*no brackets"),
        ("l.yaml", "- {word: HQ, say: '[pause 2s] x'}\n", "line 1: say: .*no brackets"),
        ("l.yaml", "- {word: [HQ], say: x}\n", "line 1: word must be text"),
        ("l.yaml", "- {word: HQ, say: x, say: y}\n", "line 1: 'say' is there twice"),
        ("l.yaml", "- {[a]: HQ}\n", "line 1: a name must be text"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_lexicon([path])
    assert str(path) in str(caught.value)


def test_nothing_is_nothing_in_yaml(tmp_path):
    path = tmp_path / "l.yaml"
    path.write_text("- {word: ' HQ ', say: headquarters, ipa: null, speaker: ~}\n")
    (located,) = read_lexicon([path]).entries
    assert located.entry == LexiconEntry(word="HQ", say="headquarters")


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no lexicon .*l\.csv"):
        read_lexicon([tmp_path / "l.csv"])
