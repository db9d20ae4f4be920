"""Fixtures that more than one test file uses."""

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import torch

from tests.servers import SeaweedFS
from tests.serving.faulty_model import write_faulty_models
from tests.serving.public_indextts2 import CLIP, SPEECH, write_indextts2_model
from tests.serving.triton_server import HIBARI_JOB, STUB_JOB, TritonServer, running
from tests.tts.kokoro.kokoro_files import write_files
from unitaf.config import load_config
from unitaf.serving.repository import export_repository
from unitaf.tts.kokoro.files import KokoroFiles


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
def one_thread() -> Iterator[None]:
    """Compute as Ray's workers do.

    More threads add in another order, which training magnifies, and wait for each other where the
    machine has other work.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def kokoro_files(tmp_path_factory: pytest.TempPathFactory) -> KokoroFiles:
    """The model of Kokoro, and two voices."""
    return write_files(tmp_path_factory.mktemp("kokoro"))


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


@pytest.fixture(scope="session")
def stub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Serves the silent engine, the face by rules, and models that do harm."""
    folder = tmp_path_factory.mktemp("triton")
    export_repository(folder / "repository", load_config(None, STUB_JOB))
    write_faulty_models(folder / "repository")
    yield from running(folder)


@pytest.fixture(scope="session")
def hibari_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Serves the embedded voice, a little fast, and the embedded face in a style."""
    folder = tmp_path_factory.mktemp("triton")
    export_repository(folder / "repository", load_config(None, HIBARI_JOB))
    yield from running(folder)


@pytest.fixture(scope="session")
def indextts2_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Speaks IndexTTS2's public protocol: ``indextts2`` repeats clips, ``speaking`` speaks."""
    folder = tmp_path_factory.mktemp("triton")
    write_indextts2_model(folder / "repository", "indextts2", CLIP)
    write_indextts2_model(folder / "repository", "speaking", SPEECH)
    yield from running(folder)
