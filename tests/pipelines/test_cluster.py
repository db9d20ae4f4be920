"""Which Ray cluster a run finds: what is said where there is none."""

import socket

import pytest
import ray

from unitaf.errors import ConfigError
from unitaf.pipelines.cluster import ray_running


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not met Ray yet."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens_is_refused_at_once(
    scheme: str, no_session: None, monkeypatch: pytest.MonkeyPatch
):
    address = f"{scheme}127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=f"RAY_ADDRESS={address}: no Ray cluster answers"):
        ray_running().__enter__()


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "https://ray.example.com/"])
def test_the_address_that_jobs_are_sent_to_is_told_from_that_of_a_cluster(
    address: str, no_session: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=f"RAY_ADDRESS={address}: that is where `ray job submit`"):
        ray_running().__enter__()


def test_an_address_that_is_none_is_refused(no_session: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", "garbage")
    with pytest.raises(ConfigError, match="RAY_ADDRESS=garbage"):
        ray_running().__enter__()
