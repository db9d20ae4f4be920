"""What writes takes as files of one format."""

from collections.abc import Callable

from unitaf.types import Take

Encoder = Callable[[Take, str], dict[str, bytes]]
"""Takes a take and its path without suffix; returns every file's path and bytes.

A path that does not begin with the take's is a file that takes share: the same bytes each time.
"""
