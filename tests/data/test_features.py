"""What is computed of a clip: half precision, at the model's own sample rate."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.corpora import clip
from tests.test_checkpoint import tiny_checkpoint
from unitaf.build import build_extractors
from unitaf.checkpoint.unitalker import encoder_space, load_checkpoint
from unitaf.config import PrepareConfig, StubConfig
from unitaf.data.features import EncoderFeatures, FeatureSet, SpeechFeatures
from unitaf.data.manifests import ClipManifest, ClipRow
from unitaf.data.payloads import decode_features, encode_features
from unitaf.errors import BackendError, ConfigError, InputError
from unitaf.tts.stub import StubSpeech
from unitaf.types import NEUTRAL, Speech, Utterance


class Loudness:
    """An audio encoder of one number: the level of every 20 ms, times a factor."""

    feature_rate = 50.0
    feature_dim = 1

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def encode(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        if any(len(waveform) < 320 for waveform in waveforms):
            raise ValueError("at least 20 ms are needed")
        return [
            self._factor * np.abs(w[: len(w) // 320 * 320]).reshape(-1, 320).mean(1, keepdims=True)
            for w in waveforms
        ]


def test_an_encoder_hears_16_khz() -> None:
    one = clip(0, 2.0)
    heard = EncoderFeatures(Loudness(), "loudness/1")
    (extracted,) = heard.extract([replace(one, sample_rate=8000)])
    assert extracted.features.shape == (200, 1)
    assert extracted.features.dtype == np.float16
    assert extracted.cost == 0.0


def test_an_engine_follows_the_clip() -> None:
    extractor = SpeechFeatures(StubSpeech())
    assert extractor.set == FeatureSet("tts", "stub/1", 50.0, 8)
    assert extractor.extract([clip(0, 2.0)])[0].features.shape == (100, 8)


def test_an_engine_that_reads_many_recordings_at_once_gets_them() -> None:
    engine, batches = StubSpeech(), []

    def encode_all(
        utterances: Sequence[Utterance], waveforms: Sequence[np.ndarray]
    ) -> list[Speech]:
        batches.append([u.id for u in utterances])
        return [engine.encode(*pair) for pair in zip(utterances, waveforms, strict=True)]

    clips = [clip(0, 2.0), clip(1, 1.0)]
    together = SpeechFeatures(engine, encode_all=encode_all)
    assert (together.batch_size, SpeechFeatures(engine).batch_size) == (engine.batch_size, 1)
    for one, other in zip(
        together.extract(clips), SpeechFeatures(engine).extract(clips), strict=True
    ):
        np.testing.assert_array_equal(one.features, other.features)
    assert batches == [[each.key for each in clips]]


class Cast(StubSpeech):
    """An engine with a voice for each speaker, and settings that recordings do not care about."""

    features_fingerprint = "cast/1"

    def __init__(self, pitch: float, **voices: str) -> None:
        self._pitch, self._voices = pitch, voices

    @property
    def fingerprint(self) -> str:
        return f"cast/1 pitch={self._pitch} voices={self._voices}"

    def voice_of(self, speaker: str) -> str:
        return self._voices.get(speaker, "")


def test_another_voice_concerns_the_clips_of_its_speaker_only() -> None:
    rows = [clip_row("k1", "ann"), clip_row("k2", "ben"), clip_row("k3", "ann")]
    anns, both = clip_manifest(rows[::2]), clip_manifest(rows)
    base, louder = SpeechFeatures(Cast(1, ann="a")), SpeechFeatures(Cast(2, ann="a", ben="b"))
    assert base.set == louder.set
    assert anns.features_key(base.voice_of) == anns.features_key(louder.voice_of)
    assert both.features_key(base.voice_of) != both.features_key(louder.voice_of)
    assert anns.features_key(base.voice_of) != clip_manifest(rows[:1]).features_key(base.voice_of)
    heard = EncoderFeatures(Loudness(), "loudness/1")
    assert anns.features_key(heard.voice_of) != anns.features_key(base.voice_of)


def test_what_an_engine_says_itself_depends_on_all_its_settings() -> None:
    sets = {SpeechFeatures(Cast(pitch), is_warped=False).set.id for pitch in (1, 2)}
    assert len(sets) == 2
    anns = clip_manifest([clip_row("k1", "ann")])
    stub = SpeechFeatures(StubSpeech())
    assert anns.features_key(stub.voice_of) == anns.features_key(lambda _: "")


def clip_row(key: str, speaker: str) -> ClipRow:
    return ClipRow(key, key, key, "train", speaker, "en", "", "given", NEUTRAL, (), 16000, 9, 9)


def clip_manifest(rows: Sequence[ClipRow]) -> ClipManifest:
    return ClipManifest("shard", "payload", 1, tuple(rows), (), ())


def test_a_clip_without_features_is_told() -> None:
    with pytest.raises(InputError, match=f"{0:032x}.*20 ms"):
        EncoderFeatures(Loudness(), "loudness/1").extract([clip(0, 0.01)])
    with pytest.raises(InputError, match="no letter"):
        SpeechFeatures(StubSpeech()).extract([replace(clip(0, 2.0), text="...")])


def test_numbers_that_half_precision_cannot_hold_are_an_error() -> None:
    with pytest.raises(BackendError, match=r"'clip0'.*float16"):
        EncoderFeatures(Loudness(1e8), "loudness/1").extract([clip(0, 2.0)])


def test_sets_are_told_apart() -> None:
    one = FeatureSet("tts", "voice/1", 80.0, 256)
    assert one.id != replace(one, fingerprint="voice/2").id
    assert one.id != replace(one, name="encoder").id


def test_features_are_read_back_by_other_programs() -> None:
    import io

    import pandas

    arrays = [np.random.default_rng(n).normal(size=(n + 3, 5)).astype("f2") for n in range(3)]
    frame = pandas.read_parquet(io.BytesIO(encode_features(["a", "b", "c"], arrays)))
    assert frame["clip_key"].tolist() == ["a", "b", "c"]
    assert frame["steps"].tolist() == [3, 4, 5]
    for data, array in zip(frame["features"], arrays, strict=True):
        np.testing.assert_array_equal(np.frombuffer(data, "<f2").reshape(-1, 5), array)
        np.testing.assert_array_equal(decode_features(data, 5), array)


def test_a_unitalker_checkpoint_lends_its_encoder(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "unitalker")
    job = PrepareConfig(tts=StubConfig(kind="stub"), encoder=str(folder))
    _, extractor = build_extractors(job)
    loaded = load_checkpoint(folder)
    space = encoder_space(loaded.description)
    assert extractor.set == FeatureSet("encoder", space.name, space.rate, space.dim)
    one = clip(0, 1.0)
    (expected,) = loaded.model.encoder.encode([one.waveform()])
    (extracted,) = extractor.extract([one])
    found = extracted.features
    np.testing.assert_allclose(found.astype(np.float32), expected, atol=2e-3)
    with pytest.raises(ConfigError, match="is not a checkpoint"):
        build_extractors(job.model_copy(update={"encoder": str(tmp_path)}))
