import io

import numpy as np
import pytest

from tests.face.spoken import phones_of, speech_of, utterance_of
from unitaf.export import FORMATS
from unitaf.rigs.arkit import CHANNELS
from unitaf.types import FaceMotion, Provenance, Take


@pytest.fixture
def take() -> Take:
    curves = np.random.default_rng(0).random((7, len(CHANNELS)), dtype=np.float32)
    motion = FaceMotion(curves, CHANNELS, 29.97)
    speech = speech_of(phones_of([("m", 0.23)]))
    return Take("", utterance_of(), speech, motion, Provenance("", "", "", "", ""))


def test_curves_come_back_by_name(take: Take) -> None:
    files = FORMATS["npz"](take, "en/line")
    assert list(files) == ["en/line.npz"]
    with np.load(io.BytesIO(files["en/line.npz"]), allow_pickle=False) as arrays:
        assert set(arrays) == {"curves", "channels", "fps"}
        assert tuple(arrays["channels"].tolist()) == CHANNELS
        assert float(arrays["fps"]) == 29.97
        assert arrays["curves"].dtype == np.float32
        assert np.array_equal(arrays["curves"], take.motion.curves)


def test_the_same_take_has_the_same_bytes(take: Take) -> None:
    assert FORMATS["npz"](take, "a") == FORMATS["npz"](take, "a")
