"""How a server says that a line is bad, so that a client takes it for that and for nothing else."""

import re
from dataclasses import dataclass

_REFUSED = re.compile(r"line refused, column (\w+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line cannot be made, as in `errors.InputError`."""

    column: str
    reason: str


def write_refusal(refusal: Refusal) -> str:
    """Return the message of the error that a server answers with."""
    return f"line refused, column {refusal.column}: {refusal.reason}"


def read_refusal(message: str) -> Refusal | None:
    """Read the message of an error; None if it does not speak of a bad line."""
    found = _REFUSED.search(message)
    return Refusal(found[1], found[2]) if found else None
