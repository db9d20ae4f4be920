"""What a run is called: its folder in the store, in the order in which runs began."""

from datetime import UTC, datetime
from uuid import uuid4


def new_run_folder() -> str:
    """Return a folder for a run that begins now; folders sort by time, to the millisecond."""
    now = datetime.now(UTC)
    return f"runs/{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{uuid4().hex[:6]}"
