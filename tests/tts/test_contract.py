"""What every text-to-speech engine promises, checked against all of them."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from tests.serving.triton_server import TritonServer
from unitaf import timing
from unitaf.audio import encode_audio
from unitaf.errors import InputError
from unitaf.triton.client import Limits, TritonClient
from unitaf.triton.tensors import SPEECH_MODEL
from unitaf.tts.espeak import Espeak
from unitaf.tts.hibari import Hibari
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2_server import IndexTts2Server
from unitaf.tts.kokoro.engine import Kokoro
from unitaf.tts.stub import StubSpeech
from unitaf.tts.triton import TritonSpeech
from unitaf.types import Speech, TextToSpeech, Utterance

ENGINES = [Hibari, Kokoro, Espeak, StubSpeech, TritonSpeech, IndexTts2Server]
RATE = 22050
Make = Callable[[], TextToSpeech]
ANGRY = (0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
UTTERANCES = (
    Utterance("one", "Stop!", seed=3),
    Utterance("two", "The ship sails at dawn. Bring 3 lamps, and a map.", emotion=ANGRY),
    Utterance("three", "Who goes there?", language="en-GB", speaker="Guard", seed=7),
)


def maker(engine: Callable[..., TextToSpeech], request: pytest.FixtureRequest) -> Make:
    """Return what makes an engine; those on servers are asked for, and theirs are started."""
    if engine is Kokoro:
        return partial(Kokoro, request.getfixturevalue("kokoro_files"), "jf_alpha")
    if engine is TritonSpeech:
        server: TritonServer = request.getfixturevalue("stub_server")
        return partial(TritonSpeech, TritonClient(server.url, SPEECH_MODEL, Limits()))
    if engine is IndexTts2Server:
        server = request.getfixturevalue("indextts2_server")
        clip = request.getfixturevalue("tmp_path_factory").mktemp("voice") / "clip.wav"
        clip.write_bytes(encode_audio(np.full(RATE, 0.1, np.float32), RATE, "wav"))
        client = TritonClient(server.url, "speaking", Limits())
        voices = {"*": VoiceSource(str(clip))}
        return lambda: IndexTts2Server(client, voices, Hibari())
    return engine


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.__name__)
def make(request: pytest.FixtureRequest) -> Make:
    return maker(request.param, request)


@pytest.fixture(scope="module")
def engine(make: Make) -> TextToSpeech:
    return make()


@pytest.fixture(scope="module")
def speeches(engine: TextToSpeech) -> list[Speech]:
    return engine.synthesize(UTTERANCES)


def assert_equal(one: Speech, other: Speech) -> None:
    np.testing.assert_array_equal(one.waveform, other.waveform)
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.f0, other.f0)
    assert (one.phones, one.words) == (other.phones, other.words)


def test_gives_one_speech_for_each_utterance_in_order(
    engine: TextToSpeech, speeches: list[Speech]
) -> None:
    assert engine.synthesize([]) == []
    assert [speech.emotion for speech in speeches] == [u.emotion for u in UTTERANCES]
    spoken = [" ".join(word.text for word in speech.words) for speech in speeches]
    assert spoken == [utterance.text for utterance in UTTERANCES]


def test_waveforms_are_audio(engine: TextToSpeech, speeches: list[Speech]) -> None:
    for speech in speeches:
        assert speech.sample_rate == engine.sample_rate
        assert speech.waveform.dtype == np.float32
        assert speech.waveform.ndim == 1
        assert np.abs(speech.waveform).max() <= 1.0
        assert 0.2 < speech.duration_s < 10.0


def test_features_and_pitch_have_the_steps_of_the_clock(
    engine: TextToSpeech, speeches: list[Speech]
) -> None:
    for speech in speeches:
        samples, rate = speech.num_samples, speech.sample_rate
        assert speech.feature_rate == engine.feature_rate
        steps = timing.num_frames(samples, rate, speech.feature_rate)
        assert speech.features.shape == (steps, engine.feature_dim)
        assert speech.features.dtype == np.float32
        assert np.isfinite(speech.features).all()
        assert speech.features.std() > 0
        if speech.f0_rate:
            assert speech.f0.shape == (timing.num_frames(samples, rate, speech.f0_rate),)
            assert speech.f0.dtype == np.float32
            assert speech.f0.min() >= 0
        else:
            assert len(speech.f0) == 0


def test_phones_cover_the_waveform_without_gaps(speeches: list[Speech]) -> None:
    for speech in speeches:
        assert speech.phones[0].start_s == 0
        assert speech.phones[-1].end_s == pytest.approx(speech.duration_s, abs=1e-9)
        for phone, following in pairwise(speech.phones):
            assert phone.start_s < phone.end_s == following.start_s
            assert phone.label or following.label
        assert any(phone.label for phone in speech.phones)
        assert all(phone.stress in (0, 1, 2) for phone in speech.phones)


def test_words_lie_in_order_inside_the_waveform(speeches: list[Speech]) -> None:
    for speech in speeches:
        edges = [edge for word in speech.words for edge in (word.start_s, word.end_s)]
        assert edges == sorted(edges)
        assert 0 <= edges[0] < edges[-1] <= speech.duration_s + 1e-9


def test_the_same_utterance_gives_the_same_bytes_in_any_company(
    make: Make, engine: TextToSpeech, speeches: list[Speech]
) -> None:
    for index in (2, 0, 1):
        assert_equal(engine.synthesize([UTTERANCES[index]])[0], speeches[index])
    backwards = engine.synthesize(UTTERANCES[::-1])
    for speech, expected in zip(backwards, speeches[::-1], strict=True):
        assert_equal(speech, expected)
    assert_equal(make().synthesize(UTTERANCES[1:2])[0], speeches[1])


@pytest.mark.parametrize("text", ["", "   ", "...", "?!—", "\n\t", "\u200b"])
def test_what_cannot_be_said_is_named(engine: TextToSpeech, text: str) -> None:
    bad = Utterance("scene_7_line_3", text)
    with pytest.raises(InputError, match=r"scene_7_line_3.*nothing to say") as caught:
        engine.synthesize([UTTERANCES[0], bad])
    assert caught.value.utterance_id == "scene_7_line_3"
    assert caught.value.column == "text"


def test_says_what_it_is(make: Make, engine: TextToSpeech) -> None:
    assert engine.fingerprint == make().fingerprint
    assert engine.fingerprint_of("Ann") == make().fingerprint_of("Ann")
    assert engine.voice_of("Ann")
    assert engine.licence
    assert engine.batch_size >= 1
    assert engine.languages


def test_engines_have_different_fingerprints(request: pytest.FixtureRequest) -> None:
    found = {engine: maker(engine, request)().fingerprint for engine in ENGINES}
    # A take has the key that it would have if the engine were here.
    assert found.pop(TritonSpeech) == found[StubSpeech]
    assert len(set(found.values())) == len(found)


def test_a_recording_is_encoded_on_its_own_clock(
    engine: TextToSpeech, speeches: list[Speech]
) -> None:
    recordings = [np.append(0.5 * s.waveform, np.zeros(777, np.float32)) for s in speeches]
    encoded = [engine.encode(*pair) for pair in zip(UTTERANCES, recordings, strict=True)]
    for speech, waveform in zip(encoded, recordings, strict=True):
        np.testing.assert_array_equal(speech.waveform, waveform)
        assert 0.0 <= speech.alignment_cost < 0.5
    test_features_and_pitch_have_the_steps_of_the_clock(engine, encoded)
    test_phones_cover_the_waveform_without_gaps(encoded)
    test_words_lie_in_order_inside_the_waveform(encoded)
