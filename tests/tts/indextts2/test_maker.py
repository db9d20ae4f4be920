"""What a line is does not depend on the lines that it is made with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tts.indextts2.published import write_model
from tests.tts.indextts2.test_decoding import LENGTHS, MODES
from tests.tts.indextts2.test_engine import QUICK, write_clip
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.engine import Hardware, IndexTts2
from unitaf.tts.indextts2.maker import SpeechSettings, stage_limits
from unitaf.tts.indextts2.references import VoiceSource
from unitaf.tts.indextts2.text import TextFront
from unitaf.types import Speech, Utterance

WORDS = ("tell", "them", "we", "sail", "at", "dawn", "who", "goes", "there", "my", "friend", "wind")

MakeEngine = Callable[[SpeechSettings, int], IndexTts2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def make_engine(model: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeEngine:
    folder = tmp_path_factory.mktemp("clips")
    voices = {
        name: VoiceSource(write_clip(folder / f"{name}.wav", seconds, seed))
        for seed, (name, seconds) in enumerate({"ann": 1.0, "ben": 0.6}.items())
    }

    def make(settings: SpeechSettings, batch_size: int) -> IndexTts2:
        return IndexTts2(model, voices, settings, Hardware(batch_size=batch_size))

    return make


@pytest.fixture(scope="module")
def lines(model: Path) -> list[Utterance]:
    """Lines of 5 to 120 tokens, each of one segment."""
    front = TextFront(model / files.TOKENISER.name)

    def text(tokens: int, seed: int) -> str:
        random, said = np.random.default_rng(seed), "wait"
        while len(front.pieces(said)) < tokens - 1:
            said += f" {random.choice(WORDS)}"
        return said

    return [
        Utterance(
            str(number), text(tokens, number), speaker=("ann", "ben")[number % 2], seed=number
        )
        for number, tokens in enumerate(LENGTHS)
    ]


def say(engine: IndexTts2, lines: list[Utterance], seed: int) -> dict[str, Speech]:
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(seed)).tolist()
    shuffled = [lines[index] for index in order]
    return {u.id: speech for u, speech in zip(shuffled, engine.synthesize(shuffled), strict=True)}


@pytest.mark.parametrize("mode", MODES)
def test_batches_of_any_size_and_order_give_the_bytes_of_lines_alone(
    make_engine: MakeEngine, lines: list[Utterance], mode: str
) -> None:
    # The sound is made alone in any case: one mode shows it.
    settings = replace(QUICK, rules=MODES[mode], has_sound=mode == "beam_sample")
    alone = say(make_engine(settings, 1), lines, 1)
    assert len({speech.num_samples for speech in alone.values()}) > 1
    for batch_size in (4, 16):
        for name, speech in say(make_engine(settings, batch_size), lines, batch_size).items():
            assert speech.features.tobytes() == alone[name].features.tobytes()
            assert speech.waveform.tobytes() == alone[name].waveform.tobytes()


def test_latents_of_decoding_are_the_same_up_to_rounding(
    make_engine: MakeEngine, lines: list[Utterance]
) -> None:
    settings = replace(QUICK, reproduces_upstream=False, has_sound=False)
    alone = say(make_engine(settings, 1), lines, 1)
    for name, speech in say(make_engine(settings, 16), lines, 16).items():
        assert speech.num_samples == alone[name].num_samples
        np.testing.assert_allclose(speech.features, alone[name].features, rtol=0, atol=1e-4)


def test_a_gpu_gets_many_segments_and_a_processor_one() -> None:
    for device, rows in {"cpu": 1, "cuda": 32}.items():
        limits = stage_limits(torch.device(device), 32)
        assert {limits.latents.max_rows, limits.flow.max_rows, limits.vocoder.max_rows} == {rows}
