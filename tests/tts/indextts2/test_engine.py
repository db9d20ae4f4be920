import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.tts.indextts2 import tiny
from tests.tts.indextts2.published import write_model
from unitaf import timing
from unitaf.errors import ConfigError, InputError
from unitaf.storage import open_storage
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.decoding import code_limit
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.maker import SpeechSettings
from unitaf.tts.indextts2.recording import recording_features
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2.search import Rules
from unitaf.tts.indextts2.synthesis import FlowSettings
from unitaf.tts.indextts2.text import TextFront
from unitaf.types import Emotion, Speech, TextToSpeech, Utterance

ANGRY: Emotion = (0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
QUICK = SpeechSettings(flow=FlowSettings(num_steps=2))
SHORT_SEGMENTS = replace(QUICK, max_text_tokens=12)
LINES = (
    Utterance("a", "The wind waits for you, my friend.", speaker="ann", seed=3),
    Utterance("b", "Stop!", speaker="ben", seed=4),
    Utterance("c", "Who goes there? Stop! Tell them we sail at dawn - quickly.", speaker="ann"),
    Utterance("d", "我们走吧!", language="zh", speaker="ben", emotion=ANGRY, seed=2**63 - 1),
    Utterance("e", "Who?", speaker="ann", seed=5),
)


def write_clip(
    path: Path, seconds: float, seed: int = 0, rate: int = 24000, channels: int = 1
) -> str:
    random = np.random.default_rng(seed)
    soundfile.write(path, 0.1 * random.standard_normal((int(seconds * rate), channels)), rate)
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, VoiceSource]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "ann": VoiceSource(write_clip(folder / "ann.wav", 1.0, 1)),
        "ben": VoiceSource(
            write_clip(folder / "ben.wav", 0.8, 2, rate=96000, channels=2),
            emotion=write_clip(folder / "sad.wav", 0.7, 3),
            alpha=0.6,
        ),
    }


def make_engine(
    model: Path,
    voices: Mapping[str, VoiceSource],
    settings: SpeechSettings = QUICK,
    batch_size: int = 4,
) -> IndexTts2:
    return IndexTts2(model, voices, settings, Hardware(batch_size=batch_size))


@pytest.fixture(scope="module")
def engine(model: Path, voices: Mapping[str, VoiceSource]) -> IndexTts2:
    return make_engine(model, voices)


@pytest.fixture(scope="module")
def speeches(engine: IndexTts2) -> list[Speech]:
    return engine.synthesize(LINES)


@pytest.fixture
def with_stop(model: Path, tmp_path: Path) -> Callable[[float], Path]:
    """Returns a model in which the code that ends a line is likelier by so much."""

    def write(bias: float) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(model, folder, copy_function=lambda a, b: Path(b).symlink_to(a))
        weights = torch.load(model / files.GPT.name, weights_only=True)
        weights["model"]["mel_head.bias"][tiny.GPT.stop_code] = bias
        (folder / files.GPT.name).unlink()
        torch.save(weights, folder / files.GPT.name)
        return folder

    return write


def assert_equal(one: Speech, other: Speech, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(one.waveform, other.waveform, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.features, other.features, rtol=tolerance, atol=tolerance)


def assert_one_clock(speeches: Sequence[Speech], engine: TextToSpeech) -> None:
    for speech in speeches:
        steps = timing.num_frames(speech.num_samples, engine.sample_rate, engine.feature_rate)
        assert speech.features.shape == (steps, engine.feature_dim)
        assert speech.features.dtype == speech.waveform.dtype == np.float32
        assert np.isfinite(speech.features).all()
        assert np.abs(speech.waveform).max() <= 1.0


def test_lines_are_on_one_clock(engine: IndexTts2, speeches: list[Speech]) -> None:
    assert isinstance(engine, TextToSpeech)
    assert engine.synthesize([]) == []
    assert_one_clock(speeches, engine)
    assert [speech.emotion for speech in speeches] == [line.emotion for line in LINES]
    assert len({speech.waveform.tobytes() for speech in speeches}) == len(LINES)


def test_a_line_of_any_kind_does_not_depend_on_its_batch(
    model: Path, voices: Mapping[str, VoiceSource], speeches: list[Speech]
) -> None:
    backwards = make_engine(model, voices, batch_size=1).synthesize(LINES[::-1])
    for speech, expected in zip(backwards, speeches[::-1], strict=True):
        assert_equal(speech, expected, tolerance=0.0)


def test_more_lines_than_a_batch_has_are_asked_for_to_be_sorted(
    engine: IndexTts2, model: Path, voices: Mapping[str, VoiceSource]
) -> None:
    assert engine.batch_size > 4
    assert make_engine(model, voices, batch_size=1).batch_size == 1


def test_a_voice_is_conditioned_once(
    engine: IndexTts2, speeches: list[Speech], model: Path, voices: Mapping[str, VoiceSource]
) -> None:
    assert engine.cast.num_runs == 3  # Two voices and the clip of an emotion.
    engine.synthesize(LINES)
    assert engine.cast.num_runs == 3
    twins = make_engine(model, {"ann": voices["ann"], "*": voices["ann"]})
    twins.synthesize(LINES[:2])
    assert twins.cast.num_runs == 1


def test_long_lines_keep_time_over_their_segments(
    model: Path, voices: Mapping[str, VoiceSource]
) -> None:
    engine = make_engine(model, voices, SHORT_SEGMENTS)
    text = "Stop! Who goes there? Tell them we sail at dawn - quickly. The wind waits, my friend."
    long = Utterance("long", text, speaker="ann", seed=1)
    (speech,) = engine.synthesize([long])
    assert_one_clock([speech], engine)
    is_silent = speech.waveform == 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_silent, [False]]).astype(int)))
    gaps = [end - start for start, end in zip(edges[::2], edges[1::2], strict=True)]
    pauses = [gap for gap in gaps if gap >= 4410]
    assert len(pauses) >= 3
    spoken = speech.num_samples - 4410 * len(pauses)
    assert spoken % 256 == 0  # Segments are whole mel frames, and nothing else is between them.
    assert not is_silent[:2].all()
    assert not is_silent[-2:].all()


def test_what_a_face_needs_is_there_without_sound(
    model: Path, voices: Mapping[str, VoiceSource], speeches: list[Speech]
) -> None:
    silent = make_engine(model, voices, replace(QUICK, has_sound=False))
    for speech, expected in zip(silent.synthesize(LINES), speeches, strict=True):
        assert speech.num_samples == expected.num_samples
        assert not speech.waveform.any()
        np.testing.assert_allclose(speech.features, expected.features, rtol=1e-4, atol=1e-4)


def test_emotions_change_what_is_said(
    engine: IndexTts2, model: Path, voices: Mapping[str, VoiceSource]
) -> None:
    line = LINES[0]
    (plain, angry) = engine.synthesize([line, replace(line, id="x", emotion=ANGRY)])
    assert angry.waveform.tobytes() != plain.waveform.tobytes()
    as_ben = replace(line, speaker="ben")
    (moved,) = engine.synthesize([as_ben])
    unmoved = make_engine(model, {"ben": VoiceSource(voices["ben"].reference)})
    assert unmoved.synthesize([as_ben])[0].waveform.tobytes() != moved.waveform.tobytes()


def test_a_take_is_known_by_its_voice_alone(
    model: Path, voices: Mapping[str, VoiceSource], tmp_path: Path
) -> None:
    clips = dict(voices)
    engine = make_engine(model, clips)
    assert engine.fingerprint_of("ann") != engine.fingerprint_of("ben")
    assert engine.voice_of("zed") == "none"
    moved = Path(shutil.copy(voices["ann"].reference, tmp_path / "moved.wav"))
    more = make_engine(model, clips | {"zed": VoiceSource(str(moved))})
    assert more.fingerprint != engine.fingerprint
    assert more.fingerprint_of("ben") == engine.fingerprint_of("ben")
    assert more.fingerprint_of("zed") == engine.fingerprint_of("ann")
    louder = make_engine(model, clips | {"ben": replace(voices["ben"], alpha=0.7)})
    assert louder.fingerprint_of("ben") != engine.fingerprint_of("ben")
    greedy = make_engine(model, clips, replace(QUICK, rules=Rules(sampling=None)))
    assert greedy.fingerprint_of("ann") != engine.fingerprint_of("ann")


def test_a_glossary_is_followed_and_known_by_the_takes(
    with_stop: Callable[[float], Path], voices: Mapping[str, VoiceSource], speeches: list[Speech]
) -> None:
    folder = with_stop(tiny.STOP_BIAS)
    plain = make_engine(folder, voices)
    (folder / "glossary.yaml").write_text("my friend: who goes there\n")
    engine = make_engine(folder, voices)
    read, unread = engine.synthesize([LINES[0], LINES[4]])
    assert read.features.tobytes() != speeches[0].features.tobytes()
    assert_equal(unread, speeches[4])
    assert engine.fingerprint_of("ann") != plain.fingerprint_of("ann")
    assert engine.features_fingerprint != plain.features_fingerprint
    (folder / "glossary.yaml").write_text("my friend: [1]\n")
    with pytest.raises(ConfigError, match="give 'my friend' a reading"):
        make_engine(folder, voices)


def test_how_lines_are_made_does_not_change_how_recordings_are_read(
    model: Path, voices: Mapping[str, VoiceSource], with_stop: Callable[[float], Path]
) -> None:
    engine = make_engine(model, voices)
    other = make_engine(model, {"ann": voices["ben"]}, replace(QUICK, has_sound=False))
    assert other.features_fingerprint == engine.features_fingerprint
    assert other.features_fingerprint.split()[0] == engine.fingerprint.split()[0]
    changed = make_engine(with_stop(0.25), voices)
    assert changed.features_fingerprint != engine.features_fingerprint


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"text": "Ветер ждёт."}, "text", "cannot read"),
        ({"text": "?!"}, "text", "nothing to say"),
        ({"language": "fr"}, "language", "English and Chinese"),
        ({"speaker": "zed"}, "speaker", "no voice for 'zed'"),
    ],
)
def test_what_cannot_be_said_is_named(
    engine: IndexTts2, change: dict[str, str], column: str, reason: str
) -> None:
    bad = replace(LINES[0], id="scene_7", **change)
    with pytest.raises(InputError, match=reason) as caught:
        engine.synthesize([LINES[1], bad])
    assert (caught.value.utterance_id, caught.value.column) == ("scene_7", column)


def test_texts_are_read_once_though_a_line_among_them_is_refused(
    engine: IndexTts2, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, pieces = [], TextFront.pieces

    def spy(front: TextFront, text: str) -> list[str]:
        read.append(text)
        return pieces(front, text)

    monkeypatch.setattr(TextFront, "pieces", spy)
    first, second = (replace(LINES[number], id=f"new {number}") for number in (1, 4))
    bad = replace(LINES[0], id="bad", text="Ветер ждёт.")
    with pytest.raises(InputError):
        engine.synthesize([first, bad, second])
    engine.synthesize([first, second])
    assert read == [first.text, bad.text, second.text]


@pytest.mark.parametrize(("bias", "reason"), [(-99.0, "did not come to an end"), (99.0, "no spee")])
def test_a_line_that_does_not_stop_or_start_is_refused_alone(
    with_stop: Callable[[float], Path],
    voices: Mapping[str, VoiceSource],
    bias: float,
    reason: str,
) -> None:
    settings = replace(QUICK, rules=Rules(num_beams=1))
    engine = make_engine(with_stop(bias), voices, settings)
    with pytest.raises(InputError, match=reason) as caught:
        engine.synthesize([LINES[4]])
    assert caught.value.utterance_id == "e"


def test_a_line_may_be_as_long_as_its_text_asks_for(
    with_stop: Callable[[float], Path], voices: Mapping[str, VoiceSource]
) -> None:
    folder = with_stop(-99.0)
    engine = make_engine(folder, voices, replace(QUICK, rules=Rules(num_beams=1)))
    front = TextFront(folder / files.TOKENISER.name)
    limit = code_limit(len(front.pieces(LINES[4].text)))
    assert limit < tiny.GPT.max_codes
    with pytest.raises(InputError, match=f"in {limit / 50:.0f} s of speech"):
        engine.synthesize([LINES[4]])


def test_segments_that_read_alike_are_drawn_apart(
    model: Path, voices: Mapping[str, VoiceSource]
) -> None:
    line = Utterance("twice", "Tell them we sail. " * 2, speaker="ann", seed=1)
    front = TextFront(model / files.TOKENISER.name)
    one, two = front.segments(front.pieces(line.text), 12)
    assert one == two
    (speech,) = make_engine(model, voices, SHORT_SEGMENTS).synthesize([line])
    length = (speech.num_samples - 4410) // 2
    assert speech.waveform[:length].tobytes() != speech.waveform[-length:].tobytes()


def test_a_recording_is_read_on_its_own_clock(engine: IndexTts2) -> None:
    random = np.random.default_rng(5)
    for samples in (22050, 30001):
        recording = 0.1 * random.standard_normal(samples, np.float32)
        heard = engine.encode(LINES[0], recording)
        np.testing.assert_array_equal(heard.waveform, recording)
        assert_one_clock([heard], engine)
        read = [engine.recording(LINES[0], recording, 22050)]
        (features,) = recording_features(engine.networks, read, engine.hear(read))
        np.testing.assert_array_equal(heard.features[: len(features)], features.numpy())
        angry = engine.encode(replace(LINES[0], emotion=ANGRY), recording)
        assert np.abs(angry.features - heard.features).max() > 1e-3


def test_recordings_are_read_together(engine: IndexTts2) -> None:
    random = np.random.default_rng(6)
    waveforms = [0.1 * random.standard_normal(n, np.float32) for n in (30001, 9000, 22050)]
    together = engine.encode_all(LINES[:3], waveforms)
    for line, waveform, speech in zip(LINES, waveforms, together, strict=False):
        assert_equal(speech, engine.encode(line, waveform))
        assert speech.emotion == line.emotion


@pytest.mark.parametrize(
    ("samples", "reason"), [(1000, r"shorter than 0\.1 s"), (200_000, r"9\.1 s long; 8\.4 s are")]
)
def test_a_recording_that_cannot_be_read_is_named(
    engine: IndexTts2, samples: int, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        engine.encode_all(LINES[:2], [np.zeros(22050, np.float32), np.zeros(samples, np.float32)])
    assert (caught.value.utterance_id, caught.value.column) == ("b", "audio")


def test_a_reference_may_lie_on_a_server(
    model: Path, voices: Mapping[str, VoiceSource], speeches: list[Speech], s3_store_uri: str
) -> None:
    open_storage(s3_store_uri).create("ann.wav", Path(voices["ann"].reference).read_bytes())
    engine = make_engine(model, {"ann": VoiceSource(f"{s3_store_uri}/ann.wav")})
    assert_equal(engine.synthesize(LINES[:1])[0], speeches[0])
    with pytest.raises(ConfigError, match="no reference clip"):
        make_engine(model, {"ann": VoiceSource(f"{s3_store_uri}/bob.wav")})


def test_a_reference_that_is_no_use_stops_before_the_start(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(24000), 24000)
    (tmp_path / "text.wav").write_text("no sound")
    write_clip(tmp_path / "short.wav", 0.2)
    for name, problem in {
        "silent": "is silent",
        "short": "0.20 s long",
        "text": "reference clip",
        "none": "cannot read the reference clip",
    }.items():
        with pytest.raises(ConfigError, match=problem):
            make_engine(model, {"ann": VoiceSource(str(tmp_path / f"{name}.wav"))})


def test_a_reference_that_changes_in_a_run_is_noticed(model: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "ann.wav", 1.0)
    engine = make_engine(model, {"*": VoiceSource(clip)})
    write_clip(tmp_path / "ann.wav", 1.0, seed=7)
    with pytest.raises(ConfigError, match="has changed"):
        engine.synthesize(LINES[:1])


def test_a_missing_file_stops_before_the_start(
    with_stop: Callable[[float], Path], voices: Mapping[str, VoiceSource]
) -> None:
    folder = with_stop(0.0)
    (folder / files.CODEC.name).unlink()
    with pytest.raises(ConfigError, match=r"semantic_codec.* is missing: it comes from"):
        make_engine(folder, voices)
    with pytest.raises(ConfigError, match="is not a folder"):
        make_engine(folder / "none", voices)
