"""From recordings to a training corpus: whole, once, and with a word about everything refused."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.data.captures import babble, moving, write_csv, write_json, write_npy, write_wav
from tests.fakes import KillingStorage
from unitaf import generate
from unitaf.config import PrepareConfig, check_config
from unitaf.data.batches import BatchReader, EpochOrder
from unitaf.data.corpus import Corpus, open_corpus
from unitaf.pipelines.prepare import default_shard_size, group_by_content, prepare
from unitaf.rigs.arkit import CHANNELS
from unitaf.storage import open_storage
from unitaf.tts.hibari import Hibari
from unitaf.types import Utterance

ROOT = Path(__file__).parents[2]
SILENT = {
    "tts": {"kind": "stub"},
    "encoder": None,
    "transcriber": None,
    "clips": {"fps": 30},
    "run": {"num_actors": 2, "shard_size": 2},
}
LINES = {
    "one": "The ship sails at dawn, and nobody on board knows where it is going.",
    "two": "I never liked your mother, or any of her seven quarrelsome cats.",
    "three": "Hold the lamp up, so that I can read what is written on the door.",
}


def config(**changes: object) -> PrepareConfig:
    return PrepareConfig.model_validate({**SILENT, **changes})


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen takes without a word in them, for the silent engine."""
    folder = tmp_path_factory.mktemp("captures")
    for number in range(16):
        stem = folder / f"speaker{number % 3}" / f"take{number:02d}"
        write_wav(stem.with_suffix(".wav"), babble(1.0 + number / 10, seed=number))
        write_csv(stem.with_suffix(".csv"), moving(60 + 6 * number, 61, number))
        stem.with_suffix(".txt").write_text(f"This is line number {number}.")
    return folder


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        uri: str = request.getfixturevalue("s3_store_uri")
        return uri
    return str(tmp_path / "corpus")


def contents(uri: str) -> dict[str, tuple[bytes, ...]]:
    """Return the curves and features of every clip, as training reads them."""
    corpus = open_corpus(uri)
    clips = corpus.clips(with_features=["tts"])
    order = EpochOrder([1] * len(clips), 1)
    reader = BatchReader(corpus, clips, order, CHANNELS, corpus.info.fps, with_encoder=False)
    found = {}
    for batch in islice(reader.batches(), len(clips)):
        found[batch.clip_keys[0]] = (batch.curves.tobytes(), batch.features.tobytes())
    return found


@pytest.fixture(scope="module")
def uninterrupted(
    captures: Path, tmp_path_factory: pytest.TempPathFactory, ray_cluster: str
) -> dict[str, tuple[bytes, ...]]:
    uri = str(tmp_path_factory.mktemp("reference"))
    prepare(str(captures), uri, config())
    return contents(uri)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of a voice: with text, without, with another's text, and one that is long."""
    folder = tmp_path_factory.mktemp("spoken") / "ann"
    engine = Hibari(speed=0.85)
    said = {
        name: engine.synthesize([Utterance(name, text, seed=5)])[0].waveform
        for name, text in LINES.items()
    }
    said["unwritten"] = said["two"] * 0.7
    said["mistaken"] = said["three"] * 0.8
    gap = np.zeros(9600, np.float32)
    said["long"] = np.concatenate([said["one"], gap, said["two"], gap, said["three"]])
    for number, (name, waveform) in enumerate(said.items()):
        write_wav(folder / f"{name}.wav", waveform, 24000)
        write_csv(folder / f"{name}.csv", moving(len(waveform) * 60 // 24000, 61, number) * 0.9)
    texts = {
        **LINES,
        "mistaken": "Shush, hush, wash, push, cash, splash, fish, wish.",
        "long": " ".join(LINES.values()),
    }
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return folder.parent


def test_a_voice_becomes_a_corpus(spoken: Path, tmp_path: Path, ray_cluster: str) -> None:
    job = PrepareConfig.model_validate(
        {"clips": {"longest_s": 6.0, "val_share": 0, "test_share": 0}, "run": {"num_actors": 1}}
    )
    uri = str(tmp_path / "corpus")
    report = prepare(str(spoken), uri, job)
    corpus = open_corpus(uri)
    rows = {row["clip_id"]: row for row in corpus.clips().to_pylist()}
    assert set(rows) == {
        *(f"ann/{name}" for name in ("one", "two", "three", "unwritten", "mistaken")),
        *(f"ann/long#{number}" for number in range(3)),
    }
    # What was cut got its own words, and what had none was written down.
    assert [rows[f"ann/long#{number}"]["text"] for number in range(3)] == list(LINES.values())
    assert "never liked your mother" in rows["ann/unwritten"]["text"]
    assert {name for name, row in rows.items() if row["text_source"] == "transcribed"} == {
        "ann/unwritten"
    }
    # The same voice fits; other words do not, and are told.
    assert rows["ann/one"]["alignment_cost"] < 0.5
    assert rows["ann/mistaken"]["tts_file"] is None
    rejects = pq.read_table(tmp_path / "corpus" / "runs" / report.run / "rejects.parquet")
    assert [(row["name"], row["stage"], row["cause"]) for row in rejects.to_pylist()] == [
        ("ann/mistaken", "tts", "alignment")
    ]
    assert (report.recordings, report.clips, report.rejects) == (6, 8, 0)
    assert report.without_features == {"tts": 1, "encoder": 0}
    assert report.texts == {"given": 7, "transcribed": 1}
    assert sum(report.alignment_costs) == report.clips
    assert sum(report.openness) == sum(row["num_frames"] for row in rows.values())
    check_features(corpus, rows)


def test_takes_of_a_store_are_a_source(tmp_path: Path, ray_cluster: str) -> None:
    script = tmp_path / "lines.csv"
    rows = [f"{name},pip,{text!r}".replace("'", '"') for name, text in LINES.items()]
    script.write_text("\n".join(["line_id,speaker,text", *rows]) + "\n")
    one_actor = {"run": {"num_actors": 1}}
    generate(script, str(tmp_path / "store"), check_config(one_actor, "test"))
    job = PrepareConfig.model_validate({**one_actor, "encoder": None, "transcriber": None})
    report = prepare(tmp_path / "store" / "takes", tmp_path / "corpus", job)
    assert (report.clips, report.rejects, report.speakers) == (3, 0, {"pip": 3})
    # The engine's own sound is found again as it was.
    assert report.alignment_cost_quantiles["0.95"] < 0.01
    clips = open_corpus(str(tmp_path / "corpus")).clips()
    assert sorted(clips["text"].to_pylist()) == sorted(LINES.values())
    assert set(clips["clip_id"].to_pylist()) == {f"{name}.en" for name in LINES}


def check_features(corpus: Corpus, rows: dict[str, dict[str, object]]) -> None:
    """Features are those of the engine's line and of Whisper, at their own rates."""
    assert (corpus.info.tts.rate, corpus.info.tts.dim) == (80.0, 256)
    assert corpus.info.encoder is not None
    assert (corpus.info.encoder.rate, corpus.info.encoder.dim) == (50.0, 384)
    clips = corpus.clips(with_features=["tts", "encoder"])
    reader = BatchReader(corpus, clips, EpochOrder([1] * len(clips), 8), CHANNELS, 60.0, True)
    batch = next(reader.batches())
    for key, steps, encoder_steps, frames in zip(
        batch.clip_keys,
        batch.step_mask.sum(1),
        batch.encoder_mask.sum(1),
        batch.frame_mask.sum(1),
        strict=True,
    ):
        (row,) = (row for row in rows.values() if row["clip_key"] == key)
        assert steps == -(-int(str(row["num_samples"])) * 80 // 24000)
        assert abs(encoder_steps - 50 * float(str(row["duration_s"]))) <= 1
        assert frames == row["num_frames"] == -(-int(str(row["num_samples"])) * 60 // 24000)
    (engine_s,) = Hibari().synthesize([Utterance("x", LINES["one"])])
    (row_index,) = [
        n for n, key in enumerate(batch.clip_keys) if key == rows["ann/one"]["clip_key"]
    ]
    found = batch.features[row_index][batch.step_mask[row_index]]
    np.testing.assert_allclose(found.mean(0), engine_s.features.mean(0), atol=0.5)


def test_only_what_is_new_is_made(captures: Path, tmp_path: Path, ray_cluster: str) -> None:
    import shutil

    source, uri = tmp_path / "source", str(tmp_path / "corpus")
    shutil.copytree(captures, source)
    first = prepare(str(source), uri, config())
    assert (first.recordings, first.clips, first.made) == (16, 16, 16)
    before = contents(uri)
    again = prepare(str(source), uri, config())
    assert (again.clips, again.made, again.payload_bytes) == (16, 0, 0)
    write_wav(source / "speaker0" / "new.wav", babble(1.5, seed=99))
    write_csv(source / "speaker0" / "new.csv", moving(90, 61, 99))
    (source / "speaker0" / "new.txt").write_text("One more.")
    more = prepare(str(source), uri, config())
    assert more.clips == 17
    assert 1 <= more.made <= 9
    after = contents(uri)
    assert len(after) == 17
    assert all(after[key] == value for key, value in before.items())
    # Another set of features: the clips stay.
    one_actor = {"num_actors": 1, "shard_size": 2}
    encoder = prepare(str(source), uri, config(encoder="whisper", run=one_actor))
    assert encoder.without_features == {"tts": 0, "encoder": 0}
    assert not {kind for kind in encoder.seconds if kind in ("read", "clips", "tts")}


def test_bytes_do_not_depend_on_actors_or_shards(
    captures: Path, uninterrupted: dict[str, tuple[bytes, ...]], tmp_path: Path, ray_cluster: str
) -> None:
    prepare(str(captures), str(tmp_path), config(run={"num_actors": 1, "shard_size": 64}))
    assert contents(str(tmp_path)) == uninterrupted


MOMENTS = [
    ("clips/", "before"),
    ("manifests/clips/", "before"),
    ("manifests/clips/", "after"),
    ("features/", "after"),
    ("manifests/features/", "after"),
]


@pytest.mark.parametrize(
    ("prefix", "when", "target"),
    [(*moment, ("s3", "local")[index % 2]) for index, moment in enumerate(MOMENTS)],
    indirect=["target"],
)
def test_an_actor_is_killed(
    prefix: str,
    when: str,
    captures: Path,
    uninterrupted: dict[str, tuple[bytes, ...]],
    target: str,
    tmp_path: Path,
    ray_cluster: str,
) -> None:
    marker = tmp_path / "marker"
    storage = KillingStorage(open_storage(target), prefix, when, marker)
    report = prepare(str(captures), storage, config())
    assert marker.exists()
    assert report.clips == 16
    assert contents(target) == uninterrupted


@pytest.mark.parametrize(("prefix", "when"), [MOMENTS[2], ("runs/", "after")])
def test_the_driver_is_killed(
    prefix: str,
    when: str,
    captures: Path,
    uninterrupted: dict[str, tuple[bytes, ...]],
    tmp_path: Path,
    ray_cluster: str,
) -> None:
    uri = str(tmp_path / "corpus")
    driver = [sys.executable, ROOT / "tests" / "pipelines" / "prepare_driver.py", captures, uri]
    job = json.dumps(SILENT)
    done = subprocess.run(
        [str(part) for part in [*driver, job, prefix, when, tmp_path / "marker"]],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_cluster},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr
    prepare(str(captures), uri, config())
    assert contents(uri) == uninterrupted


def test_everything_bad_is_told_and_the_rest_is_prepared(
    captures: Path, s3_store_uri: str, tmp_path: Path, ray_cluster: str
) -> None:
    """The source lies on the server, as a data set of UniTalker's."""
    source = tmp_path / "D7_song"
    record = {"annot_type": "inhouse_blendshape_weight", "id": 0, "fps": 30, "dataset": "D7"}
    faults = {
        "good": {},
        "still": {"curves": np.full((60, 51), 0.2)},
        "nan": {"curves": np.full((60, 51), np.nan)},
        "wide": {"curves": moving(60, 52)},
        "zero": {"fps": 0},
        "quiet": {"sound": np.zeros(32000)},
        "loud": {"sound": np.sign(babble(2.0))},
        "short": {"sound": babble(1.0)},
        "twin": {},
    }
    data = []
    for name, fault in faults.items():
        write_wav(source / "train" / f"{name}.wav", fault.get("sound", babble(2.0)))
        write_npy(source / "train" / f"{name}.npy", fault.get("curves", moving(60, 51)))
        paths = {"annot_path": f"train/{name}.npy", "audio_path": f"train/{name}.wav"}
        data.append({**record, **paths, "fps": fault.get("fps", 30)})
    data.append({**data[0], "annot_path": "train/none.npy"})
    write_json(source / "train.json", {"info": {"id_list": ["ann"]}, "data": data})
    storage = open_storage(f"{s3_store_uri}/source")
    for path in source.rglob("*.*"):
        storage.create(f"D7_song/{path.relative_to(source)}", path.read_bytes())
    job = config(transcriber="tiny.en", max_reject_fraction=1.0)
    # Nothing intelligible is said, so what passes every check is refused by the transcriber.
    report = prepare(f"{s3_store_uri}/source", f"{s3_store_uri}/corpus", job)
    assert report.rejects_by_cause == {
        "transcription": 2,
        "missing file": 1,
        "not a number": 1,
        "frozen curves": 1,
        "wrong shape": 1,
        "fps": 1,
        "silent audio": 1,
        "clipped audio": 1,
        "lengths differ": 1,
    }
    assert report.recordings == len(data)
    assert report.clips == 0


def test_groups_are_cut_by_content() -> None:
    random = np.random.default_rng(0)
    stamps = [f"{number:08x}{'0' * 24}" for number in random.integers(0, 2**32, 400)]
    stamped = [(stamp, None) for stamp in stamps]
    groups = list(group_by_content(stamped, 8))
    assert [pair for group in groups for pair in group] == stamped
    assert max(map(len, groups)) <= 32
    assert 5 < 400 / len(groups) < 12
    fewer = list(group_by_content(stamped[:100] + stamped[101:], 8))
    changed = [group for group in fewer if group not in groups]
    assert len(changed) <= 2
    assert [default_shard_size(count) for count in (1, 24, 100, 400, 10**6)] == [4, 4, 4, 16, 32]
