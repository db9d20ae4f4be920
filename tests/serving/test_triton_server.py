"""A real Triton server on a written repository gives what the engine and the face give here."""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
from tritonclient.grpc.service_pb2 import ModelStatistics
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.serving import faulty_model
from tests.serving.triton_server import TritonServer
from unitaf import timing
from unitaf.build import build_face, build_tts
from unitaf.config import load_config
from unitaf.errors import BackendError, BackendUnavailable, ConfigError, InputError
from unitaf.face.moods import animate_moods
from unitaf.face.triton import TritonFace
from unitaf.face.visemes import VisemeAnimator
from unitaf.script.lexicon import Lexicon
from unitaf.triton.client import Limits, TritonClient
from unitaf.triton.tensors import (
    FACE_MODEL,
    SPEECH_MODEL,
    TAKE_MODEL,
    Tensors,
    encode_speech,
    encode_utterance,
)
from unitaf.tts.acting import Actor
from unitaf.tts.stub import StubSpeech
from unitaf.tts.triton import TritonSpeech
from unitaf.types import Speech, Utterance

LINES = [
    Utterance(f"l{i}", f"Line {i}. Who goes there?", emotion=(0, i / 64) + (0.0,) * 6, seed=i)
    for i in range(64)
]
IMPATIENT = Limits(timeout_s=5, retry_budget_s=0.5, max_in_flight=8)


@pytest.fixture(scope="module")
def tts(stub_server: TritonServer) -> TritonSpeech:
    return speech_of(stub_server, SPEECH_MODEL, Limits(max_in_flight=32))


@pytest.fixture(scope="module")
def face(stub_server: TritonServer) -> TritonFace:
    return TritonFace(TritonClient(stub_server.url, FACE_MODEL, Limits()))


def speech_of(server: TritonServer, model: str, limits: Limits = IMPATIENT) -> TritonSpeech:
    return TritonSpeech(TritonClient(server.url, model, limits))


def statistics(server: TritonServer, model: str) -> ModelStatistics:
    """Return what a server has counted of a model."""
    with tritonclient.grpc.InferenceServerClient(server.url.removeprefix("grpc://")) as client:
        [found] = client.get_inference_statistics(model).model_stats
    return found


def assert_same(ours: Sequence[Speech], theirs: Sequence[Speech]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        for name in ("waveform", "features", "f0"):
            mine, its = getattr(one, name), getattr(other, name)
            assert (mine.shape, mine.tobytes()) == (its.shape, its.tobytes())
        for name in ("phones", "words", "emotion", "moods"):
            assert getattr(one, name) == getattr(other, name)


def test_the_engine_there_says_what_the_engine_here_says_of_itself(tts: TritonSpeech):
    here = StubSpeech()
    for name in (
        *("sample_rate", "feature_rate", "feature_dim", "languages", "has_phones", "licence"),
        *("fingerprint", "features_fingerprint"),
    ):
        assert getattr(tts, name) == getattr(here, name)
    assert tts.fingerprint_of("Ann") == here.fingerprint_of("Ann")
    assert tts.voice_of("Ann") == here.voice_of("Ann")


def test_lines_are_said_bit_for_bit_and_in_batches(stub_server: TritonServer, tts: TritonSpeech):
    before = statistics(stub_server, SPEECH_MODEL)
    assert_same(tts.synthesize(LINES), StubSpeech().synthesize(LINES))
    lines, batches = 0, 0
    while lines < len(LINES):  # a server counts a line after it has sent it
        after = statistics(stub_server, SPEECH_MODEL)
        lines = after.inference_count - before.inference_count
        batches = after.execution_count - before.execution_count
    assert batches < lines / 2


def test_a_recording_is_encoded_bit_for_bit(tts: TritonSpeech):
    waveform = np.linspace(-1, 1, 12345, dtype=np.float32)
    expected = StubSpeech().encode(LINES[0], waveform)
    assert_same([tts.encode(LINES[0], waveform)], [expected])


def test_the_face_moves_as_the_face_here(face: TritonFace):
    here = VisemeAnimator()
    assert (face.fingerprint, face.licence) == (here.fingerprint, here.licence)
    speeches = StubSpeech().synthesize(LINES[:16])
    found = face.animate(LINES[:16], speeches, 29.97)
    for one, other in zip(found, here.animate(LINES[:16], speeches, 29.97), strict=True):
        # Another numpy computes there; takes of one environment are compared in test_triton_runs.
        np.testing.assert_allclose(one.curves, other.curves, atol=1e-6)


def test_32_clients_at_once_are_all_served(stub_server: TritonServer):
    expected = StubSpeech().synthesize(LINES)

    def ask(index: int) -> list[Speech]:
        return speech_of(stub_server, SPEECH_MODEL, Limits()).synthesize(LINES[2 * index :][:2])

    with ThreadPoolExecutor(32) as clients:
        found = [speech for pair in clients.map(ask, range(32)) for speech in pair]
    assert_same(found, expected)


def test_a_take_is_streamed_piece_by_piece(stub_server: TritonServer, tmp_path: Path):
    # The last sentence is not said before the first has come.
    come = tmp_path / "come"
    line = Utterance("a", "One. Two. Wait.", speaker=str(come))
    fps = np.array([[30.0]])
    pieces = asyncio.run(stream(stub_server, line, faulty_model.TAKE_NAME, come.touch, fps=fps))
    assert [bool(piece["is_last"][0, 0]) for piece in pieces] == [False, False, True]
    samples = sum(piece["waveform"].shape[1] for piece in pieces)
    curves = np.concatenate([piece["curves"][0] for piece in pieces])
    assert len(curves) == timing.num_frames(samples, StubSpeech().sample_rate, 30.0)


MARKED = (
    "Put the [maps](=charts) back, [emphasis][Ben](/bˈɛn/)[/emphasis]. [pause 0.3s]"
    " [emotion: angry] Stop it! [emotion: happy:0.6] Maybe Bob brought a boat."
)


def in_words(line: Utterance) -> Utterance:
    """Return a line as `generate` gives it to the silent engine, which reads no sounds."""
    text = Lexicon([]).apply(line.text, line.language, line.speaker, reads_ipa=False)
    return replace(line, text=text)


def test_a_line_with_marks_is_the_same_by_every_way_through_a_server(stub_server: TritonServer):
    line = Utterance("a", MARKED, seed=2)
    tts = speech_of(stub_server, SPEECH_MODEL)
    face = TritonFace(TritonClient(stub_server.url, FACE_MODEL, IMPATIENT))
    [speech] = Actor(StubSpeech()).synthesize([in_words(line)])
    assert len(speech.moods) == 3
    assert_same(Actor(tts).synthesize([line]), [speech])
    assert_same(tts.synthesize([line]), [speech])  # as other clients ask, which know no marks
    [local] = animate_moods(VisemeAnimator(), [line], [speech], 30.0)
    [there] = animate_moods(face, [line], [speech], 30.0)
    # Another numpy computes there; takes of one environment are compared in test_triton_runs.
    np.testing.assert_allclose(there.curves, local.curves, atol=1e-6)
    answer = TritonClient(stub_server.url, FACE_MODEL, IMPATIENT).ask(
        [("a", {**encode_utterance(line), **encode_speech(speech), "fps": np.array([[30.0]])})]
    )[0]
    np.testing.assert_allclose(answer["curves"][0], local.curves, atol=1e-6)
    pieces = asyncio.run(stream(stub_server, line))
    sound = np.concatenate([piece["waveform"][0] for piece in pieces])
    np.testing.assert_array_equal(sound, speech.waveform)
    curves = np.concatenate([piece["curves"][0] for piece in pieces])
    settled = int(pieces[-1]["first_frame"][0, 0]) + 9  # a quarter of a second later
    assert settled < len(curves) == len(local.curves)
    np.testing.assert_allclose(curves[settled:], local.curves[settled:], atol=1e-6)


def test_a_line_with_marks_in_one_piece_is_streamed_as_it_is_made_at_once(
    stub_server: TritonServer,
):
    line = Utterance("a", "[pause 0.7s] Bring the [maps](/mˈæps/). [pause 300ms]")
    [piece] = asyncio.run(stream(stub_server, line))
    [speech] = Actor(StubSpeech()).synthesize([in_words(line)])
    [motion] = animate_moods(VisemeAnimator(), [line], [speech], 30.0)
    np.testing.assert_array_equal(piece["waveform"][0], speech.waveform)
    np.testing.assert_allclose(piece["curves"][0], motion.curves, atol=1e-6)


def test_a_line_that_cannot_be_said_ends_its_stream_with_the_reason(stub_server: TritonServer):
    with pytest.raises(InferenceServerException, match=r"line refused, column text: .*nothing to"):
        asyncio.run(stream(stub_server, Utterance("a", "...")))


def test_a_stream_that_fails_is_told_and_the_next_is_served(stub_server: TritonServer):
    line, model = Utterance("a", "Hello."), faulty_model.TAKE_NAME
    for _ in range(2):
        with pytest.raises(InferenceServerException, match=r"ValueError: .*not a number"):
            asyncio.run(stream(stub_server, line, model))
    assert re.search(r"Traceback.*ValueError: [^\n]*not a number", stub_server.log, re.DOTALL)
    pieces = asyncio.run(stream(stub_server, line, model, fps=np.array([[24.0]])))
    assert len(pieces) == 1


async def stream(
    server: TritonServer,
    line: Utterance,
    model: str = TAKE_MODEL,
    see: Callable[[], None] = lambda: None,
    **more: np.ndarray,
) -> list[Tensors]:
    """Return the pieces of a line; call `see` as each comes."""
    inputs = []
    for name, tensor in {**encode_utterance(line), **more}.items():
        each = tritonclient.grpc.InferInput(name, tensor.shape, np_to_triton_dtype(tensor.dtype))
        inputs.append(each.set_data_from_numpy(tensor))

    async def requests():
        yield {"model_name": model, "inputs": inputs}

    pieces = []
    address = server.url.removeprefix("grpc://")
    async with tritonclient.grpc.aio.InferenceServerClient(address) as client:
        async for answer, error in client.stream_infer(requests()):
            if error is not None:
                raise error
            see()
            outputs = answer.get_response().outputs
            pieces.append({output.name: answer.as_numpy(output.name) for output in outputs})
    return pieces


def test_a_bad_line_is_named_and_not_tried_again(
    tts: TritonSpeech, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(InputError, match="nothing to say") as caught:
        tts.synthesize([LINES[0], Utterance("bad", "..."), Utterance("worse", "?")])
    assert (caught.value.utterance_id, caught.value.column) == ("bad", "text")
    assert not caplog.records  # each try after the first is told


def test_a_model_that_is_not_there_is_named(stub_server: TritonServer):
    with pytest.raises(ConfigError, match=rf"there is no model 'nope' of {stub_server.url}"):
        _ = speech_of(stub_server, "nope").fingerprint


def test_a_face_is_no_engine(stub_server: TritonServer):
    with pytest.raises(ConfigError, match=r"model 'unitaf_face' of .* makes no speech"):
        _ = speech_of(stub_server, FACE_MODEL).fingerprint


def ask_for_harm(server: TritonServer, harm: str, limits: Limits = IMPATIENT) -> None:
    speech_of(server, faulty_model.NAME, limits).synthesize([replace(LINES[0], speaker=harm)])


def test_a_server_that_is_slow_is_tried_again_and_then_given_up(stub_server: TritonServer):
    hasty = Limits(timeout_s=0.2, retry_budget_s=1, max_in_flight=1)
    with pytest.raises(BackendUnavailable, match=r"grpc://.*gave up after 1 s: no answer in 0.2 s"):
        ask_for_harm(stub_server, "slow", hasty)


def test_a_model_that_fails_is_told_and_not_tried_again(stub_server: TritonServer):
    with pytest.raises(BackendError, match=r"model 'faulty' of grpc.*of memory, time 1") as caught:
        ask_for_harm(stub_server, "failing")
    assert not isinstance(caught.value, BackendUnavailable)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_busy_is_tried_again(
    stub_server: TritonServer, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(InputError, match="at last"):
        ask_for_harm(stub_server, "busy_twice", replace(IMPATIENT, retry_budget_s=30))
    assert sum("trying again" in record.getMessage() for record in caplog.records) >= 2


def test_a_server_that_stays_busy_is_given_up(stub_server: TritonServer):
    with pytest.raises(BackendUnavailable, match=r"grpc://.*gave up after 0.5 s: .*come again"):
        ask_for_harm(stub_server, "busy")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("misshapen", "is no speech"),
        ("flat", "is no speech"),
        ("other_rate", "is at 8000 Hz, not at 16000"),
    ],
)
def test_what_is_no_speech_of_the_engine_is_told(stub_server: TritonServer, harm: str, told: str):
    with pytest.raises(BackendError, match=rf"'faulty' of grpc://.*: its answer {told}"):
        ask_for_harm(stub_server, harm)


def test_a_server_that_is_not_there_is_named():
    client = TritonClient("grpc://127.0.0.1:9", SPEECH_MODEL, IMPATIENT)
    with pytest.raises(BackendUnavailable, match=r"grpc://127.0.0.1:9: gave up after 0.5 s"):
        TritonSpeech(client).load()


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "http://host:8000", "grpc://host", "grpc://"])
def test_what_is_no_address_is_told_at_once(url: str):
    with pytest.raises(ConfigError, match="give a server as grpc://host:8001"):
        TritonClient(url, SPEECH_MODEL, Limits())


def test_a_host_that_does_not_exist_is_told_at_once():
    client = TritonClient("grpc://no-such-host.invalid:8001", SPEECH_MODEL, Limits())
    with pytest.raises((ConfigError, BackendUnavailable), match=r"no-such-host\.invalid"):
        TritonSpeech(client).load()


def test_a_job_finds_engine_and_face_on_the_server(stub_server: TritonServer):
    where = f"{{kind: triton, url: '{stub_server.url}'}}"
    job = load_config(None, [f"tts={where}", f"face={where}"])
    tts = build_tts(job.tts)
    face = build_face(job.face, tts)
    assert tts.fingerprint == StubSpeech().fingerprint
    assert face.fingerprint == VisemeAnimator().fingerprint


def test_a_model_whose_process_died_is_told_and_well_after_a_restart(stub_server: TritonServer):
    tts = speech_of(stub_server, SPEECH_MODEL)
    tts.load()
    for process in stub_server.processes():
        if SPEECH_MODEL in " ".join(process.cmdline()):
            process.kill()
    try:
        with pytest.raises(BackendUnavailable, match=r"'unitaf_tts' of .* is not healthy"):
            tts.synthesize(LINES[:1])
    finally:
        stub_server.kill()
        stub_server.start()
    assert_same(tts.synthesize(LINES[:1]), StubSpeech().synthesize(LINES[:1]))
