"""Fixtures that tests of several engines use."""

import pytest

from tests.tts.kokoro.kokoro_files import write_files
from unitaf.tts.kokoro.files import KokoroFiles


@pytest.fixture(scope="session")
def kokoro_files(tmp_path_factory: pytest.TempPathFactory) -> KokoroFiles:
    """The model of Kokoro, and two voices."""
    return write_files(tmp_path_factory.mktemp("kokoro"))
