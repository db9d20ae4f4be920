from collections.abc import Mapping
from pathlib import Path

import pytest
from sentencepiece import SentencePieceTrainer

from tests.tts.indextts2.published import write_tokeniser
from unitaf.tts.indextts2.normaliser import Term, normalise_text, uses_chinese_rules
from unitaf.tts.indextts2.segments import split_segments
from unitaf.tts.indextts2.text import TextFront, tokeniser_input


@pytest.mark.parametrize(
    ("text", "is_chinese"),
    [
        ("Hello", False),
        ("Hello 世界", True),
        ("123", True),
        ("me@example.com", True),
        ("Write to me@example.com now", False),
        ("say XUAN2 now", True),
        ("say delta2 now", False),
    ],
)
def test_one_language_is_chosen_for_a_whole_text(text: str, is_chinese: bool) -> None:
    assert uses_chinese_rules(text) == is_chinese


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It's 8:30 AM: who's there?", "It is eight thirty AM, who is there?"),
        ("Use the GPT-5-nano model", "Use the GPT-five-nano model"),
        ("Say <lead|L IY D>; then 12", "Say <lead|L IY D>, then twelve"),
        ('He said: "stop!"... and left—ok?', "He said, 'stop!'… and left-ok?"),
        ("他花了300块钱。", "他花了三百块钱."),
        ("要ju4行，lv4色，xing2", "要JV4行,lv4色,XING2"),
        ("约翰·史密斯的$", "约翰-史密斯的."),
        ("鸟儿，嗯", "鸟儿,嗯"),
    ],
)
def test_texts_are_written_as_they_are_spoken(text: str, spoken: str) -> None:
    assert normalise_text(text) == spoken


def test_more_names_than_letters_are_put_back() -> None:
    names = ",".join(f"阿{chr(0x4E00 + i)}·贝" for i in range(60))
    assert normalise_text(names) == names.replace("·", "-")


def test_glossary_terms_are_read_in_the_language_of_the_text() -> None:
    glossary = {"NPC": Term("恩皮西", "en pee see"), "NPC 2": Term("二号", "second one")}
    assert normalise_text("The npc 2 and an NPC", glossary) == "The second one and an en pee see"
    assert normalise_text("这个NPC", glossary) == "这个恩皮西"


def test_characters_of_east_asia_are_set_apart() -> None:
    assert tokeniser_input("ab cd我们e,あ한") == "AB CD 我 们 E, あ 한"


WORDS = ["to", "be", "or", "not", "to", "be"]


def test_short_texts_stay_whole_and_long_ones_are_cut_behind_stops() -> None:
    sentence = [*WORDS, "."]
    assert split_segments(sentence * 3) == [sentence * 3]
    assert split_segments(sentence * 3, max_tokens=15) == [sentence * 2, sentence]


def test_commas_and_hyphens_are_cut_at_and_joined_again() -> None:
    pieces = [*WORDS, ",", *WORDS, "-", *WORDS, "."]
    assert split_segments(pieces, max_tokens=10) == [
        [*WORDS, ","],
        [*WORDS, "-"],
        [*WORDS, "."],
    ]
    assert split_segments(pieces, max_tokens=14) == [
        [*WORDS, ",", *WORDS, "-"],
        [*WORDS, "."],
    ]


def test_a_text_without_marks_is_cut_hard() -> None:
    segments = split_segments(["a"] * 25, max_tokens=10)
    assert [len(segment) for segment in segments] == [10, 1, 10, 4]


def test_a_quote_behind_a_stop_stays_with_it_and_comes_again() -> None:
    pieces = [*WORDS, ".", "'", *WORDS, "."]
    assert split_segments(pieces, max_tokens=9) == [[*WORDS, ".", "'"], ["'", *WORDS, "."]]


def test_first_segments_can_be_kept_short() -> None:
    sentence = ["a", "b", "c", "."]
    assert [len(s) for s in split_segments(sentence * 6, 12, quick_tokens=10)] == [4, 12, 8]
    assert split_segments([]) == []


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> TextFront:
    folder = tmp_path_factory.mktemp("bpe")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(["THE WIND WAITS FOR YOU, MY FRIEND.", "我 们 走 吧 !"] * 20))
    SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "bpe"),
        model_type="bpe",
        vocab_size=60,
        bos_id=0,
        eos_id=1,
        unk_id=2,
        minloglevel=2,
    )
    return TextFront(Path(folder / "bpe.model"), {"FYI": Term("供参考", "my friend")})


def test_texts_become_ids_in_segments(front: TextFront) -> None:
    once = front.segments(front.pieces("The wind waits."), 120)
    assert len(once) == 1
    assert all(3 <= id_ < 60 for id_ in once[0])
    often = front.segments(front.pieces("The wind waits. " * 30), 40)
    assert len(often) > 1
    assert often[0][: len(once[0])] == once[0]
    assert front.pieces("fyi") == front.pieces("my friend")


def test_a_text_is_normalised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    normalised: list[str] = []

    def spy(text: str, glossary: Mapping[str, Term] | None) -> str:
        normalised.append(text)
        return normalise_text(text, glossary)

    monkeypatch.setattr("unitaf.tts.indextts2.text.normalise_text", spy)
    write_tokeniser(tmp_path)
    again = TextFront(tmp_path / "bpe.model")
    texts = ["Who goes there?", "5 friends.", "Who goes there?"]
    assert len({tuple(again.pieces(text)) for text in texts}) == 2
    assert normalised == texts[:2]


def test_a_single_character_is_left_as_it_is(front: TextFront) -> None:
    assert front.pieces("x")[-1] == "x"
    assert front.ids(front.pieces("x"))[-1] == 2
