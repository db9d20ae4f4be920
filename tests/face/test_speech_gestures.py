from dataclasses import dataclass, replace

import numpy as np
import pytest

from unitaf.face.emotion_poses import Manner
from unitaf.face.prosody import Accent, Phrase, Prosody
from unitaf.face.speech_gestures import BrowPlan, EyesAndHeadPlan

ORDINARY = Manner(mouth=1.0, gestures=1.0, brow_accents=1.0, blink_rate=1.0, gaze_rate=1.0)
SILENCE = Prosody(np.ones(0), (), ())
FRAME_S = 0.01


@dataclass(frozen=True)
class Gestures:
    blink: np.ndarray
    head: np.ndarray
    gaze: np.ndarray
    brow_inner: np.ndarray


def gestures_of(
    prosody: Prosody,
    duration_s: float,
    manner: Manner = ORDINARY,
    blinks_per_minute: float = 18.0,
    seed: int = 0,
) -> Gestures:
    blinks, brows, head, gaze, drift = (np.random.default_rng([seed, i]) for i in range(5))
    random = (blinks, head, gaze, drift)
    eye_plan = EyesAndHeadPlan(prosody, duration_s, manner, blinks_per_minute, random)
    brow_plan = BrowPlan(prosody, manner, (brows, drift))
    times = np.arange(round(duration_s / FRAME_S)) * FRAME_S
    pieces = [times[first : first + 500] for first in range(0, len(times), 500)]
    eyes, brow = ([plan.at(piece) for piece in pieces] for plan in (eye_plan, brow_plan))
    return Gestures(
        blink=np.concatenate([piece.blink for piece in eyes]),
        head=np.concatenate([piece.head for piece in eyes], axis=1),
        gaze=np.concatenate([piece.gaze for piece in eyes], axis=1),
        brow_inner=np.concatenate([piece.inner for piece in brow]),
    )


def spoken(*phrases: tuple[float, float], asks: bool = False, accents: int = 2) -> Prosody:
    found = [Phrase(start, end, asks) for start, end in phrases]
    times = [t for start, end in phrases for t in np.linspace(start, end, accents + 2)[1:-1]]
    return Prosody(np.ones(0), tuple(Accent(float(t), 0.8) for t in times), tuple(found))


def blink_times(gestures: Gestures) -> np.ndarray:
    shut = (gestures.blink > 0.9).astype(int)
    return np.flatnonzero(np.diff(shut) == 1) * FRAME_S


def test_blinks_come_at_the_rate_asked_for_and_apart() -> None:
    times = blink_times(gestures_of(SILENCE, 600.0))
    assert 12.0 < len(times) / 10.0 < 24.0
    assert np.diff(times).min() > 0.4
    assert np.diff(times).std() > 0.5
    anxious = replace(ORDINARY, blink_rate=2.0)
    assert len(blink_times(gestures_of(SILENCE, 600.0, anxious))) > 1.5 * len(times)
    assert len(blink_times(gestures_of(SILENCE, 600.0, blinks_per_minute=0.0))) == 0


def test_eyes_shut_long_enough_for_a_film_frame_and_open_again() -> None:
    blink = gestures_of(SILENCE, 60.0).blink
    shut = blink > 0.9
    lengths = np.diff(np.flatnonzero(np.diff(shut.astype(int)))[: 2 * (shut.sum() // 20)])[::2]
    assert lengths.min() * FRAME_S >= 1 / 24
    assert lengths.max() * FRAME_S < 0.2
    assert max(blink[0], blink[-1]) < 0.02


def test_blinks_prefer_the_ends_of_phrases() -> None:
    phrases = [(4.0 * i + 0.3, 4.0 * i + 3.5) for i in range(60)]
    ends = np.array([end for _, end in phrases])
    times = blink_times(gestures_of(spoken(*phrases), 240.0))
    near = [np.abs(ends - time).min() < 0.2 for time in times]
    assert np.mean(near) > 0.2  # a tenth by chance


def test_a_question_raises_the_brows_and_lifts_the_head() -> None:
    asked = [gestures_of(spoken((0.5, 2.5), asks=True, accents=0), 3.5, seed=s) for s in range(20)]
    said = [gestures_of(spoken((0.5, 2.5), accents=0), 3.5, seed=s) for s in range(20)]
    late = slice(round(2.4 / FRAME_S), round(2.6 / FRAME_S))
    assert min(g.brow_inner[late].max() for g in asked) > 0.15
    assert max(g.brow_inner.max() for g in said) == 0.0
    after = slice(round(2.7 / FRAME_S), round(3.0 / FRAME_S))
    pitch = [[g.head[1][after].mean() for g in group] for group in (asked, said)]
    assert np.mean(pitch[0]) < np.mean(pitch[1]) - 0.02


def test_accents_nod_the_head_and_move_the_brows() -> None:
    accented = spoken((0.5, 3.5), accents=1)
    plain = Prosody(accented.gains, (), accented.phrases)
    nods = [
        gestures_of(accented, 4.0, seed=s).head[1] - gestures_of(plain, 4.0, seed=s).head[1]
        for s in range(20)
    ]
    peak = np.mean(nods, axis=0)
    assert abs(peak.argmax() * FRAME_S - 2.05) < 0.15
    assert 0.01 < peak.max() < 0.08
    raised = [gestures_of(accented, 4.0, seed=s).brow_inner.max() > 0.05 for s in range(40)]
    assert 0.3 < np.mean(raised) < 0.95


def test_eyes_rest_move_at_once_and_come_back() -> None:
    yaw, pitch = gestures_of(SILENCE, 120.0).gaze
    speed = np.abs(np.diff(yaw)) / FRAME_S
    assert np.mean(speed < 0.05) > 0.85
    assert speed.max() > 1.0
    assert np.abs(yaw).max() < 0.3
    assert np.abs(pitch).max() < 0.2
    assert np.mean(np.abs(yaw) < 0.06) > 0.6
    assert yaw[0] == pytest.approx(0.0, abs=1e-9)


def test_eyes_turn_against_the_head() -> None:
    correlations = []
    for seed in range(8):
        gestures = gestures_of(
            spoken((0.5, 9.5)), 10.0, replace(ORDINARY, gaze_rate=0.02), seed=seed
        )
        correlations.append(np.corrcoef(gestures.head[0], gestures.gaze[0])[0, 1])
    assert np.mean(correlations) < -0.7


def test_the_head_starts_and_ends_at_zero_and_never_whips() -> None:
    for seed in range(10):
        head = gestures_of(spoken((0.2, 2.0), (2.4, 5.0)), 5.2, seed=seed).head
        assert np.abs(head[:, 0]).max() == 0.0
        assert np.abs(head[:, -1]).max() < 0.01
        assert np.abs(head).max() < 0.25
        assert np.abs(np.diff(head, axis=1)).max() / FRAME_S < 1.2
