"""Servers that more than one test uses; each is started when the first one needs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.faulty_model import write_faulty_model
from tests.serving.triton_server import TritonServer
from unitaf.config import load_config
from unitaf.serving.repository import export_repository

STUB_JOB = ("tts.kind=stub", "face.kind=visemes", "output.fps=30")
HIBARI_JOB = ("tts={kind: hibari, speed: 1.25}", "face={kind: auto, style: lively}")


@pytest.fixture(scope="session")
def stub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Serves the silent engine, the face by rules, and a model that does harm."""
    folder = tmp_path_factory.mktemp("triton")
    export_repository(folder / "repository", load_config(None, STUB_JOB))
    write_faulty_model(folder / "repository")
    yield from running(folder)


@pytest.fixture(scope="session")
def hibari_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Serves the embedded voice, a little fast, and the embedded face in a style."""
    folder = tmp_path_factory.mktemp("triton")
    export_repository(folder / "repository", load_config(None, HIBARI_JOB))
    yield from running(folder)


def running(folder: Path) -> Iterator[TritonServer]:
    server = TritonServer(folder / "server", folder / "repository")
    try:
        server.start()
        yield server
    finally:
        server.close()
