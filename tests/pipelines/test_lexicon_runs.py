"""A changed word makes the lines again that have it, and no others."""

from pathlib import Path

import pytest
import srt

from unitaf import generate, open_store
from unitaf.config import GenerateConfig, check_config
from unitaf.errors import ConfigError
from unitaf.pipelines.audit import Finding, audit
from unitaf.pipelines.export import export
from unitaf.pipelines.planning import open_job
from unitaf.storage import open_storage


def job(lexicon: Path, kind: str = "stub") -> GenerateConfig:
    settings = {
        "tts": {"kind": kind},
        "output": {"fps": 10},
        "run": {"num_actors": 1},
        "script": {"lexicon": [str(lexicon)]},
    }
    return check_config(settings, "test")


def test_only_lines_with_a_changed_word_are_made_again(tmp_path: Path, ray_cluster: str) -> None:
    rows = [f"l{i},Line {i} of {'Okafor' if i % 143 == 0 else 'nobody'}." for i in range(1000)]
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text("\n".join(["line_id,text", *rows]) + "\n")
    lexicon = tmp_path / "l.yaml"
    lexicon.write_text("- {word: Okafor, say: Oh-kah-for}\n- {word: unused, say: x}\n")
    assert generate(script, store, job(lexicon)).made == 1000
    lexicon.write_text("- {word: Okafor, say: Oka-for}\n- {word: unused, say: y}\n")
    changed = generate(script, store, job(lexicon))
    assert (changed.made, changed.reused) == (7, 993)
    take = open_store(store).take("l143")
    assert take.utterance.text == "Line 143 of Okafor."
    assert [word.text for word in take.speech.words][-1] == "Oka-for."
    rows = open_store(store).catalog().select(["line_id", "text", "said"]).to_pylist()
    assert rows[143] == {
        "line_id": "l143", "text": "Line 143 of Okafor.", "said": "Line 143 of Oka-for.",
    }  # fmt: skip


def test_a_delivery_has_the_script_s_words_and_no_line_of_it_is_out_of_date(
    tmp_path: Path, ray_cluster: str
) -> None:
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text("line_id,text\na,Call HQ [pause 0.5s] now.\nb,Nothing here.\n")
    lexicon = tmp_path / "l.csv"
    lexicon.write_text("word,say\nHQ,the headquarters\n")
    generate(script, store, job(lexicon))
    export(open_store(store), tmp_path / "out", ["srt"], "{line_id}")
    (cue,) = srt.parse((tmp_path / "out/a.srt").read_text())
    assert cue.content == "Call HQ now."
    found: list[Finding] = []
    assert audit(tmp_path / "out", script, found.append, job(lexicon)).files == 2
    assert found == []


def test_sounds_reach_the_voice(tmp_path: Path, ray_cluster: str) -> None:
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text("line_id,text\na,Call Bup now.\nb,Call [Bup](/zuːv/) now.\n")
    lexicon = tmp_path / "l.csv"
    lexicon.write_text("word,ipa\nBup,mɪb\n")
    generate(script, store, job(lexicon, "hibari"))
    for line, sounds in (("a", "mɪb"), ("b", "zuv")):
        take = open_store(store).take(line)
        (word,) = (word for word in take.speech.words if word.text.startswith("Bup"))
        labels = [p.label for p in take.speech.phones if word.start_s <= p.start_s < word.end_s]
        assert "".join(labels) == sounds


def test_a_sound_that_does_not_exist_is_named_before_anything_is_made(tmp_path: Path) -> None:
    script = tmp_path / "s.csv"
    script.write_text("line_id,text\na,Hello.\n")
    lexicon = tmp_path / "l.csv"
    lexicon.write_text("word,ipa\nHello,hɛˈloʊ\nBup,b√p\n")
    message = r"l\.csv, line 3: '√' in /b√p/ is no sound"
    storage = open_storage(str(tmp_path / "store"))
    with pytest.raises(ConfigError, match=message), open_job(str(script), storage, job(lexicon)):
        pass
