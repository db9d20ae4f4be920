"""How the independent lines of a golden case are found, batched, and looked into."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.golden import Case

BATCHES = (1, 2, 16)


def numbered(case: Case, pattern: str) -> list[str]:
    """Return the lines of a case, ``L0``, ``L1`` ..., in order of their number."""
    found = {m[1] for name in case.tensors if (m := re.match(rf"\w+/({pattern}\d+)/", name))}
    return sorted(found, key=lambda line: int(re.sub(r"\D", "", line)))


def batches(lines: list[str]) -> Iterator[list[str]]:
    """Yield every line alone, then in shuffled batches."""
    for size in BATCHES:
        order = [lines[i] for i in np.random.RandomState(size).permutation(len(lines))]
        yield from (order[start : start + size] for start in range(0, len(order), size))


def load(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load a module from a checkpoint that may hold other modules too."""
    module.load_state_dict({key: weights[key] for key in module.state_dict()})
    module.eval()


def check_stored(case: Case, name: str, actual: Tensor) -> None:
    """Check a result that not every case of its kind stores; a stored one that is missed fails."""
    if name in case.tensors:
        case.check(name, actual)


def lengths_of(rows: list[Tensor]) -> Tensor:
    return torch.tensor([len(row) for row in rows])


@contextmanager
def outputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collect what modules give, by name."""
    found: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name, module in modules.items():
            hook = module.register_forward_hook(
                lambda _module, _inputs, output, name=name: found.update({name: output})
            )
            stack.callback(hook.remove)
        yield found


@contextmanager
def inputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collect the first argument of modules, by name."""
    found: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name, module in modules.items():
            hook = module.register_forward_pre_hook(
                lambda _module, inputs, name=name: found.update({name: inputs[0]})
            )
            stack.callback(hook.remove)
        yield found
