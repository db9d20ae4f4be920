from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.face.spoken import phones_of, speech_of, utterance_of
from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.channel_mixing import EYES_AND_HEAD
from unitaf.face.phones import CONSONANTS
from unitaf.face.visemes import VisemeAnimator
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS, LIP_OPENING, column_indices
from unitaf.tts.hibari import Hibari
from unitaf.types import EMOTIONS, NEUTRAL, Emotion, FaceMotion, Phone, Speech, Utterance

RATES = (24.0, 25.0, 29.97, 30.0, 60.0)
LARGEST_STEP = 0.35
SENTENCE = [
    ("", 0.2), ("ð", 0.04), ("ə", 0.06), ("b", 0.06), ("ɔɪ", 0.18), ("m", 0.06), ("aɪ", 0.16),
    ("t", 0.06), ("f", 0.06), ("ɑ", 0.15), ("l", 0.08), ("", 0.3), ("p", 0.06), ("u", 0.16),
    ("ɹ", 0.06), ("s", 0.08), ("", 0.3),
]  # fmt: skip

Line = tuple[Utterance, Speech]


def column(motion: FaceMotion, *names: str) -> np.ndarray:
    """Return the largest of some channels at each frame."""
    return motion.curves[:, [CHANNELS.index(name) for name in names]].max(axis=1)


def animate(line: Line, fps: float = 60.0, animator: VisemeAnimator | None = None) -> FaceMotion:
    (motion,) = (animator or VisemeAnimator()).animate([line[0]], [line[1]], fps)
    return motion


def line_of(
    sounds: list[tuple[str, float]], emotion: Emotion = NEUTRAL, seed: int = 0, **speech: float
) -> Line:
    return utterance_of(seed=seed), speech_of(phones_of(sounds), emotion=emotion, **speech)


def only(name: str, strength: float = 1.0) -> Emotion:
    happy, angry, sad, afraid, disgusted, melancholic, surprised, calm = (
        strength if emotion == name else 0.0 for emotion in EMOTIONS
    )
    return (happy, angry, sad, afraid, disgusted, melancholic, surprised, calm)


@pytest.fixture(scope="module")
def real_lines() -> list[Line]:
    """200 short lines in the embedded voice, in all emotions."""
    subjects = ("The captain", "My brother", "Every mechanic", "Your bubbly friend", "The vampire")
    verbs = ("found five", "never forgave the", "bumped into my", "whispered about some")
    objects = (
        "golden apples.", "lamps before midnight!", "very big ship?", "umbrellas.", "warm pubs.",
        "mushrooms, peppers and beef.", "treasure map, maybe.", "beige vehicle.", "prophet.",
        "three-hundred pound hammer!",
    )  # fmt: skip
    emotions = (NEUTRAL, *(only(name) for name in EMOTIONS))
    texts = islice(product(subjects, verbs, objects), 200)
    utterances = [
        Utterance(f"l{i}", " ".join(words), emotion=emotions[i % 9], seed=i)
        for i, words in enumerate(texts)
    ]
    return list(zip(utterances, Hibari().synthesize(utterances), strict=True))


def frames_of(phone: Phone, frames: int, fps: float) -> np.ndarray:
    """Return the frames inside a phone, or the nearest one if it is shorter than a frame."""
    times = timing.frame_times(frames, fps)
    inside = np.flatnonzero((times >= phone.start_s) & (times < phone.end_s))
    if len(inside):
        return inside
    return np.abs(times - (phone.start_s + phone.end_s) / 2).argmin(keepdims=True)


def are_closed(motion: FaceMotion) -> np.ndarray:
    parted = column(motion, "jawOpen") - column(motion, "mouthClose")
    return (parted <= 0.04) & (column(motion, *LIP_OPENING) <= 0.05)


def are_bitten(motion: FaceMotion) -> np.ndarray:
    """The lower lip is rolled in and not drawn down, the jaw nearly shut, the upper lip lifted."""
    parted = column(motion, "jawOpen") - column(motion, "mouthClose")
    lowered = column(motion, "mouthLowerDownLeft", "mouthLowerDownRight")
    lifted = column(motion, "mouthUpperUpLeft", "mouthUpperUpRight")
    rolled = column(motion, "mouthRollLower")
    return (rolled >= 0.2) & (lowered <= 0.05) & (parted <= 0.12) & (lifted >= 0.1)


@pytest.mark.parametrize("fps", RATES)
def test_lips_meet_where_they_must(real_lines: list[Line], fps: float) -> None:
    closed, bitten = [], []
    motions = VisemeAnimator().animate(*zip(*real_lines, strict=True), fps)
    for (_, speech), motion in zip(real_lines, motions, strict=True):
        frames = len(motion.curves)
        assert frames == timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        is_closed, is_bitten = are_closed(motion), are_bitten(motion)
        for phone in speech.phones:
            if phone.label in ("p", "b", "m"):
                closed.append(is_closed[frames_of(phone, frames, fps)].any())
            elif phone.label in ("f", "v"):
                bitten.append(is_bitten[frames_of(phone, frames, fps)].any())
    assert min(len(closed), len(bitten)) > 200
    assert np.mean(closed) >= 0.98
    assert np.mean(bitten) >= 0.95


def test_open_vowels_open_and_nothing_jumps_in_real_lines(real_lines: list[Line]) -> None:
    opened = []
    for line, motion in zip(
        real_lines, VisemeAnimator().animate(*zip(*real_lines, strict=True), 60.0), strict=True
    ):
        assert np.isfinite(motion.curves).all()
        assert np.abs(np.diff(motion.curves, axis=0)).max() <= LARGEST_STEP
        parted = column(motion, "jawOpen") - column(motion, "mouthClose")
        for phone in line[1].phones:
            if phone.label in ("æ", "ɑ", "aɪ", "aʊ") and phone.stress == 1:
                opened.append(parted[frames_of(phone, len(parted), 60.0)].max())
    assert np.percentile(opened, 10) > 0.2
    assert np.percentile(opened, 90) < 0.7


LETTERS = ["", "aɪ", "tʃ", "kʷ", *"iuaɑɔəɛyøoe", *(x for x, _ in CONSONANTS.values() for x in x)]
SOUNDS = st.lists(
    st.tuples(st.sampled_from(LETTERS), st.sampled_from([0.005, 0.02, 0.05, 0.1, 0.3])),
    min_size=1,
    max_size=24,
)


@settings(max_examples=60, deadline=None)
@given(
    sounds=SOUNDS,
    amplitude=st.sampled_from([0.0, 0.003, 0.1, 0.7]),
    emotion=st.tuples(*[st.sampled_from([0.0, 0.0, 0.5, 1.0])] * 8),
    scale=st.sampled_from([0.0, 1.0, 1.5]),
    seed=st.integers(0, 2**63 - 1),
)
def test_any_sounds_give_motion_in_range_without_jumps(
    sounds: list[tuple[str, float]], amplitude: float, emotion: Emotion, scale: float, seed: int
) -> None:
    animator = VisemeAnimator(scale, scale, scale, blinks_per_minute=40.0 * scale, variation=scale)
    line = line_of(sounds, emotion, seed, amplitude=amplitude)
    motion = animate(line, 60.0, animator)
    shapes = motion.curves[:, : len(BLENDSHAPES)]
    assert motion.curves.dtype == np.float32
    assert np.isfinite(motion.curves).all()
    assert ((shapes >= 0.0) & (shapes <= 1.0)).all()
    assert np.abs(motion.curves[:, len(BLENDSHAPES) :]).max() < 0.6
    assert np.abs(np.diff(motion.curves, axis=0)).max(initial=0.0) <= LARGEST_STEP


@pytest.mark.parametrize("slow", [24.0, 30.0])
def test_all_rates_sample_one_motion(real_lines: list[Line], slow: float) -> None:
    for line in real_lines[:9]:
        coarse, fine = animate(line, slow), animate(line, 2 * slow)
        assert np.abs(fine.curves[::2] - coarse.curves).max() < 1e-6


def test_a_seed_decides_and_names_do_not() -> None:
    line = line_of(SENTENCE)
    one = animate(line)
    renamed = replace(line[0], id="other", speaker="other")
    assert animate((renamed, line[1])).curves.tobytes() == one.curves.tobytes()
    other = animate(line_of(SENTENCE, seed=1))
    assert not np.allclose(other.curves, one.curves, atol=0.02)
    assert np.abs(column(other, "jawOpen") - column(one, "jawOpen")).max() < 0.15


def test_lines_of_one_seed_do_not_blink_together() -> None:
    longer = line_of([*SENTENCE * 4, ("", 0.1)])
    blinks = [column(animate(line), "eyeBlinkLeft") for line in (line_of(SENTENCE * 4), longer)]
    assert np.abs(blinks[0] - blinks[1][: len(blinks[0])]).max() > 0.5


def test_a_batch_gives_what_each_line_gives_alone() -> None:
    lines = [line_of(SENTENCE), line_of(SENTENCE[:7], only("sad"), seed=3)]
    motions = VisemeAnimator().animate(*zip(*lines, strict=True), 30.0)
    for line, motion in zip(lines, motions, strict=True):
        assert motion.curves.tobytes() == animate(line, 30.0).curves.tobytes()
        assert motion.channels == CHANNELS
        assert motion.fps == 30.0


MARKS = {
    "happy": ("mouthSmileLeft", "cheekSquintRight"),
    "angry": ("browDownLeft", "noseSneerRight"),
    "sad": ("browInnerUp", "mouthFrownLeft"),
    "afraid": ("eyeWideLeft", "mouthStretchRight"),
    "disgusted": ("noseSneerLeft", "mouthUpperUpRight"),
    "melancholic": ("browInnerUp", "eyeBlinkLeft"),
    "surprised": ("browOuterUpLeft", "eyeWideRight"),
    "calm": ("mouthSmileLeft", "eyeBlinkLeft"),
}


@pytest.mark.parametrize("name", EMOTIONS)
def test_emotions_show_by_degrees_and_let_the_lips_close(name: str) -> None:
    animator = VisemeAnimator(blinks_per_minute=0.0)
    motions = [
        animate(line_of(SENTENCE, only(name, strength)), 60.0, animator)
        for strength in (0.0, 0.5, 1.0)
    ]
    for channel in MARKS[name]:
        means = [column(motion, channel).mean() for motion in motions]
        assert means[0] + 0.01 < means[1] < means[2]
    for phone in phones_of(SENTENCE):
        if phone.label in ("p", "b", "m"):
            frames = frames_of(phone, len(motions[2].curves), 60.0)
            assert are_closed(motions[2])[frames].any()


def test_loud_speech_opens_wide_and_weak_settings_narrow() -> None:
    def widest(amplitude: float, strength: float = 1.0) -> float:
        animator = VisemeAnimator(strength=strength)
        line = line_of(SENTENCE, amplitude=amplitude)
        return float(column(animate(line, 60.0, animator), "jawOpen").max())

    assert widest(0.01) < 0.8 * widest(0.12)
    assert widest(0.5) > 1.15 * widest(0.12)
    assert widest(0.12, strength=0.5) < 0.6 * widest(0.12)
    assert widest(0.12, strength=1.3) > 1.2 * widest(0.12)


def test_begins_and_ends_at_rest() -> None:
    for sounds in (SENTENCE, SENTENCE[1:-1]):
        motion = animate(line_of(sounds), 240.0)
        for name in CHANNELS:
            if name.startswith(("jaw", "mouth", "tongue", "head")) and "Smile" not in name:
                ends = motion.curves[[0, -1], CHANNELS.index(name)]
                assert np.abs(ends).max() < 0.02, name


def test_silence_blinks_and_looks_but_does_not_speak() -> None:
    motion = animate(line_of([("", 20.0)]))
    assert column(motion, "jawOpen").max() < 0.05
    assert column(motion, *LIP_OPENING).max() < 0.02
    assert column(motion, "eyeBlinkLeft").max() > 0.9
    assert np.ptp(column(motion, "leftEyeYaw")) > 0.02


@pytest.mark.parametrize("sounds", [[("a", 0.12)], [("m", 0.3)], [("", 0.02)], [("ʔ", 0.004)]])
def test_a_bark_is_a_line(sounds: list[tuple[str, float]]) -> None:
    line = line_of(sounds, only("angry"))
    motion = animate(line)
    assert len(motion.curves) == timing.num_frames(line[1].num_samples, 16000, 60.0)
    assert np.isfinite(motion.curves).all()


def test_a_line_without_phones_or_samples_is_a_line() -> None:
    hum = replace(line_of([("m", 0.5)])[1], phones=())
    assert len(animate((utterance_of(), hum)).curves) == 30
    assert animate(line_of([])).curves.shape == (0, len(CHANNELS))


def test_a_monologue_lives() -> None:
    phones = phones_of(SENTENCE * 15, stressed=range(4, 15 * len(SENTENCE), 5))
    motion = animate((utterance_of(), speech_of(phones)))
    duration_s = len(motion.curves) / 60.0
    shut = column(motion, "eyeBlinkLeft") > 0.5
    blinks = (np.diff(shut.astype(int)) == 1).sum()
    assert 8.0 < 60.0 * blinks / duration_s < 35.0
    assert shut.mean() < 0.15
    for angle in ("headYaw", "headPitch", "headRoll", "leftEyeYaw", "leftEyePitch"):
        assert 0.02 < np.ptp(column(motion, angle)) < 0.6
    assert np.ptp(column(motion, "browInnerUp")) > 0.1


def test_sides_are_alike_but_not_equal() -> None:
    motion = animate(line_of(SENTENCE))
    left, right = column(motion, "mouthLowerDownLeft"), column(motion, "mouthLowerDownRight")
    assert 0.0 < np.abs(left - right).max() < 0.2 * left.max()
    assert column(motion, "eyeBlinkLeft") == pytest.approx(column(motion, "eyeBlinkRight"))


def test_the_fingerprint_says_every_setting() -> None:
    settings_of = {
        "strength": 0.5, "expression": 0.5, "gestures": 0.5, "blinks_per_minute": 5.0,
        "variation": 0.5,
    }  # fmt: skip
    prints = {VisemeAnimator(**{name: value}).fingerprint for name, value in settings_of.items()}
    assert len(prints | {VisemeAnimator().fingerprint}) == 6
    assert VisemeAnimator().fingerprint == VisemeAnimator().fingerprint


@pytest.mark.parametrize("wrong", [-0.1, 1.6, float("nan")])
def test_settings_out_of_range_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"strength must be from 0 to 1\.5"):
        VisemeAnimator(strength=wrong)


def test_a_wrong_alphabet_rejects_its_line() -> None:
    with pytest.raises(InputError, match="'ж'") as caught:
        animate(line_of([("ж", 0.2)]))
    assert caught.value.utterance_id == "line"


def test_speeches_must_match_utterances() -> None:
    with pytest.raises(ValueError, match="shorter"):
        VisemeAnimator().animate([utterance_of()], [], 30.0)


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_eyes_and_head_alone_move_as_in_the_whole_face(real_lines: list[Line], fps: float) -> None:
    sad = only("sad")
    lines = [(replace(u, seed=7), replace(s, emotion=sad)) for u, s in real_lines[:8]]
    utterances, speeches = zip(*lines, strict=True)
    rules = VisemeAnimator(gestures=1.3)
    columns = column_indices(CHANNELS, EYES_AND_HEAD)
    whole = rules.animate(utterances, speeches, fps)
    alone = rules.animate_eyes_and_head(utterances, speeches, fps)
    for expected, found in zip(whole, alone, strict=True):
        assert np.array_equal(found.curves[:, columns], expected.curves[:, columns])
        assert not np.delete(found.curves, columns, axis=1).any()
        assert found.curves.any()
