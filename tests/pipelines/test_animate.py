import csv
import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.face.tiny_unitalker import babble, tiny_unitalker
from unitaf.errors import ConfigError, InputError
from unitaf.export import Encoder
from unitaf.face.hearing import HeardVisemes, PhoneRecognizer
from unitaf.face.recordings import RecordingAnimator, Target
from unitaf.face.visemes import VisemeAnimator
from unitaf.pipelines.animate import (
    BATCH_S,
    Recording,
    Rejected,
    animate,
    find_recordings,
)
from unitaf.pipelines.encoders import choose_encoders
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, UNITALKER_51
from unitaf.rigs.gltf_rig import read_glb
from unitaf.timing import num_frames
from unitaf.types import FaceMotion, Speech, Utterance


def choose(formats: Sequence[str], rig: Path | None = None) -> list[Encoder]:
    return list(choose_encoders(formats, rig).values())


NPZ = choose(["npz"])


@pytest.fixture(scope="module")
def network() -> RecordingAnimator:
    target = Target("inhouse_blendshape_weight", 3, 30.0, np.full(51, 0.3, np.float32))
    return RecordingAnimator(tiny_unitalker(), target, UNITALKER_51, "tiny", "none")


@pytest.fixture(scope="module")
def rules() -> HeardVisemes:
    return HeardVisemes(PhoneRecognizer(), VisemeAnimator())


def record(path: Path, samples: int = 8_000, rate: int = 16_000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = babble(samples, seed=samples, sample_rate=rate)
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate)
    return path


def named(*paths: Path) -> list[Recording]:
    return [Recording(path, path.stem) for path in paths]


def curves_in(path: Path) -> np.ndarray:
    with np.load(path) as arrays:
        return arrays["curves"]


def test_files_are_named_after_their_stem_and_folders_keep_their_layout(tmp_path: Path) -> None:
    lone = record(tmp_path / "lone.take.wav")
    for name in ("scene/a/1.WAV", "scene/b/1.flac", "scene/2.ogg"):
        record(tmp_path / name)
    (tmp_path / "scene" / "notes.txt").write_text("x")
    (tmp_path / "scene" / "._2.ogg").write_bytes(b"x")
    out = tmp_path / "scene" / "out"
    record(out / "old.wav")
    found = find_recordings([lone, tmp_path / "scene"], out)
    assert [recording.name for recording in found] == ["lone.take", "2", "a/1", "b/1"]
    assert found[0].path == lone


def test_recordings_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    for name in ("x/Line.wav", "y/line.wav", "z/c.wav", "z/c.flac"):
        record(tmp_path / name)
    (tmp_path / "empty").mkdir()
    for paths, problem in (
        (["x/Line.wav", "y/line.wav"], r"x/Line\.wav and .*y/line\.wav would both be called"),
        (["z"], r"c\.flac and .*c\.wav would both be called 'c'"),
        (["gone.wav"], r"there is no recording .*gone\.wav"),
        (["empty"], "there is no recording in .*empty"),
    ):
        with pytest.raises(ConfigError, match=problem):
            find_recordings([tmp_path / path for path in paths], tmp_path / "out")


def test_a_recording_that_is_given_twice_is_taken_once(tmp_path: Path) -> None:
    path = record(tmp_path / "scene" / "a.wav")
    again = tmp_path / "scene" / ".." / "scene" / "a.wav"
    found = find_recordings([path, path.parent, again], tmp_path / "out")
    assert found == [Recording(path, "a")]


def test_a_recording_is_not_taken_for_the_folder(tmp_path: Path) -> None:
    paths = [record(tmp_path / name) for name in ("a.wav", "b.wav")]
    with pytest.raises(ConfigError, match=r"b\.wav is a file: name the folder that the files go"):
        find_recordings(paths[:1], paths[1])


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0])
@pytest.mark.parametrize("animator", ["network", "rules"])
def test_frames_follow_the_sample_clock(
    request: pytest.FixtureRequest, tmp_path: Path, animator: str, fps: float
) -> None:
    paths = [
        record(tmp_path / f"{rate}.wav", samples, rate)
        for samples, rate in ((44_100, 44_100), (11_111, 22_050), (401, 16_000), (48_001, 48_000))
    ]
    report = animate(named(*paths), tmp_path / "out", request.getfixturevalue(animator), fps, NPZ)
    assert report.rejected == []
    for path in paths:
        info = soundfile.info(path)
        exact = Fraction(str(fps)) * info.frames / info.samplerate
        curves = curves_in(tmp_path / "out" / f"{path.stem}.npz")
        assert curves.shape == (math.ceil(exact), len(CHANNELS))
        assert np.isfinite(curves).all()
        assert 0.0 <= curves[:, : len(BLENDSHAPES)].min() <= curves.max() <= 1.0


def test_many_at_once_move_as_each_alone(network: RecordingAnimator, tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.wav", n) for n in (8_000, 64_000, 400, 30_011)]
    together, alone = tmp_path / "together", tmp_path / "alone"
    animate(named(*paths), together, network, 30.0, NPZ)
    for path in paths:
        animate(named(path), alone, network, 30.0, NPZ)
        apart = curves_in(together / f"{path.stem}.npz") - curves_in(alone / f"{path.stem}.npz")
        assert np.abs(apart).max() <= 1e-5


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_any_file_format_any_channels(rules: HeardVisemes, tmp_path: Path, name: str) -> None:
    path = record(tmp_path / name, 22_050, 44_100, channels=2)
    report = animate(named(path), tmp_path / "out", rules, 60.0, NPZ)
    assert report.rejected == []
    assert len(curves_in(tmp_path / "out" / "a.npz")) == pytest.approx(30, abs=1)


def test_bad_recordings_are_one_sentence_each_and_the_rest_goes_on(
    network: RecordingAnimator, tmp_path: Path
) -> None:
    def broken(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    nan = tmp_path / "nan.wav"
    soundfile.write(nan, np.full(8_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    none = tmp_path / "none.wav"
    soundfile.write(none, np.zeros(0), 16_000)
    paths = [
        record(tmp_path / "first.wav"),
        broken("empty.wav", b""),
        broken("text.wav", b"once upon a time"),
        record(tmp_path / "short.wav", 399),
        nan,
        none,
        tmp_path / "gone.wav",
        record(tmp_path / "last.wav"),
    ]
    report = animate(named(*paths), tmp_path / "out", network, 30.0, NPZ)
    assert (report.recordings, report.animated, report.files) == (8, 2, 2)
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["first", "last"]
    reasons = {rejected.path.stem: rejected.reason for rejected in report.rejected}
    assert reasons == {
        "empty": "the audio file is empty",
        "text": "not an audio file that can be read: Format not recognised.",
        "short": "the audio lasts 24.9 ms; at least 25 are needed",
        "nan": "the audio file has samples that are not finite numbers",
        "none": "the audio file has no samples",
        "gone": "No such file or directory",
    }


def test_nothing_that_can_be_animated_is_no_error(
    network: RecordingAnimator, tmp_path: Path
) -> None:
    report = animate(named(tmp_path / "gone.wav"), tmp_path / "out", network, 30.0, NPZ)
    assert (report.animated, report.files, len(report.rejected)) == (0, 0, 1)


class Still:
    """Animates nothing, notes how much it is given, and refuses one recording."""

    fingerprint = licence = "still"

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.batches: list[list[str]] = []

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        names = [utterance.id for utterance in utterances]
        self.batches.append(names)
        if self.refused in names:
            raise InputError(self.refused, "it is too sad")
        frames = [num_frames(s.num_samples, s.sample_rate, fps) for s in speeches]
        return [FaceMotion(np.zeros((n, 61), np.float32), CHANNELS, fps) for n in frames]


def test_a_recording_that_the_animator_refuses_does_not_stop_its_batch(tmp_path: Path) -> None:
    paths = [record(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")]
    still = Still(refused="b")
    report = animate(named(*paths), tmp_path / "out", still, 30.0, NPZ)
    assert still.batches == [["a", "b", "c"], ["a", "c"]]
    assert report.animated == 2
    assert report.rejected == [Rejected(paths[1], "it is too sad")]


def test_batches_are_bounded_by_length_and_reported(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abcde"]
    for path, seconds in zip(paths, (0.4, 0.5, 0.6, 2.0, 0.1), strict=True):
        soundfile.write(path, np.zeros(int(seconds * BATCH_S * 1_000)), 1_000, format="WAV")
    still = Still()
    seen: list[tuple[int, float]] = []
    animate(
        named(*paths),
        tmp_path / "out",
        still,
        1.0,
        NPZ,
        lambda report: seen.append((report.animated, report.audio_s)),
    )
    assert still.batches == [["a", "b"], ["c"], ["d"], ["e"]]
    assert [count for count, _ in seen] == [2, 3, 4, 5]
    assert seen[-1][1] == pytest.approx(3.6 * BATCH_S)


def test_every_format_holds_the_same_motion(network: RecordingAnimator, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav")
    formats = ["livelink", "json", "npz", "glb", "usd", "wav"]
    report = animate(named(path), tmp_path / "out", network, 30.0, choose(formats))
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"a.csv", "a.json", "a.npz", "a.glb", "a.usdc", "head.usdc", "a.wav"}
    assert report.files == 7
    assert report.size_bytes == sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    jaw = curves_in(tmp_path / "out" / "a.npz")[:, CHANNELS.index("jawOpen")]
    rows = list(csv.DictReader((tmp_path / "out" / "a.csv").read_text().splitlines()))
    assert [float(row["JawOpen"]) for row in rows] == pytest.approx(jaw, abs=1e-6)
    weights = json.loads((tmp_path / "out" / "a.json").read_text())
    column = weights["facsNames"].index("jawOpen")
    assert [row[column] for row in weights["weightMat"]] == pytest.approx(jaw, abs=1e-6)


def test_a_glb_can_show_another_face(network: RecordingAnimator, tmp_path: Path) -> None:
    rig_file = rig(tmp_path / "rig.npz", BLENDSHAPES[:-1])
    encoders = choose(["glb"], rig_file)
    animate(named(record(tmp_path / "a.wav")), tmp_path / "out", network, 30.0, encoders)
    assert len(read_glb(tmp_path / "out" / "a.glb").neutral) == 3
    again = choose(["glb"], tmp_path / "out" / "a.glb")
    assert len(again) == 1


def rig(path: Path, names: tuple[str, ...]) -> Path:
    """Write a triangle that shapes move."""
    points = np.eye(3)
    deltas = np.tile(points, (len(names), 1, 1)) * 0.01
    np.savez(path, neutral=points, deltas=deltas, names=names, triangles=[[0, 1, 2]])
    return path


def test_settings_that_cannot_work_are_refused(network: RecordingAnimator, tmp_path: Path) -> None:
    few = rig(tmp_path / "few.npz", ("jawOpen", "mouthClose"))
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: choose_encoders(["mp7"]), "unknown format mp7; choose from curves_csv"),
        (lambda: choose_encoders([]), "no format is named; choose from curves_csv"),
        (lambda: choose_encoders(["npz"], few), "is for glb and usd"),
        (lambda: choose_encoders(["glb"], few), "lacks the shapes browDownLeft, browDownRight"),
        (lambda: choose_encoders(["glb"], tmp_path / "gone.glb"), "must be a GLB, an npz or"),
        (lambda: animate([], tmp_path, network, 0.0, NPZ), "fps must be above 0 and up to 1000"),
        (lambda: animate([], tmp_path, network, math.nan, NPZ), "fps must be"),
    ]
    for call, problem in cases:
        with pytest.raises(ConfigError, match=problem):
            call()
