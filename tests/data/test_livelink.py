"""Live Link Face files as the app writes them, and as it does not."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.captures import APPLE, babble, moving, write_csv, write_wav
from unitaf.data.importers import list_recordings
from unitaf.data.livelink import read_livelink
from unitaf.data.recordings import Recording, Refusal, open_source


def test_a_folder_is_found_with_speakers_texts_and_gaps(tmp_path: Path) -> None:
    for name in ("ann/one", "ann/two", "bob/three", "bob/lonely"):
        write_wav(tmp_path / f"{name}.wav", babble(1))
    write_csv(tmp_path / "ann" / "one.csv", moving(60, 61))
    write_csv(tmp_path / "ann" / "two_cal.csv", moving(60, 61))
    write_csv(tmp_path / "bob" / "three.csv", moving(60, 61))
    write_csv(tmp_path / "bob" / "three_neutral.csv", moving(60, 61))
    write_csv(tmp_path / "bob" / "mute.csv", moving(60, 61))
    (tmp_path / "ann" / "one.txt").write_text("Hello there.")
    # What macOS leaves on other disks, and a name that no storage takes.
    (tmp_path / "ann" / "._one.wav").write_bytes(b"x")
    write_wav(tmp_path / "ann" / "odd\x07.wav", babble(1))
    write_csv(tmp_path / "ann" / "odd\x07.csv", moving(60, 61))
    found = list(list_recordings(open_source(str(tmp_path), language="en-GB")))
    recordings = {one.id: one for one in found if isinstance(one, Recording)}
    assert {name: one.speaker for name, one in recordings.items()} == {
        "ann/one": "ann",
        "ann/two": "ann",
        "bob/three": "bob",
    }
    assert recordings["ann/one"].text_file == "ann/one.txt"
    assert recordings["ann/two"].curves == "ann/two_cal.csv"
    assert not recordings["ann/two"].has_text
    assert {one.language for one in recordings.values()} == {"en-GB"}
    refused = {one.recording: one.reason for one in found if isinstance(one, Refusal)}
    assert refused == {
        "ann/odd\x07": "'ann/odd\\x07.wav' cannot be printed",
        "bob/lonely": "there is no file bob/lonely.csv",
        "bob/mute": "there is no audio for bob/mute.csv",
    }


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
def test_values_are_read_at_the_rate_that_timecodes_count_in(tmp_path: Path, fps: int) -> None:
    curves = moving(3 * fps, 61)
    write_csv(tmp_path / "a.csv", curves, fps=fps, first=7 * fps + 5)
    motion = read_livelink((tmp_path / "a.csv").read_bytes())
    assert motion.fps == fps
    np.testing.assert_allclose(motion.curves, curves, atol=1e-6)
    assert motion.channels[:2] == ("eyeBlinkLeft", "eyeLookDownLeft")
    assert motion.channels.index("jawRight") == APPLE.index("JawRight")


def test_dropped_frames_are_filled_in_by_their_time(tmp_path: Path) -> None:
    curves = np.linspace(0, 1, 120)[:, None].repeat(61, axis=1)
    write_csv(tmp_path / "a.csv", curves)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    thinned = [line for index, line in enumerate(lines) if index % 7 != 3]
    motion = read_livelink("\n".join(thinned).encode())
    assert len(motion.curves) == 120
    np.testing.assert_allclose(motion.curves, curves, atol=1e-6)


def test_any_end_of_line_will_do(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", moving(30, 61))
    data = (tmp_path / "a.csv").read_bytes()
    expected = read_livelink(data).curves
    for end in (b"\n", b"\r"):
        found = read_livelink(data.replace(b"\r\n", end)).curves
        np.testing.assert_array_equal(found, expected)


def test_a_take_that_runs_through_midnight(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", moving(90, 61))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    late = [f"23:59:59:{frame:02d}.1,61,{','.join(['0.1'] * 61)}" for frame in range(30, 60)]
    early = [f"00:00:00:{frame:02d}.1,61,{','.join(['0.2'] * 61)}" for frame in range(30)]
    motion = read_livelink("\n".join([lines[0], *late, *early]).encode())
    assert (len(motion.curves), motion.fps) == (60, 60)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "does not begin with Timecode"),
        (["Time,Count,JawOpen", "1,2,3"], "does not begin with Timecode"),
        (["Timecode,BlendshapeCount,JawOpen", "10:00:00:01.0,1,0.5"], "fewer than two frames"),
        (["T", "00:00:00:01.0,1"], "a row does not have the header's 3 fields"),
        (["T", "00:00:00:01.0,1,low"], "a value is no number"),
        (["T", "yesterday,1,0.5"], "'yesterday' is no timecode"),
        (["T", "00:00:00:05.0,1,0.5"], "timecodes do not rise at 00:00:00:05.0"),
        (["T", "00:00:00:50.0,1,0.5"], r"0\.72 s of frames are missing"),
        (["T", "00:00:01:75.0,1,0.5"], "frame 75 of a second lies beyond 60"),
        (["T", '"' + 150_000 * "0"], "cannot be read as CSV: field larger"),
    ],
)
def test_broken_files_are_told(lines: list[str], message: str) -> None:
    good = [f"00:00:00:{frame:02d}.0,1,0.5" for frame in range(6, 8)]
    if lines[:1] == ["T"]:
        lines = ["Timecode,BlendshapeCount,JawOpen", *good, *lines[1:]]
    with pytest.raises(ValueError, match=message):
        read_livelink("\n".join(lines).encode())
