"""Runs the IndexTTS2 cases."""

from collections.abc import Callable

import torch

from tests.parity import (
    indextts2_chain_cases,
    indextts2_decoding_cases,
    indextts2_frontend_cases,
    indextts2_gpt_cases,
    indextts2_mel_cases,
    indextts2_text_cases,
    indextts2_vocoder_cases,
    indextts2_voice_cases,
)
from tests.parity.golden import Case


def _without_gradients(run: Callable[[Case], None]) -> Callable[[Case], None]:
    return torch.no_grad()(run)


RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    name: _without_gradients(run)
    for cases in (
        indextts2_frontend_cases,
        indextts2_voice_cases,
        indextts2_gpt_cases,
        indextts2_decoding_cases,
        indextts2_mel_cases,
        indextts2_vocoder_cases,
        indextts2_text_cases,
        indextts2_chain_cases,
    )
    for name, run in cases.RUNNERS.items()
}
