"""From recordings to clips: cut, put on one rate, and refused with the right reason."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.data.captures import babble, moving
from unitaf import timing
from unitaf.config import ClipsConfig
from unitaf.data.clips import Clip, ClipMaker
from unitaf.data.manifests import (
    ClipManifest,
    ClipRow,
    decode_clip_manifest,
    encode_manifest,
)
from unitaf.data.payloads import decode_clips, encode_clips
from unitaf.data.reading import Capture
from unitaf.data.recordings import Recording, Refusal
from unitaf.errors import InputError
from unitaf.rigs.arkit import CHANNELS, UNITAF_61, UNITALKER_51
from unitaf.types import NEUTRAL, Emotion, FaceMotion, Utterance

RECORDING = Recording("take", "take.wav", "take.npy", speaker="ann")


def capture(duration_s: float = 3.0, fps: float = 30.0, text: str = "Hello there.") -> Capture:
    frames = round(duration_s * fps)
    motion = FaceMotion(moving(frames, 61) * 0.9, UNITAF_61, fps)
    return Capture(babble(duration_s).astype(np.float32), 16000, motion, text)


def make(taken: Capture, recording: Recording = RECORDING, **rules: float) -> list[Clip | Refusal]:
    return list(ClipMaker(ClipsConfig(**rules), None).make(recording, taken))


def only_clip(taken: Capture, recording: Recording = RECORDING, **rules: float) -> Clip:
    (clip,) = make(taken, recording, **rules)
    assert isinstance(clip, Clip), clip
    return clip


@pytest.mark.parametrize(("source_fps", "fps"), [(30.0, 60.0), (60.0, 25.0), (29.97, 29.97)])
def test_curves_come_by_name_and_on_the_sample_clock(source_fps: float, fps: float) -> None:
    taken = capture(fps=source_fps)
    clip = only_clip(taken, fps=fps)
    frames = timing.num_frames(clip.num_samples, clip.sample_rate, fps)
    assert clip.curves.shape == (frames, 61)
    times = np.arange(frames) / fps
    jaw = taken.motion.curves[:, UNITAF_61.index("jawOpen")]
    expected = np.interp(times, np.arange(len(jaw)) / source_fps, jaw)
    found = clip.curves[:, CHANNELS.index("jawOpen")]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_channels_that_the_capture_lacks_are_named_and_at_rest() -> None:
    taken = capture()
    motion = FaceMotion(taken.motion.curves[:, :51], UNITALKER_51, 30.0)
    clip = only_clip(replace(taken, motion=motion))
    assert set(clip.channels) == set(UNITALKER_51)
    missing = [CHANNELS.index(name) for name in set(CHANNELS) - set(UNITALKER_51)]
    assert not clip.curves[:, missing].any()


def test_the_key_is_the_content() -> None:
    clip = only_clip(capture())
    assert only_clip(capture()).key == clip.key
    other = replace(RECORDING, id="other", speaker="bob", split="val")
    assert only_clip(capture(), other).key == clip.key
    changed = {
        only_clip(capture(text="Hello.")).key,
        only_clip(capture(), fps=50.0).key,
        only_clip(capture(), replace(RECORDING, language="en-GB")).key,
        only_clip(replace(capture(), waveform=capture().waveform * 0.5)).key,
        clip.key,
    }
    assert len(changed) == 5


def test_clips_are_read_back_as_they_were_written() -> None:
    import io

    import pyarrow.parquet as pq

    made = [only_clip(capture()), only_clip(capture(text="Again."), replace(RECORDING, id="two"))]
    read = list(decode_clips(pq.read_table(io.BytesIO(encode_clips(made)))))
    for one, other in zip(made, read, strict=True):
        np.testing.assert_array_equal(one.curves, other.curves)
        assert replace(one, curves=other.curves) == other or one.audio == other.audio
        for name in ("key", "id", "text", "emotion", "channels", "num_samples", "start_s", "split"):
            assert getattr(one, name) == getattr(other, name)


class Ear:
    """Hears one emotion in all that Ann says, and nothing in anybody else."""

    fingerprint = "ear/1"
    heard: Emotion = (0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)

    def voice_of(self, speaker: str) -> str:
        return speaker

    def hear(self, utterance: Utterance, waveform: np.ndarray, sample_rate: int) -> Emotion:
        if utterance.speaker != "ann":
            raise InputError(utterance.id, "she is not Ann", column="speaker")
        assert (len(waveform), sample_rate) == (3 * 16000, 16000)
        return self.heard


def heard(recording: Recording) -> Clip | Refusal:
    (made,) = ClipMaker(ClipsConfig(), None, Ear()).make(recording, capture())
    return made


def test_an_emotion_is_heard_where_there_is_no_tag() -> None:
    clip, untouched = heard(RECORDING), only_clip(capture())
    assert isinstance(clip, Clip)
    assert (clip.emotion, clip.emotion_source) == (Ear.heard, "recording")
    assert (untouched.emotion, untouched.emotion_source) == (NEUTRAL, "tags")
    # It is in the sound: who reads the sound is not told of it.
    assert clip.utterance.emotion == Ear.heard
    assert clip.recorded == replace(untouched.utterance, id=clip.key)
    tagged = replace(RECORDING, emotion=Ear.heard)
    kept = heard(tagged)
    assert isinstance(kept, Clip)
    assert kept.emotion_source == "tags"
    assert kept.recorded == kept.utterance
    assert kept.key == only_clip(capture(), tagged).key
    assert len({clip.key, kept.key, untouched.key}) == 3


def test_a_clip_whose_emotion_cannot_be_told_is_refused() -> None:
    refused = heard(replace(RECORDING, speaker="ben"))
    assert refused == Refusal("take", "speaker", "she is not Ann")


def test_clips_from_before_emotions_were_heard_have_those_of_tags() -> None:
    import io
    import json

    import pyarrow.parquet as pq

    clip = only_clip(capture())
    table = pq.read_table(io.BytesIO(encode_clips([clip]))).drop_columns(["emotion_source"])
    (read,) = decode_clips(table)
    assert (read.key, read.emotion_source) == (clip.key, "tags")
    row = ClipRow(
        clip.key, "take", "take", "train", "ann", "en", "Hi.", "given", NEUTRAL, (), 16000, 9, 1
    )
    manifest = ClipManifest("shard", "clips/a.parquet", 9, (row,), (), ())
    value = json.loads(encode_manifest(manifest))
    del value["clips"][0]["emotion_source"]
    assert decode_clip_manifest(json.dumps(value).encode()) == manifest


def with_curves(change: Callable[[np.ndarray], None]) -> Capture:
    taken = capture()
    curves = taken.motion.curves.copy()
    change(curves)
    return replace(taken, motion=replace(taken.motion, curves=curves))


def put(rows: slice, column: int | slice, value: float) -> Callable[[np.ndarray], None]:
    def change(curves: np.ndarray) -> None:
        curves[rows, column] = value

    return change


def renamed(name: str) -> Capture:
    taken = capture()
    channels = (name, *UNITAF_61[1:])
    return replace(taken, motion=replace(taken.motion, channels=channels))


@pytest.mark.parametrize(
    ("taken", "cause", "reason"),
    [
        (
            replace(capture(), waveform=capture(4.0).waveform),
            "lengths differ",
            "4.00 s and .* 3.00",
        ),
        (replace(capture(), waveform=capture().waveform * 1e-3), "silent audio", "no speech"),
        (replace(capture(), waveform=np.sign(capture().waveform)), "clipped audio", "full scale"),
        (with_curves(put(slice(40, 41), 3, np.nan)), "not a number", "eyeSquintRight"),
        (with_curves(put(slice(40, 45), 19, 1.4)), "out of range", "jawOpen reaches 1.4"),
        (with_curves(put(slice(40, 45), 19, -0.4)), "out of range", "jawOpen reaches -0.4"),
        (with_curves(put(slice(None), 52, 12.0)), "out of range", "headYaw reaches 12 radians"),
        (with_curves(put(slice(10, 60), slice(None), 0.2)), "frozen curves", "stands still for 1"),
        (renamed("klingon"), "unknown channels", "there are no channels klingon"),
        (renamed("jawOpen"), "unknown channels", "stands twice"),
        (capture(0.4), "too short", "0.40 s"),
        (capture(text=""), "no transcriber", "has no text"),
        (capture(25.0), "no transcriber", "lasts 25 s and must be cut"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    taken: Capture, cause: str, reason: str
) -> None:
    import re

    (refusal,) = make(taken)
    assert isinstance(refusal, Refusal), refusal
    assert (refusal.recording, refusal.cause) == ("take", cause)
    assert re.search(reason, refusal.reason), refusal.reason


def test_small_faults_of_a_capture_are_mended() -> None:
    clip = only_clip(with_curves(put(slice(40, 45), 19, 1.05)))
    assert clip.curves.max() == 1.0
    short = replace(capture(), waveform=capture(3.2).waveform)
    assert only_clip(short).num_samples == 48000


def test_a_split_is_decided_by_what_is_said() -> None:
    splits = {
        text: only_clip(capture(text=text), replace(RECORDING, id=str(n))).split
        for n, text in enumerate(f"Line {i}." for i in range(60))
    }
    assert {"train", "val", "test"} >= set(splits.values())
    assert 40 < list(splits.values()).count("train") < 60
    again = replace(RECORDING, id="again", speaker="bob")
    for text, split in splits.items():
        assert only_clip(capture(text=text.upper()), again).split == split
    assert only_clip(capture(), replace(RECORDING, split="test")).split == "test"
