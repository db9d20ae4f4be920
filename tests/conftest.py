"""Fixtures that more than one test file uses."""

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from tests.servers import SeaweedFS


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running S3 server; a test that kills it starts it again."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweed"))
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def s3_store_uri(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store on the S3 server, with the AWS variables set for it."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return f"s3://{seaweed.bucket}/{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def ray_cluster(seaweed: SeaweedFS) -> Iterator[str]:
    """One Ray cluster for all tests; its address, for processes that join it."""
    # Workers have the environment of the cluster, not of the driver: they unpickle the tests' fakes
    # and talk to the S3 server.
    os.environ.update(seaweed.environment, PYTHONPATH=str(Path(__file__).parents[1]))
    context = ray.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=150 * 2**20,
    )
    yield context.address_info["address"]
    ray.shutdown()
