from pathlib import Path

import pytest

from unitaf.errors import ConfigError
from unitaf.tts.indextts2.glossary import read_glossary
from unitaf.tts.indextts2.normaliser import Term, normalise_text


def test_terms_are_read_as_the_glossary_says(tmp_path: Path) -> None:
    assert read_glossary(tmp_path) == {}
    (tmp_path / "glossary.yaml").write_text(
        "H.264: {en: H dot two six four, zh: H 点二六四}\nQRS: Q R S\n'9': {en: niner}\n",
        encoding="utf-8",
    )
    glossary = read_glossary(tmp_path)
    assert glossary["QRS"] == Term("Q R S", "Q R S")
    assert normalise_text("A qrs in H.264 on 9.", glossary) == (
        "A Q R S in H dot two six four on niner."
    )
    assert normalise_text("这个H.264 qrs 9", glossary) == normalise_text("这个H 点二六四 Q R S 9")
    (tmp_path / "glossary.yaml").write_text("# none yet\n")
    assert read_glossary(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("QRS: [", r"glossary\.yaml cannot be read"),
        ("- QRS", "must hold a line 'term: reading'"),
        ("9: nine", "write the term 9 in quotes"),
        ("QRS: {fr: Q R S}", "give 'QRS' a reading, or one for en and one for zh"),
        ("QRS: {}", "give 'QRS' a reading"),
        ("QRS:", "give 'QRS' a reading"),
        ("QRS: {en: 5}", "write the readings of 'QRS' in quotes"),
    ],
)
def test_a_wrong_glossary_is_refused_in_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "glossary.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_glossary(tmp_path)
