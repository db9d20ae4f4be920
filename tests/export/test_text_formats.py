"""Exports read back by readers of their own."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile

from unitaf.export import FORMATS
from unitaf.export.plot import draw_take
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.types import FaceMotion, Phone, Provenance, Speech, Take, Utterance, Word


@pytest.fixture(params=[60.0, 29.97])
def take(request: pytest.FixtureRequest) -> Take:
    rng = np.random.default_rng(7)
    waveform = (rng.integers(-30000, 30000, 24000 * 2) / 32768).astype(np.float32)
    frames = 120 if request.param == 60.0 else 60
    curves = rng.random((frames, len(CHANNELS)), np.float32)
    curves[:, len(BLENDSHAPES) :] -= 0.5
    return Take(
        key="0" * 32,
        utterance=Utterance("scene_1/line $5", "Pay me $5 and $6.", "en", "Pip"),
        speech=Speech(
            waveform,
            24000,
            np.zeros((0, 0), np.float32),
            0.0,
            (Phone("p", 0.0, 0.5), Phone("eɪ", 0.5, 1.0, 1), Phone("", 1.0, 2.0)),
            (Word("Pay", 0.0, 1.0), Word("$5", 1.0, 2.0)),
        ),
        motion=FaceMotion(curves, CHANNELS, request.param),
        provenance=Provenance("stub/1", "visemes/1", "silence", "none", "0"),
    )


def test_wav_holds_the_samples_bit_for_bit(take: Take):
    files = FORMATS["wav"](take, "en/Pip/line")
    assert list(files) == ["en/Pip/line.wav"]
    samples, rate = soundfile.read(io.BytesIO(files["en/Pip/line.wav"]), dtype="int16")
    assert rate == 24000
    np.testing.assert_array_equal(samples, np.round(take.speech.waveform * 32768))


def test_livelink_is_read_by_name_and_is_not_mirrored(take: Take):
    (data,) = FORMATS["livelink"](take, "line").values()
    rows = list(csv.reader(io.StringIO(data.decode("ascii"))))
    header = rows[0]
    assert len(header) == 63
    assert header[:2] == ["Timecode", "BlendshapeCount"]
    # As the app records it: right before left for jaw and mouth, unlike its own protocol.
    assert header[16:21] == ["JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose"]
    assert header[23:25] == ["MouthRight", "MouthLeft"]
    assert header[-1] == "RightEyeRoll"
    assert len(rows) == len(take.motion.curves) + 1
    for column, name in enumerate(CHANNELS):
        place = header.index(name[0].upper() + name[1:])
        got = [float(row[place]) for row in rows[1:]]
        np.testing.assert_allclose(got, take.motion.curves[:, column], atol=5e-11)
    assert all(row[1] == "61" and len(row) == 63 for row in rows[1:])
    assert rows[1][0] == "00:00:00:00.000"
    row, time = {60.0: (61, "00:00:01:00.000"), 29.97: (31, "00:00:01:00.030")}[take.motion.fps]
    assert rows[row][0] == time


def test_audio2face_json(take: Take):
    (data,) = FORMATS["json"](take, "en/Pip/line").values()
    document = json.loads(data)
    assert document["exportFps"] == take.motion.fps
    assert document["trackPath"] == "line.wav"
    assert document["numPoses"] == len(document["facsNames"]) == 52
    assert document["numFrames"] == len(document["weightMat"]) == len(take.motion.curves)
    assert document["joints"] == document["rotations"] == document["translations"] == []
    for index, name in enumerate(document["facsNames"]):
        got = [row[index] for row in document["weightMat"]]
        np.testing.assert_allclose(got, take.motion.curves[:, CHANNELS.index(name)], atol=5.1e-7)


def test_plot_is_a_picture_and_the_same_each_time(take: Take):
    png = draw_take(take)
    assert png.startswith(b"\x89PNG")
    assert png == draw_take(take)
