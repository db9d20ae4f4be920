"""Runs the IndexTTS2 cases."""

from collections.abc import Callable

import torch

from tests.parity import indextts2_decoding_cases, indextts2_gpt_cases
from tests.parity.golden import Case


def _without_gradients(run: Callable[[Case], None]) -> Callable[[Case], None]:
    return torch.no_grad()(run)


RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    name: _without_gradients(run)
    for runners in (indextts2_gpt_cases.RUNNERS, indextts2_decoding_cases.RUNNERS)
    for name, run in runners.items()
}
