"""Every kind of source, made small by its own documentation, is listed whole."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.captures import babble, moving, write_json, write_npy, write_wav
from unitaf.data.importers import find_kind, list_recordings
from unitaf.data.reading import RecordingReader
from unitaf.data.recordings import Recording, Refusal, Source, open_source
from unitaf.errors import ConfigError, InputError
from unitaf.rigs.arkit import ALPHABETICAL, UNITAF_61, UNITALKER_51


def split(source: Source) -> tuple[dict[str, Recording], dict[str, Refusal]]:
    found = list(list_recordings(source))
    recordings = {one.id: one for one in found if isinstance(one, Recording)}
    return recordings, {one.recording: one for one in found if isinstance(one, Refusal)}


def test_unitalker_release(tmp_path: Path) -> None:
    d6, d3 = tmp_path / "D6_unitalker_Chinese_speech", tmp_path / "D3D4_3DETF" / "D3_HDTF"
    record = {"annot_type": "inhouse_blendshape_weight", "id": 1, "fps": 60, "dataset": "D6"}
    for name in ("a", "b"):
        write_wav(d6 / "train" / f"{name}.wav", babble(1))
        write_npy(d6 / "train" / f"{name}.npy", moving(60, 51))
    write_wav(d3 / "val" / "c.wav", babble(1))
    write_npy(d3 / "val" / "c.npy", moving(30, 52))
    files = [
        {**record, "annot_path": f"train/{name}.npy", "audio_path": f"train/{name}.wav"}
        for name in ("a", "b", "missing")
    ]
    files.append({**files[0], "annot_type": "flame_params_from_dadhead"})
    files.append({**files[1], "annot_path": "train/b2.npy", "id": 9})
    files.append({"id": 0})
    write_json(d6 / "train.json", {"info": {"id_list": ["wang", "li"]}, "data": files})
    etf = {
        **record,
        "annot_type": "3DETF_blendshape_weight",
        "annot_path": "val\\c.npy",
        "audio_path": "val\\c.wav",
        "id": 0,
        "fps": 30,
        "dataset": "D3",
    }
    write_json(d3 / "val.json", {"info": {"id_list": ["RD_Radio11"]}, "data": [etf]})
    source = open_source(str(tmp_path), language="zh")
    assert find_kind(source) == "unitalker"
    recordings, refusals = split(source)
    assert {one.speaker for one in recordings.values()} == {"D6/li", "D3/RD_Radio11"}
    one = recordings["D6_unitalker_Chinese_speech/train/a"]
    assert (one.channels, one.fps, one.split) == (UNITALKER_51, 60.0, "train")
    assert (one.language, one.has_text) == ("zh", False)
    other = recordings["D3D4_3DETF/D3_HDTF/val/c"]
    assert (other.channels, other.fps, other.split) == (ALPHABETICAL, 30.0, "val")
    assert other.audio == "D3D4_3DETF/D3_HDTF/val/c.wav"
    assert sorted((one.cause, one.reason) for one in refusals.values()) == [
        ("annotation type", "annotation type 'flame_params_from_dadhead' is not blendshape curves"),
        ("missing file", "there is no file D6_unitalker_Chinese_speech/train/missing.wav"),
        ("record", "speaker 9 is not one of the 2 of the data set"),
        ("record", "the record has no 'annot_path'"),
    ]


def test_unitaf_layout(tmp_path: Path) -> None:
    root = tmp_path / "D12_unitalker_0326"
    chunks = {}
    for number in range(3):
        stem = f"train/anna##00047_{number}"
        write_wav(root / f"{stem}.wav", babble(1))
        write_npy(root / f"{stem}.npy", moving(25, 61))
        (root / f"{stem}.txt").write_text("一些文字", encoding="utf-8")
        chunks[str(number)] = {
            "face_type": "qxsk_inhouse_blendshape_weight",
            "face_fps": 25,
            "duration": 1.0,
            "face_path": f"{stem}.npy".replace("/", "\\"),
            "audio_path": f"{stem}.wav",
            "text_path": f"{stem}.txt",
        }
    chunks["1"]["text_emotion_vector"] = [0, 1.15, 0, 0, 0, 0, 0, 0.3]
    del chunks["2"]["face_fps"]
    sample = {"speaker_idx": 0, "sample_id": "00047", "chunk": chunks}
    value = {"info": {"speaker_id_list": ["anna"]}, "data": [sample, {"speaker_idx": 0}]}
    write_json(root / "train.json", value)
    recordings, refusals = split(open_source(str(tmp_path)))
    first, second = recordings.values()
    assert (first.id, first.speaker) == (
        "D12_unitalker_0326/train/anna##00047_0",
        "D12_unitalker_0326/anna",
    )
    assert (first.channels, first.fps, first.split) == (UNITAF_61, 25.0, "train")
    assert second.emotion == (0, 1.0, 0, 0, 0, 0, 0, 0.3)
    assert [one.reason for one in refusals.values()] == [
        "the chunk has no 'face_fps'",
        "the record has no object 'chunk'",
    ]
    capture = RecordingReader(open_source(str(tmp_path)).storage).read(first)
    assert capture.text == "一些文字"


def test_a_list_of_json_lines(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_wav(tmp_path / "sound" / f"{name}.wav", babble(1))
        write_npy(tmp_path / f"{name}.npy", moving(30, 2))
    row = {"audio": "sound/a.wav", "curves": "a.npy", "fps": 30, "channels": ["jawOpen", "JawLeft"]}
    rows = [
        {**row, "text": " Hello\n there. ", "speaker": "ann", "emotion": "sad:0.5", "split": "val"},
        {**row, "id": "named", "audio": "sound/b.wav", "curves": "b.npy"},
        {**row, "id": "named"},
        {**row, "split": "holdout"},
        {**row, "channels": "klingon"},
        {**row, "emotion": "hangry"},
        {"audio": "sound/a.wav"},
        [1, 2],
        {**row, "audio": 7},
        {**row, "id": "separated", "text": "One.\u2028Two."},
    ]
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n{broken\n"
    (tmp_path / "list.jsonl").write_text(text, encoding="utf-8")
    recordings, refusals = split(open_source(str(tmp_path / "list.jsonl"), speaker="somebody"))
    first = recordings["list.jsonl#1"]
    assert (first.text, first.speaker, first.split) == ("Hello there.", "ann", "val")
    assert first.emotion[2] == 0.5
    assert (recordings["named"].speaker, recordings["named"].curves) == ("somebody", "b.npy")
    assert {name: one.cause for name, one in refusals.items()} == {
        "named": "duplicate",
        "list.jsonl#4": "record",
        "list.jsonl#5": "record",
        "list.jsonl#6": "record",
        "list.jsonl#7": "record",
        "list.jsonl#8": "record",
        "list.jsonl#9": "record",
        "list.jsonl#11": "record",
    }
    assert refusals["list.jsonl#9"].reason == "7 is not the name of a file"
    assert recordings["separated"].text == "One. Two."


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_parquet_list_that_holds_sound_and_curves(tmp_path: Path, as_folder: bool) -> None:
    write_wav(tmp_path / "x.wav", babble(1))
    sound = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "x.wav").unlink()
    curves = [moving(30, 3, seed) for seed in range(5)]
    table = pa.table(
        {
            "line_id": [f"l{i}" for i in range(5)],
            "language": ["en"] * 5,
            "audio": pa.array([sound] * 5, pa.binary()),
            "curves": pa.array([one.tolist() for one in curves]),
            "fps": [30.0] * 5,
            "text": ["Hello."] * 5,
            "emotion": [[0.0] * 8] * 5,
        }
    ).replace_schema_metadata({"channels": "jawOpen,jawLeft,mouthClose"})
    pq.write_table(table, tmp_path / "takes.parquet", row_group_size=2)
    source = open_source(str(tmp_path if as_folder else tmp_path / "takes.parquet"))
    recordings, refusals = split(source)
    assert list(recordings) == [f"l{i}.en" for i in range(5)]
    assert not refusals
    reader = RecordingReader(source.storage)
    for index in (3, 0, 4, 1):
        capture = reader.read(recordings[f"l{index}.en"])
        np.testing.assert_array_equal(capture.motion.curves, curves[index])
        assert capture.motion.channels == ("jawOpen", "jawLeft", "mouthClose")
        assert len(capture.waveform) == 16000


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, curves=moving(30, 1))
    return file.getvalue()


@pytest.mark.parametrize(
    ("curves", "channels", "fps", "cause"),
    [
        (moving(30, 4), ("jawOpen",), 30.0, "wrong shape"),
        (moving(30, 1)[:, 0], ("jawOpen",), 30.0, "curves file"),
        (np.array([["a"]]), ("jawOpen",), 30.0, "curves file"),
        (moving(30, 1), ("jawOpen",), 0.0, "fps"),
        (moving(30, 1), ("jawOpen",), float("nan"), "fps"),
        (b"no array", ("jawOpen",), 30.0, "curves file"),
        (b"", ("jawOpen",), 30.0, "curves file"),
        (b"\x93NUMPY\x01\x00\x08\x00{'descr'", ("jawOpen",), 30.0, "curves file"),
        (archive(), ("jawOpen",), 30.0, "curves file"),
    ],
)
def test_curves_that_cannot_be_read(
    tmp_path: Path, curves: np.ndarray | bytes, channels: tuple[str, ...], fps: float, cause: str
) -> None:
    write_wav(tmp_path / "a.wav", babble(1))
    if isinstance(curves, bytes):
        (tmp_path / "a.npy").write_bytes(curves)
    else:
        write_npy(tmp_path / "a.npy", curves)
    recording = Recording("a", "a.wav", "a.npy", channels=channels, fps=fps)
    with pytest.raises(InputError) as caught:
        RecordingReader(open_source(str(tmp_path)).storage).read(recording)
    assert caught.value.column == cause


def test_sound_and_text_that_cannot_be_read(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", moving(30, 1))
    (tmp_path / "bad.wav").write_bytes(b"RIFF?")
    write_wav(tmp_path / "a.wav", babble(1))
    write_wav(tmp_path / "odd.wav", babble(1), 44057)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    reader = RecordingReader(open_source(str(tmp_path)).storage)
    faults = [
        ("bad.wav", "", "audio file"),
        ("odd.wav", "", "audio file"),
        ("a.wav", "a.txt", "text file"),
    ]
    for audio, text, cause in faults:
        recording = Recording("a", audio, "a.npy", -1, ("jawOpen",), 30.0, "", text)
        with pytest.raises(InputError) as caught:
            reader.read(recording)
        assert caught.value.column == cause


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no files"):
        open_source(str(tmp_path))
    with pytest.raises(ConfigError, match="there is no source"):
        open_source(str(tmp_path / "list.jsonl"))
    (tmp_path / "utf16.jsonl").write_text("{}", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"/utf16\.jsonl is not UTF-8 text"):
        list(list_recordings(open_source(str(tmp_path / "utf16.jsonl"))))
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(ConfigError, match="is none of livelink, unitalker, unitaf, list"):
        find_kind(open_source(str(tmp_path)))
    (tmp_path / "train.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"train\.json does not hold an object 'info'"):
        list(list_recordings(open_source(str(tmp_path))))


def test_a_stamp_follows_the_recording_and_its_files(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", babble(1))
    write_npy(tmp_path / "a.npy", moving(30, 1))
    recording = Recording("a", "a.wav", "a.npy", channels=("jawOpen",), fps=30.0)
    before = open_source(str(tmp_path)).stamp(recording)
    assert open_source(str(tmp_path)).stamp(recording) == before
    write_npy(tmp_path / "a.npy", moving(31, 1))
    assert open_source(str(tmp_path)).stamp(recording) != before
