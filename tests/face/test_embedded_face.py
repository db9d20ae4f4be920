"""The face model that ships: what its card promises."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from unitaf.build import EMBEDDED_FACES, build_face
from unitaf.config import AutoFaceConfig, FaceModelConfig
from unitaf.errors import ConfigError
from unitaf.face.channel_mixing import EYES_AND_HEAD
from unitaf.face.visemes import VisemeAnimator
from unitaf.metrics import lips
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, column_indices
from unitaf.tts.hibari import Hibari
from unitaf.tts.kokoro.engine import Kokoro
from unitaf.tts.kokoro.files import KokoroFiles
from unitaf.tts.stub import StubSpeech
from unitaf.types import EMOTIONS, FaceMotion, Speech, Utterance

_TEXTS = (
    "Peter Piper picked a peck of pickled peppers.",
    "My mother moved the big umbrella to the bottom step.",
    "Bob, put the lamp back, please, before Pam comes home!",
    "What a fabulous, improbable combination of maps and bombs.",
    "We have nothing to hide from the harbour police, have we?",
    "Simply impossible. Nobody remembers a bishop named Humphrey.",
    "Jump!",
    "I hope you brought a rope, a map and something bitter to drink.",
)
_FPS = 60.0


@pytest.fixture(scope="module")
def lines() -> tuple[list[Utterance], list[Speech]]:
    said = [Utterance(str(i), text, seed=i) for i, text in enumerate(_TEXTS)]
    return said, Hibari().synthesize(said)


def moved(lines: tuple[list[Utterance], list[Speech]], emotion: int | None) -> list[FaceMotion]:
    strengths = [0.0] * len(EMOTIONS)
    if emotion is not None:
        strengths[emotion] = 1.0
    a, b, c, d, e, f, g, h = strengths
    mood = (a, b, c, d, e, f, g, h)
    said, speeches = lines
    return build_face(AutoFaceConfig(), Hibari()).animate(
        [replace(utterance, emotion=mood) for utterance in said],
        [replace(speech, emotion=mood) for speech in speeches],
        _FPS,
    )


def closure(lines: tuple[list[Utterance], list[Speech]], motions: list[FaceMotion]) -> float:
    found = lips.Closures(0, 0)
    for speech, motion in zip(lines[1], motions, strict=True):
        parting = lips.lip_parting(motion.curves, CHANNELS)
        found += lips.bilabial_closures(speech.phones, parting, _FPS, 0.05)
    assert found.bilabials > 40
    return found.rate


def test_lips_meet_and_nothing_jumps(lines: tuple[list[Utterance], list[Speech]]) -> None:
    motions = moved(lines, None)
    assert closure(lines, motions) >= 0.95
    for motion in motions:
        shapes = motion.curves[:, : len(BLENDSHAPES)]
        assert np.isfinite(motion.curves).all()
        assert shapes.min() >= 0.0
        assert shapes.max() <= 1.0
        assert np.abs(np.diff(shapes, axis=0)).max() <= 0.35


def test_the_mouth_opens_as_far_as_the_teachers(
    lines: tuple[list[Utterance], list[Speech]],
) -> None:
    jaw = CHANNELS.index("jawOpen")
    ours = np.concatenate([motion.curves[:, jaw] for motion in moved(lines, None)])
    taught = VisemeAnimator(variation=0.0).animate(*lines, _FPS)
    theirs = np.concatenate([motion.curves[:, jaw] for motion in taught])
    span = np.ptp(np.percentile(theirs, [5, 95]))
    assert np.abs(ours - theirs).mean() <= 0.1 * span
    assert np.ptp(np.percentile(ours, [5, 95])) == pytest.approx(span, rel=0.15)


def test_emotion_moves_the_face_and_leaves_speech_alone(
    lines: tuple[list[Utterance], list[Speech]],
) -> None:
    neutral = moved(lines, None)
    angry = moved(lines, EMOTIONS.index("angry"))
    brow, jaw, close = (CHANNELS.index(n) for n in ("browDownLeft", "jawOpen", "mouthClose"))
    for calm, cross in zip(neutral, angry, strict=True):
        assert cross.curves[:, brow].mean() > calm.curves[:, brow].mean() + 0.2
        assert np.array_equal(cross.curves[:, [jaw, close]], calm.curves[:, [jaw, close]])
    assert closure(lines, angry) == closure(lines, neutral)


KOKORO_TEXTS = {
    "en": ("Bob, put the lamp back, please, before Pam comes home!", "Simply impossible, my boy."),
    "es": ("El pobre bombero empapó su ropa blanca.", "¡Pepe, mi mapa! ¿Dónde pusiste mi mapa?"),
    "fr": (
        "Ma pauvre maman a posé la bombe sur le beau balcon.",
        "Pas de problème, mon ami.",
    ),
    "it": ("Beppe, prendi la bomba prima che arrivi mamma!", "Ho comprato un bel piccolo tamburo."),
    "pt": ("Pedro, ponha a bomba embaixo da ponte.", "Minha mãe comprou um bom pão branco."),
    "ja": ("馬場さん、部屋の番人が橋を渡りました。", "パパとママは毎晩コンビニで飲み物を買う。"),
    "zh": ("爸爸妈妈把面包和苹果放在门旁边。", "朋友们,明白吗?别怕,跑吧!"),
}


def test_lips_meet_in_every_language_of_the_neural_voices(kokoro_files: KokoroFiles) -> None:
    engine = Kokoro(kokoro_files, "jf_alpha")
    said = [
        Utterance(f"{language}{i}", text, language, seed=i)
        for language, texts in KOKORO_TEXTS.items()
        for i, text in enumerate(texts)
    ]
    speeches = engine.synthesize(said)
    face = build_face(AutoFaceConfig(), engine)
    assert face.fingerprint.startswith("face_model")
    assert closure((said, speeches), face.animate(said, speeches, _FPS)) >= 0.95


def test_it_is_the_default_only_where_it_knows_the_engine() -> None:
    assert "style=plain" in build_face(AutoFaceConfig(), Hibari()).fingerprint
    assert isinstance(build_face(AutoFaceConfig(), StubSpeech()), VisemeAnimator)
    with pytest.raises(ConfigError, match="no model that ships reads the features of stub/1"):
        build_face(FaceModelConfig(kind="model"), StubSpeech())
    named = FaceModelConfig(kind="model", checkpoint=str(EMBEDDED_FACES / "hibari"))
    with pytest.raises(
        ConfigError, match="of hibari/1, 256 at 80 Hz, but the engine gives those of stub/1, 8 at"
    ):
        build_face(named, StubSpeech())


def test_it_is_small_and_says_where_it_is_from() -> None:
    for folder in EMBEDDED_FACES.iterdir():
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 5e6
        assert "synthetic" in (folder / "MODEL_CARD.md").read_text()


def test_what_cannot_be_heard_is_moved_by_the_rules(
    lines: tuple[list[Utterance], list[Speech]],
) -> None:
    columns = column_indices(CHANNELS, EYES_AND_HEAD)
    ruled = VisemeAnimator().animate(*lines, _FPS)
    for found, expected in zip(moved(lines, None), ruled, strict=True):
        assert np.array_equal(found.curves[:, columns], expected.curves[:, columns])


def test_it_costs_a_worker_no_torch() -> None:
    code = """
import sys
from unitaf.build import build_face
from unitaf.config import AutoFaceConfig
from unitaf.tts.hibari import Hibari
from unitaf.types import Utterance
said, engine = [Utterance("a", "Hello.")], Hibari()
face = build_face(AutoFaceConfig(), engine)
(motion,) = face.animate(said, engine.synthesize(said), 60.0)
assert motion.curves.any() and face.fingerprint.startswith("face_model")
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
