"""Clips without a tag get the emotion that is heard in them, where the job wants that."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.data.captures import babble, moving, write_csv, write_wav
from tests.tts.indextts2.published import teach_emotion, write_model
from unitaf.config.jobs import PrepareConfig, load_prepare_config
from unitaf.data.clip_reader import ClipReader
from unitaf.data.corpus import open_corpus
from unitaf.data.recordings import open_source
from unitaf.errors import ConfigError
from unitaf.pipelines.prepare import make_plan, pending_shards, prepare
from unitaf.storage import open_storage
from unitaf.types import NEUTRAL, Emotion

MIXED: Emotion = (0.0, 0.35, 0.2, 0.0, 0.0, 0.0, 0.25, 0.0)
TAGGED: Emotion = (0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0)
TEXTS = {
    "itself": "The wind waits.",
    "acted": "Who goes there?",
    "tagged": "Stop! Who goes there?",
    "foreign": "Tell them.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and recordings: of the voice's clip, a mix, with a tag, and of another speaker."""
    folder = tmp_path_factory.mktemp("heard")
    rows = []
    for number, (name, text) in enumerate(TEXTS.items()):
        write_wav(folder / f"{name}.wav", babble(1.0, seed=number))
        write_csv(folder / f"{name}.csv", moving(60, 61, number))
        row = {"id": name, "audio": f"{name}.wav", "curves": f"{name}.csv", "text": text}
        tag = {"emotion": "afraid:0.7"} if name == "tagged" else {}
        rows.append({**row, "speaker": "ben" if name == "foreign" else "ann", **tag})
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_model(folder / "model")
    teach_emotion(folder / "model", folder / "itself.wav", folder / "acted.wav", MIXED)
    return folder


def job(folder: Path, emotion: str, reference: str = "itself") -> PrepareConfig:
    tts = {
        "kind": "indextts2",
        "path": str(folder / "model"),
        "voices": {"ann": {"reference": str(folder / f"{reference}.wav")}},
        "licence_accepted": True,
    }
    return PrepareConfig.model_validate(
        {
            "tts": tts,
            "emotion": emotion,
            "encoder": None,
            "transcriber": None,
            "clips": {"fps": 30},
            "run": {"num_actors": 1},
        }
    )


def left(folder: Path, corpus: Path, config: PrepareConfig) -> int:
    plan = make_plan(open_source(str(folder / "list.jsonl")), config)
    return len(pending_shards(open_storage(str(corpus)), plan))


def payloads(corpus: Path) -> set[str]:
    """Return the names of all clips and features, which hold the hashes of their bytes."""
    return {path.name for kind in ("clips", "features") for path in (corpus / kind).rglob("*.*")}


def test_clips_without_a_tag_get_the_emotion_that_is_heard(
    folder: Path, tmp_path: Path, ray_cluster: str
) -> None:
    source, corpus = folder / "list.jsonl", tmp_path / "corpus"
    tags = prepare(source, corpus, job(folder, "tags"))
    assert (tags.clips, tags.rejects, tags.emotions) == (4, 0, {"tags": 4})
    before = {row["clip_id"]: row for row in open_corpus(str(corpus)).clips().to_pylist()}
    assert not left(folder, corpus, job(folder, "tags"))

    heard = prepare(source, corpus, job(folder, "recording"))
    assert (heard.clips, heard.made) == (3, 3)
    assert heard.emotions == {"recording": 2, "tags": 1}
    assert heard.rejects_by_cause == {"speaker": 1}
    rejects = pq.read_table(corpus / "runs" / heard.run / "rejects.parquet").to_pylist()
    assert [(row["name"], row["reason"]) for row in rejects] == [
        ("foreign", "there is no voice for 'ben' in tts.voices, and none for '*'")
    ]
    opened = open_corpus(str(corpus))
    rows = {row["clip_id"]: row for row in opened.clips().to_pylist()}
    assert rows["itself"]["emotion"] == list(NEUTRAL)
    np.testing.assert_allclose(rows["acted"]["emotion"], MIXED, rtol=0, atol=2e-3)
    assert rows["tagged"]["emotion"] == list(TAGGED)
    assert {name: row["emotion_source"] for name, row in rows.items()} == {
        "itself": "recording",
        "acted": "recording",
        "tagged": "tags",
    }
    # Another emotion is another clip. The features are those of the sound, once and not twice.
    assert [n for n, row in rows.items() if row["clip_key"] != before[n]["clip_key"]] == ["acted"]
    reader = ClipReader(opened)
    for name, row in rows.items():
        features = [reader.features(each, "tts") for each in (row, before[name])]
        np.testing.assert_array_equal(*features, err_msg=name)
    clip = reader.clip(rows["acted"])
    assert (clip.emotion_source, list(clip.emotion)) == ("recording", rows["acted"]["emotion"])

    again = prepare(source, corpus, job(folder, "recording"))
    assert (again.made, again.emotions) == (0, heard.emotions)
    # What was heard was heard against the voice of then.
    assert left(folder, corpus, job(folder, "recording", reference="tagged"))


def test_two_runs_hear_the_same(folder: Path, tmp_path: Path, ray_cluster: str) -> None:
    names = []
    for corpus in (tmp_path / "one", tmp_path / "other"):
        prepare(folder / "list.jsonl", corpus, job(folder, "recording"))
        names.append(payloads(corpus))
    assert names[0] == names[1]
    assert names[0]


@pytest.mark.parametrize("kind", ["hibari", "kokoro", "espeak", "stub"])
def test_engines_that_hear_no_emotion_are_refused(kind: str) -> None:
    wanted = [f"tts.kind={kind}", "emotion=recording"]
    reason = rf"emotion: recording needs indextts2; {kind} hears no emotion$"
    with pytest.raises(ConfigError, match=reason):
        load_prepare_config(None, wanted)
