"""Runs the UniTalker cases."""

from collections.abc import Callable

from tests.parity.golden import Case

RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {}
